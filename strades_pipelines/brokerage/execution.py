"""The one way from decisions to fills: for the Dagster job, the live loop and the command alike.

An order's life: its intent is committed as `planned`; that it is `submitting` is committed; only then the venue is
called. Whatever happens after that, the venue's word alone settles it: what is not known stays `unknown`.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

import psycopg

from strades_pipelines.brokerage.brokers.errors import BrokerError, NotSent, RateLimited, Rejected
from strades_pipelines.brokerage.brokers.venue import ReplacesOrders, VenueBroker, VenueFill, VenueOrder
from strades_pipelines.brokerage.emulated_orders import (
    is_emulated,
    is_triggered,
    triggered_order,
    working_in_group,
)
from strades_pipelines.brokerage.halts import current_state, send_lock
from strades_pipelines.brokerage.intents import intend
from strades_pipelines.brokerage.ledger import post_fill
from strades_pipelines.brokerage.linked_orders import has_lost_parent, is_cancelled_by_group, waits_for_parent
from strades_pipelines.brokerage.order_book import OpenOrder, open_orders, orders_by_id, postpone, settle_attempts
from strades_pipelines.brokerage.portfolio import Wallet, held_units, load_wallet, set_state
from strades_pipelines.brokerage.prices import Connection, let_commit_be_lazy
from strades_pipelines.brokerage.replacements import has_successor, is_amendment, order_to_send
from strades_pipelines.brokerage.rows import insert, order_event_row
from strades_pipelines.brokerage.splits import book_splits
from strades_pipelines.brokerage.venue_answers import as_intended, contradiction, fill_id, new_fill, state_with
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.limits import is_exit
from strades_pipelines.market.order_states import UNSETTLED, OrderState
from strades_pipelines.market.orders import BY_PERSON, Order

LOGGER = logging.getLogger(__name__)
CLOSING = ("retiring",)


@dataclass
class Executed:
    """What one pass did: intents made, orders sent, fills recorded; refusals and unsettled orders with reasons."""

    intents: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    fills: list[str] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    unsettled: dict[str, str] = field(default_factory=dict)


def execute_pending(connection: Connection, venue: VenueBroker, name: str, *, now: datetime) -> Executed:
    """Bring a wallet up to date with its venue, then send what its decisions ask for. Safe at any time, from anywhere.

    Under the wallet's lock: ask the venue about the orders that are due and record its fills; cancel what is no longer
    wanted; turn due decisions into intents or refusals; send each intent. Commits as it goes.

    Raises:
        ValueError: for a replay wallet, which is never edited.
        Exception: a fault of ours, after which the wallet is halted: nothing is sent until a person has looked at it.
    """
    with _execution(connection, venue, name, now) as execution:
        execution.run()
    return execution.done


def settle_orders(
    connection: Connection, venue: VenueBroker, name: str, intent_ids: Sequence[str], *, now: datetime
) -> Executed:
    """Ask the venue about some orders of a wallet, also ones that are over, and record its fills. Sends nothing.

    Commits as it goes. An order that the venue gives no answer about stays as it is.

    Raises:
        Exception: as `execute_pending`.
    """
    with _execution(connection, venue, name, now) as execution:
        execution.settle(intent_ids)
    return execution.done


@contextmanager
def _execution(connection: Connection, venue: VenueBroker, name: str, now: datetime) -> Iterator["_Execution"]:
    """Under the wallet's lock; a fault of ours halts it: nothing is sent until a person has looked at it."""
    with wallet_lock(connection, name):
        wallet = load_wallet(connection, name)
        if wallet.mode == "replay":
            raise ValueError(f"wallet {name}: expected the mode paper or live, was replay; what it did is over")
        wallet = book_splits(connection, wallet, now=now)
        with _halt_on_fault(connection, name):
            yield _Execution(connection, venue, wallet, now)


@contextmanager
def _halt_on_fault(connection: Connection, name: str) -> Iterator[None]:
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError):
        raise  # the database is away, or busy: the next pass goes on
    except Exception as error:
        LOGGER.exception("wallet %s: halted by a fault of ours; nothing more is sent", name)
        with suppress(psycopg.Error):
            connection.rollback()
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            set_state(connection, name, "halted", reason=f"a fault of Strades: {reason}")
            connection.commit()
        raise


@contextmanager
def wallet_lock(connection: Connection, name: str, *, wait: str = "60s") -> Iterator[None]:
    """Hold the wallet's advisory lock; it ends with the connection, so a killed process leaves none.

    Raises:
        psycopg.errors.LockNotAvailable: when another process holds it longer than `wait`.
    """
    key = f"strades.wallet:{name}"
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [wait])
    connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [key])
    connection.commit()
    try:
        yield
    finally:
        # A broken connection has lost the lock with the rest.
        with suppress(psycopg.OperationalError):
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])
            connection.commit()


class _Execution:
    def __init__(self, connection: Connection, venue: VenueBroker, wallet: Wallet, now: datetime) -> None:
        self.done = Executed()
        self._connection, self._venue, self._wallet, self._now = connection, venue, wallet, now
        self._limited = False  # the venue takes no more requests in this pass

    def settle(self, intent_ids: Sequence[str]) -> None:
        """Record what the venue says of some orders."""
        for known in list(orders_by_id(self._connection, self._wallet, intent_ids)):
            self._connection.commit()
            with suppress(BrokerError):  # the next pass asks again
                found = self._venue.lookup(known.order, at=self._now)
                # What contradicts an order that is over cannot become its state: reconciliation says so.
                if found is not None and not (known.state.is_over and contradiction(known, found)):
                    self._adopt(known, found)
            self._connection.commit()

    def run(self) -> None:
        """One pass."""
        under_way = self._open_orders()
        for known in under_way:
            if known.state is not OrderState.PLANNED:
                self._settle(known)
        for known in self._open_orders() if under_way else ():
            if self._is_to_cancel(known):
                self._cancel(known, known.cancel_requested_by or "the end of its wallet")
        self._intend()
        for known in self._open_orders():
            if known.state is OrderState.PLANNED and self._is_ready(known) and self._claim(known):
                self._send(known, "it was never sent")
        if self._wallet.state in CLOSING and not self._open_orders():
            set_state(self._connection, self._wallet.name, "retired", reason=self._wallet.state_reason)
            self._connection.commit()

    def _open_orders(self) -> Sequence[OpenOrder]:
        found = list(open_orders(self._connection, self._wallet))
        self._connection.commit()
        return found

    def _is_to_cancel(self, known: OpenOrder) -> bool:
        if known.cancel_requested_by is not None or self._wallet.state in CLOSING:
            return True
        return known.state is not OrderState.PLANNED and self._is_linked_out(known.order)

    def _is_linked_out(self, order: Order) -> bool:
        """Whether an order of its group was filled, at a venue that does not keep groups itself."""
        return not self._venue.links_orders and is_cancelled_by_group(self._connection, self._wallet.name, order)

    def _is_ready(self, known: OpenOrder) -> bool:
        """Whether a planned order is to be sent, or to be ended, now: its parent is filled, or over, its stop touched.

        At venues that keep parents and stops themselves each is.
        """
        order = known.order
        if not self._venue.links_orders and waits_for_parent(self._connection, order):
            return False
        if not is_emulated(order, self._venue) or self._is_linked_out(order):
            return True
        if has_lost_parent(self._connection, order):
            return True
        if not is_triggered(self._connection, self._wallet, order, self._now):
            return False
        return self._reason_not_to_send(known) is not None or self._is_alone_in_group(order)

    def _is_alone_in_group(self, order: Order) -> bool:
        """Cancel the other orders of its group, which hold the units that it sells; whether none is left."""
        for known in self._open_orders():
            if known.order.intent_id in working_in_group(self._connection, self._wallet.name, order):
                self._cancel(known, f"the stop of its group, {order.intent_id}")
        return not working_in_group(self._connection, self._wallet.name, order)

    def _claim(self, known: OpenOrder) -> bool:
        """Whether the order is due and nobody else, a person with psql say, is at it."""
        if known.state in UNSETTLED and known.state is not OrderState.PLANNED:
            self.done.unsettled[known.order.intent_id] = known.reason or known.state.value
        if self._limited or not known.is_due(self._now):
            return False
        let_commit_be_lazy(self._connection)
        row = self._connection.execute(
            "SELECT state FROM trading.orders WHERE intent_id = %s FOR UPDATE SKIP LOCKED", [known.order.intent_id]
        ).fetchone()
        self._connection.commit()  # a venue may take its time: nothing is held meanwhile but the wallet's lock
        return row == (known.state.value,)

    def _settle(self, known: OpenOrder) -> None:
        """Ask the venue about an order that it may have."""
        if not self._claim(known):
            return
        try:
            found = self._venue.lookup(known.order, at=self._now)
        except BrokerError as error:
            self._postpone(known, f"no answer: {error}", error)
        else:
            if found is not None:
                self._adopt(known, found)
            elif known.venue_order_id is not None:
                self._postpone(known, "the venue does not know an order it had accepted")
            elif known.submitted_at is not None and self._now - known.submitted_at < self._venue.grace:
                self._postpone(known, "the venue does not show it yet")
            else:
                self._send(known, "the venue never had it")
        self._connection.commit()

    def _intend(self) -> None:
        """Commit an intent, or a refusal, for each decision that is due."""
        # It may have been halted while the venue was asked about other orders.
        wallet = replace(self._wallet, state=current_state(self._connection, self._wallet.name))
        let_commit_be_lazy(self._connection)  # that it is submitting is durable before it is sent, and this before that
        orders, refusals = intend(self._connection, wallet, now=self._now)
        crash_point("trading.intents_written")
        self._connection.commit()
        crash_point("trading.intents_committed")
        self.done.intents += [order.intent_id for order in orders]
        self.done.refusals.update({refusal.decision_id: refusal.code for refusal in refusals})

    def _send(self, known: OpenOrder, so_far: str) -> None:
        """Send an order the venue does not have, unless the wallet was halted or the decision has grown too old."""
        if not self._limited and self._makes_room(known):
            with send_lock(self._connection, self._wallet.name):
                self._send_unless_over(known, so_far)

    def _makes_room(self, known: OpenOrder) -> bool:
        """Take back the order in whose place this one is to stand; whether this one can be sent now."""
        old = self._replaced_order(known.order)
        if old is None or self._reason_not_to_send(known) is not None or self._amends(old, known.order):
            return True
        self._cancel(old, f"the order in its place, {known.order.intent_id}")
        return self._replaced_order(known.order) is None

    def _replaced_order(self, order: Order) -> OpenOrder | None:
        """The order in whose place it is to stand, while that is not over."""
        if order.terms.replaces is None:
            return None
        return next((known for known in self._open_orders() if known.order.intent_id == order.terms.replaces), None)

    def _amends(self, old: OpenOrder, order: Order) -> bool:
        """Whether the venue puts the order in the place of the old one by one request."""
        works = old.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
        return works and isinstance(self._venue, ReplacesOrders) and is_amendment(old.order, order)

    def _send_unless_over(self, known: OpenOrder, so_far: str) -> None:
        ended = self._reason_not_to_send(known)
        if ended is not None:
            state, reason = ended
            if known.state is OrderState.UNKNOWN or known.state is OrderState.SUBMITTING:
                # The venue's own word that it does not have it stands behind this.
                so_far = "the venue never had it"
            self._set(known, state, reason=f"{reason}; {so_far}")
            self._connection.commit()
            return
        if known.state is not OrderState.SUBMITTING:
            known = self._set(known, OrderState.SUBMITTING)
        self._connection.commit()
        crash_point("trading.order_submitting")
        try:
            found = self._place(known.order)
        except Rejected as error:
            self._set(known, OrderState.REJECTED, reason=str(error), message=error.message)
        except (NotSent, RateLimited) as error:
            self._set(known, OrderState.PLANNED, reason=str(error), message=error.message)
            self._wait(known, error)
        except BrokerError as error:
            self._set(known, OrderState.UNKNOWN, reason=f"submit: {error}", message=error.message)
            self._wait(known, error)
        else:
            crash_point("trading.order_sent")
            self.done.sent.append(known.order.intent_id)
            self._adopt(known, found)
        self._connection.commit()
        crash_point("trading.order_acknowledged")

    def _place(self, order: Order) -> VenueOrder:
        """Call the venue: for a new order, or for one in the place of another."""
        wanted = order_to_send(self._connection, order)
        assert wanted is not None, "`_reason_not_to_send` said so"
        if is_emulated(order, self._venue):
            wanted = triggered_order(wanted)
        old = self._replaced_order(order)
        if old is None or not isinstance(self._venue, ReplacesOrders):
            return self._venue.submit(wanted, at=self._now)
        crash_point("trading.order_replacing")
        found = self._venue.replace(old.order, wanted, filled=old.filled, at=self._now)
        crash_point("trading.order_replaced")
        return found

    def _reason_not_to_send(self, known: OpenOrder) -> tuple[OrderState, str] | None:
        """Why an order is not sent any more. Under the send lock, which whoever halts the wallet waits for."""
        state = current_state(self._connection, self._wallet.name)
        if not self._is_sent_in(state, known.order):
            return OrderState.CANCELLED, f"wallet_{state}"
        if known.cancel_requested_by is not None:
            return OrderState.CANCELLED, f"cancelled by {known.cancel_requested_by}"
        if order_to_send(self._connection, known.order) is None:
            return OrderState.CANCELLED, f"order {known.order.terms.replaces} was filled before it could be replaced"
        if known.order.terms.parent_id is not None or is_emulated(known.order, self._venue):
            # It guards a position, or waits for a price: it is never too old to be sent.
            is_over = has_lost_parent(self._connection, known.order) or self._is_linked_out(known.order)
            return (OrderState.CANCELLED, "one_cancels_other") if is_over else None
        if known.send_before is not None and self._now > known.send_before:
            return OrderState.EXPIRED, "stale"
        return None

    def _is_sent_in(self, state: str, order: Order) -> bool:
        """Whether a wallet in that state sends the order."""
        if state == "reducing":
            exits = order.terms.reduce_only or order.terms.parent_id is not None
            return exits or is_exit(held_units(self._connection, self._wallet, order.listing_id), order.signed)
        if state == "halted" and order.terms.reduce_only:
            row = self._connection.execute(
                "SELECT trigger_kind FROM signals.decisions WHERE decision_id = %s", [order.decision_id]
            ).fetchone()
            return row == (BY_PERSON,)
        return state == "active"

    def _cancel(self, known: OpenOrder, by: str) -> None:
        """Cancel what is left of an order; one that was never sent is cancelled here."""
        if not self._claim(known):
            return
        if known.state is OrderState.PLANNED:
            self._set(known, OrderState.CANCELLED, reason=f"cancelled by {by}; it was never sent")
            self._connection.commit()
            return
        if known.state is OrderState.SUBMITTING or known.venue_order_id is None:
            return  # first the venue has to say that it has it
        if known.state is not OrderState.CANCELLING:
            known = self._set(known, OrderState.CANCELLING)
        self._connection.commit()
        crash_point("trading.order_cancelling")
        try:
            found = self._venue.cancel(known.order, at=self._now)
        except BrokerError as error:
            # Refused, since it is over, or not heard: the next look-up says which.
            self._postpone(known, f"cancel: {error}", error)
        else:
            if found is not None:
                self._adopt(known, found)
        self._connection.commit()
        crash_point("trading.order_cancelled")

    def _adopt(self, known: OpenOrder, found: VenueOrder) -> None:
        """Record the fills we do not have, one transaction each, then the venue's state."""
        found = as_intended(known, found)
        if found.state is OrderState.CANCELLED and has_successor(self._connection, known.order.intent_id):
            found = replace(found, state=OrderState.REPLACED)
        fault = contradiction(known, found)
        if fault is not None:
            self._postpone(known, fault, message=found.message, to_unknown=True)
            return
        lacks_fills = found.filled is not None and found.filled > found.filled_by_fills
        if lacks_fills:
            found = replace(found, state=OrderState.ACCEPTED)  # it is not over before all of them are booked
        parts = self._new_parts(known, found)
        for place, part in enumerate(parts):
            is_last = place == len(parts) - 1
            listing = self._wallet.listings[known.order.i]
            fill = new_fill(known.order, part, listing, self._wallet.currency, self._now)
            if post_fill(self._connection, self._wallet, fill, now=self._now):
                self.done.fills.append(fill.content_id)
            filled = known.filled + part.quantity
            state = found.state if is_last else OrderState.PARTIALLY_FILLED
            known = self._set(known, state_with(known, state, filled), filled=filled, found=found)
            crash_point("trading.fill_written")
            self._connection.commit()
            crash_point("trading.fill_recorded")
        if not parts:
            known = self._set(known, state_with(known, found.state, known.filled), found=found)
        settle_attempts(self._connection, known.order.intent_id)
        if lacks_fills or (found.state is OrderState.FILLED and known.state is not OrderState.FILLED):
            postpone(self._connection, known.order.intent_id, now=self._now)  # its fills are still to be told

    def _new_parts(self, known: OpenOrder, found: VenueOrder) -> list[VenueFill]:
        """The fills of an order that are not recorded yet, oldest first."""
        rows = self._connection.execute(
            "SELECT fill_id FROM trading.fills WHERE intent_id = %s", [known.order.intent_id]
        )
        recorded = {row[0] for row in rows}
        parts = [part for part in found.fills if fill_id(known.order, part) not in recorded]
        return sorted(parts, key=lambda part: (part.filled_at, part.venue_fill_id))

    def _postpone(
        self,
        known: OpenOrder,
        reason: str,
        error: BrokerError | None = None,
        *,
        message: bytes | None = None,
        to_unknown: bool = False,
    ) -> None:
        """Nothing is settled: an order of which we do not know whether the venue has it is unknown; ask later."""
        message = message if error is None else error.message
        if to_unknown or known.state in UNSETTLED or error is None:
            if (known.state, known.reason) != (OrderState.UNKNOWN, reason):
                self._set(known, OrderState.UNKNOWN, reason=reason, message=message)
            self.done.unsettled[known.order.intent_id] = reason
        self._wait(known, error)

    def _wait(self, known: OpenOrder, error: BrokerError | None) -> None:
        limited = isinstance(error, RateLimited)
        wait = error.retry_after if isinstance(error, RateLimited) else None
        self._limited = self._limited or limited
        postpone(self._connection, known.order.intent_id, now=self._now, wait=wait)

    def _set(
        self,
        known: OpenOrder,
        state: OrderState,
        *,
        reason: str | None = None,
        filled: Decimal | None = None,
        found: VenueOrder | None = None,
        message: bytes | None = None,
    ) -> OpenOrder:
        """Record an event of the order where it says something new; returns the order after it."""
        after = OpenOrder(
            known.order,
            state,
            known.filled if filled is None else filled,
            found.reason if found else reason,
            (found.venue_order_id if found else None) or known.venue_order_id,
            known.submitted_at or (self._now if state is OrderState.SUBMITTING else None),
            known.send_before,
            known.attempts,
            known.next_attempt_at,
            known.cancel_requested_by,
        )
        intent_id = known.order.intent_id
        if state in (OrderState.SUBMITTING, OrderState.UNKNOWN):
            self.done.unsettled[intent_id] = after.reason or state.value
        else:
            self.done.unsettled.pop(intent_id, None)
        if (known.state, known.filled, known.venue_order_id) == (after.state, after.filled, after.venue_order_id) and (
            state is not OrderState.UNKNOWN
        ):
            return known
        row = order_event_row(
            intent_id,
            state,
            self._now,
            filled=after.filled,
            venue_order_id=after.venue_order_id,
            venue_time=found.at if found else None,
            reason=after.reason,
            message=found.message if found else message,
        )
        insert(self._connection, "trading.order_events", row)
        return after
