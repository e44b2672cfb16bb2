"""Orders to the venue: gated in order, `submitting` in one commit, on their way several at once, each answer stored.

Whatever happens after that commit, the venue's word alone settles an order: what was `submitting` when the process was
killed is looked up by its client order id.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from strades_pipelines.brokerage.brokers.venue import ReplacesOrders, VenueBroker, VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError, NotSent, RateLimited, Rejected
from strades_pipelines.brokerage.cancelling import Cancelling
from strades_pipelines.brokerage.emulated_orders import is_emulated, is_triggered, triggered_order
from strades_pipelines.brokerage.halts import send_lock
from strades_pipelines.brokerage.in_flight import lanes_of, run_in_flight
from strades_pipelines.brokerage.linked_orders import has_lost_parent, is_exit_now, waits_for_parent
from strades_pipelines.brokerage.order_book import OpenOrder, claim_orders
from strades_pipelines.brokerage.order_journal import OrderJournal
from strades_pipelines.brokerage.replacements import is_amendment, order_to_send
from strades_pipelines.brokerage.send_batches import split_batch
from strades_pipelines.brokerage.settling import NEVER_HAD_IT, Settling
from strades_pipelines.brokerage.sleeves import States, ask_states, current_states, read_states
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.pipelining import commit_together
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order
from strades_pipelines.system.tracing import span

# From its first send on a pass begins requests for so long, and what is left at the next one: a venue's grace counts
# from `submitting`, and this and the last request's time-out (13 s) have to fit into it. Where there is no grace (on
# paper) all are sent: on a busy machine the rest of a pass was taken a bar later than in a replay (2026-11-30).
SENDING_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Submit:
    """An order on its way: as it is recorded, as the venue gets it, and the one in whose place it is put."""

    known: OpenOrder
    order: Order
    old: OpenOrder | None


class Sending:
    """Sends orders of the journal's wallet that the venue does not have."""

    def __init__(self, journal: OrderJournal, venue: VenueBroker, settling: Settling, cancelling: Cancelling) -> None:
        self._journal, self._venue, self._connection = journal, venue, journal.connection
        self._settling, self._cancelling = settling, cancelling
        self._name = journal.wallet.name
        self._ends_at: float | None = None  # seconds since the pass began; None before its first send, and on paper
        self._is_shared = bool(journal.wallet.sleeves)
        self._states = States(journal.wallet.state, {})  # when the batch was gated
        self._limit: RateLimited | None = None
        self._fault: BaseException | None = None

    def send_planned(self, orders: Sequence[OpenOrder]) -> None:
        """Send what is ready, batch after batch, for as long as if nothing had been sent again before. Commits.

        Args:
            orders: planned ones, in the order in which they were.
        """
        waiting = [known for known in orders if known.is_due(self._journal.now)]
        self._ends_at = None
        while waiting and self._goes_on():
            batch, rest = split_batch(waiting)
            held = self.send([known for known in batch if self._is_ready(known)])
            waiting = [*held, *rest]

    def send(self, orders: Sequence[OpenOrder]) -> Sequence[OpenOrder]:
        """Send orders that may arrive in any order, but for those that are not to be sent any more. Commits.

        Returns:
            Those that were held back, and are to be gated again.

        Raises:
            Exception: a fault of ours; the others' answers are stored.
        """
        if self._ends_at is None and self._venue.grace:
            self._ends_at = self._journal.elapsed() + SENDING_SECONDS
        orders = [known for known in orders if self._goes_on() and self._makes_room(known)]
        if not orders:
            return []
        with ExitStack() as lock:
            with commit_together(self._connection):
                lock.enter_context(send_lock(self._connection, self._name))
                submits = self._gate(orders)
            if not submits:
                return []
            crash_point("trading.order_submitting")
            held = self._hold_back(run_in_flight(lanes_of(self._venue), submits, self._call, self._store))
        if self._fault is not None:
            raise self._fault
        return held if self._goes_on() else []

    def _goes_on(self) -> bool:
        """Whether this pass sends any more."""
        if self._journal.is_limited or self._fault is not None:
            return False
        return self._ends_at is None or self._journal.elapsed() < self._ends_at

    def _is_ready(self, known: OpenOrder) -> bool:
        """Whether a planned order is to be sent, or to be ended, now: its parent is filled, or over, its stop touched.

        At venues that keep parents and stops themselves each is.
        """
        order = known.order
        if not self._venue.links_orders and waits_for_parent(self._connection, order):
            return False
        if not is_emulated(order, self._venue) or self._cancelling.is_linked_out(order):
            return True
        if has_lost_parent(self._connection, order):
            return True
        if not is_triggered(self._connection, self._journal.wallet, order, self._journal.now):
            return False
        # What is over is ended by the gate: its group is left alone.
        return self._is_over(known) or self._cancelling.clear_group(order)

    def _is_over(self, known: OpenOrder) -> bool:
        """Whether an order is not to be sent any more, as the wallet is now."""
        return (
            self._reason_not_to_send(known, current_states(self._connection, self._name, is_shared=self._is_shared))
            is not None
        )

    def _makes_room(self, known: OpenOrder) -> bool:
        """Take back the order in whose place this one is to stand; whether this one can be sent now."""
        old = self._replaced_order(known.order)
        if old is None or self._is_over(known) or self._amends(old, known.order):
            return True
        self._cancelling.cancel(old, f"the order in its place, {known.order.intent_id}")
        return self._replaced_order(known.order) is None

    def _replaced_order(self, order: Order) -> OpenOrder | None:
        """The order in whose place it is to stand, while that is not over."""
        if order.terms.replaces is None:
            return None
        under_way = self._journal.open_orders()
        return next((known for known in under_way if known.order.intent_id == order.terms.replaces), None)

    def _amends(self, old: OpenOrder, order: Order) -> bool:
        """Whether the venue puts the order in the place of the old one by one request."""
        works = old.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
        return works and isinstance(self._venue, ReplacesOrders) and is_amendment(old.order, order)

    def _gate(self, orders: Sequence[OpenOrder]) -> list[Submit]:
        """Have those that may go be `submitting`, and end the others. Under the send lock, which a halt waits for."""
        states = ask_states(self._connection, self._name, is_shared=self._is_shared)
        claimed = claim_orders(self._connection, self._journal.wallet, orders)
        self._states, going = read_states(states), []
        for known in claimed:
            ended = self._reason_not_to_send(known, self._states)
            if ended is None:
                going.append(known)
                continue
            # The venue's own word that it does not have it stands behind an order that was sent before.
            so_far = "it was never sent" if known.state is OrderState.PLANNED else NEVER_HAD_IT
            self._journal.record(known, ended[0], reason=f"{ended[1]}; {so_far}")
        return [self._submit(known) for known in self._record_submitting(going)]

    def _record_submitting(self, orders: Sequence[OpenOrder]) -> Sequence[OpenOrder]:
        """Have orders be `submitting`; one that was so when a process was killed begins again, with a grace of its own.

        Where the venue has no grace, that one stays as it is, so that a killed pass ends as if nobody had disturbed it.
        """
        if not self._venue.grace and all(known.state is OrderState.SUBMITTING for known in orders):
            return orders
        for known in orders:
            if known.state is OrderState.SUBMITTING:
                self._journal.record(known, OrderState.UNKNOWN, reason=NEVER_HAD_IT)
        return self._journal.record_all(orders, OrderState.SUBMITTING)

    def _submit(self, known: OpenOrder) -> Submit:
        wanted = order_to_send(self._connection, known.order)
        assert wanted is not None, "`_reason_not_to_send` said so"
        wanted = triggered_order(wanted) if is_emulated(known.order, self._venue) else wanted
        return Submit(known, wanted, self._replaced_order(known.order))

    def _reason_not_to_send(self, known: OpenOrder, states: States) -> tuple[OrderState, str] | None:
        """Why an order is not sent any more by a wallet in those states."""
        state = states.of(known.order.strategy, is_by_person=known.order.is_by_person)
        if not self._is_sent_in(state, known.order):
            return OrderState.CANCELLED, f"{'wallet' if state == states.wallet else 'strategy'}_{state}"
        if known.cancel_requested_by is not None:
            return OrderState.CANCELLED, f"cancelled by {known.cancel_requested_by}"
        if order_to_send(self._connection, known.order) is None:
            return OrderState.CANCELLED, f"order {known.order.terms.replaces} was filled before it could be replaced"
        if known.order.terms.parent_id is not None or is_emulated(known.order, self._venue):
            # It guards a position, or waits for a price: it is never too old to be sent.
            is_over = has_lost_parent(self._connection, known.order) or self._cancelling.is_linked_out(known.order)
            return (OrderState.CANCELLED, "one_cancels_other") if is_over else None
        if known.send_before is not None and self._journal.now > known.send_before:
            return OrderState.EXPIRED, "stale"
        return None

    def _is_sent_in(self, state: str, order: Order) -> bool:
        """Whether a wallet in that state sends the order."""
        if state == "reducing":
            return is_exit_now(self._connection, self._journal.wallet, order)
        if state == "halted" and order.terms.reduce_only:
            return order.is_by_person
        return state == "active"

    def _call(self, lane: VenueBroker, submit: Submit) -> VenueOrder:
        """Call the venue, in whatever thread: for a new order, or for one in the place of another."""
        # A venue on paper accepts it when it is sent, as it is recorded, and not when a pass began that waited since.
        at = max(self._journal.now, submit.known.sent_at or self._journal.now)
        with span("order", wallet=self._name, broker=self._journal.wallet.broker, intent=submit.known.order.intent_id):
            return self._ask(lane, submit, at)

    def _ask(self, lane: VenueBroker, submit: Submit, at: datetime) -> VenueOrder:
        if submit.old is None or not isinstance(lane, ReplacesOrders):
            return lane.submit(submit.order, at=at)
        crash_point("trading.order_replacing")
        found = lane.replace(submit.old.order, submit.order, filled=submit.old.filled, at=at)
        crash_point("trading.order_replaced")
        return found

    def _store(self, answers: Sequence[tuple[Submit, "Future[VenueOrder]"]], left: int) -> bool:
        """Store answers in one transaction, while other orders are on their way; whether more are to be sent.

        It need not wait for the disk: what a server that crashes has lost is `submitting` again, and looked up.
        """
        with commit_together(self._connection, is_lazy=True):
            for submit, answer in answers:
                error = answer.exception()
                if error is None:
                    crash_point("trading.order_sent")
                    self._journal.done.sent.append(submit.known.order.intent_id)
                    self._settling.adopt(submit.known, answer.result())
                elif isinstance(error, BrokerError):
                    self._store_error(submit.known, error)
                else:
                    self._fault = self._fault or error
            # A halt may have come since these were gated: then the rest is held back.
            states = ask_states(self._connection, self._name, is_shared=self._is_shared) if left else None
        crash_point("trading.order_acknowledged")
        is_same = states is None or read_states(states) == self._states
        return is_same and self._goes_on()

    def _store_error(self, known: OpenOrder, error: BrokerError) -> None:
        journal = self._journal
        if isinstance(error, Rejected):
            journal.record(known, OrderState.REJECTED, reason=str(error), message=error.message)
            return
        if isinstance(error, NotSent | RateLimited):
            journal.record(known, OrderState.PLANNED, reason=str(error), message=error.message)
        else:
            journal.record(known, OrderState.UNKNOWN, reason=f"submit: {error}", message=error.message)
        journal.wait(known, error)
        self._limit = error if isinstance(error, RateLimited) else self._limit

    def _hold_back(self, held: Sequence[Submit]) -> Sequence[OpenOrder]:
        """Have those that were not begun be planned again: nothing of them was sent."""
        if not held:
            return []
        planned = self._journal.record_all([submit.known for submit in held], OrderState.PLANNED, self._why_held())
        for known in planned if self._limit else ():
            self._journal.wait(known, self._limit)
        self._connection.commit()
        return planned

    def _why_held(self) -> str:
        if self._limit is not None:
            return f"held back: the venue takes no more: {self._limit}"
        if self._fault is not None:
            return "held back: a fault of Strades in another order"
        return "held back: the wallet's state has changed, or the pass has taken too long"
