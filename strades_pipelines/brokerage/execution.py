"""The one way from decisions to fills: for the Dagster job, the live loop and the command alike.

An order's life: the intent is committed; the order row `submitting` is committed; only then the venue is called.
Whatever happens after that, the order is settled by the venue's word alone: what is not known stays `unknown`.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import psycopg

from strades_pipelines.brokerage.brokers.venue import VenueBroker, VenueFill, VenueOrder, VenueRejectedError
from strades_pipelines.brokerage.intents import books_with_orders, intend
from strades_pipelines.brokerage.ledger import post_fill
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.events import Fill
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.orders import Order

NOT_OVER = """
    SELECT intent_id, state FROM trading.orders
    WHERE wallet = %s AND state IN ('submitting', 'unknown', 'open') ORDER BY submitted_at, intent_id
"""
SET_ORDER = """
    INSERT INTO trading.orders AS o
        (intent_id, wallet, broker, venue_order_id, state, reason, submitted_at, updated_at)
    VALUES (%(intent)s, %(wallet)s, %(broker)s, %(venue_id)s, %(state)s, %(reason)s, %(now)s, %(now)s)
    ON CONFLICT (intent_id) DO UPDATE SET
        venue_order_id = coalesce(EXCLUDED.venue_order_id, o.venue_order_id),
        state = EXCLUDED.state, reason = EXCLUDED.reason, updated_at = EXCLUDED.updated_at
    WHERE (o.state, o.reason) IS DISTINCT FROM (EXCLUDED.state, EXCLUDED.reason)
"""


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

    Under the wallet's lock: ask the venue about every order that is not over and record its fills; turn due decisions
    into intents or refusals, commit; send each intent. Commits as it goes.

    Raises:
        ValueError: for a replay wallet, which is never edited.
    """
    with wallet_lock(connection, name):
        wallet = load_wallet(connection, name)
        if wallet.mode == "replay":
            raise ValueError(f"wallet {name}: expected the mode paper, was replay; what it did is over")
        execution = _Execution(connection, venue, wallet, now)
        execution.settle()
        execution.intend()
        execution.send()
        return execution.done


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

    def settle(self) -> None:
        """Ask the venue about every order that is not over."""
        orders = self._under_way()
        for intent_id, state in self._connection.execute(NOT_OVER, [self._wallet.name]).fetchall():
            try:
                found = self._venue.lookup(intent_id, at=self._now)
            except Exception as error:
                self._set(intent_id, "unknown" if state == "submitting" else state, f"no answer: {error}")
            else:
                if found is not None:
                    self._adopt(orders[intent_id], found)
                elif state == "open":
                    self._set(intent_id, state, "the venue does not know an order it had accepted")
                else:
                    self._send(orders[intent_id], "the venue never had it")
            self._connection.commit()

    def intend(self) -> None:
        """Commit an intent, or a refusal, for each decision that is due."""
        orders, refusals = intend(self._connection, self._wallet, now=self._now)
        crash_point("trading.intents_written")
        self._connection.commit()
        crash_point("trading.intents_committed")
        self.done.intents += [order.intent_id for order in orders]
        self.done.refusals.update({refusal.decision_id: refusal.code for refusal in refusals})

    def send(self) -> None:
        """Send the intents that have no order yet."""
        known = {row[0] for row in self._connection.execute(NOT_OVER, [self._wallet.name])}
        for order in self._under_way().values():
            if order.intent_id not in known:
                self._send(order, "it was never sent")

    def _under_way(self) -> dict[str, Order]:
        return books_with_orders(self._connection, self._wallet, {})[0].open_orders

    def _send(self, order: Order, so_far: str) -> None:
        """Send an order the venue has never had, unless the wallet was halted or the decision has grown too old."""
        halted = self._is_halted()
        if halted or self._now - order.decided_at > self._wallet.max_age:
            state, reason = ("cancelled", "wallet_halted") if halted else ("expired", "stale")
            self._set(order.intent_id, state, f"{reason}; {so_far}")
            self._connection.commit()
            return
        self._set(order.intent_id, "submitting", None)
        self._connection.commit()
        crash_point("trading.order_submitting")
        try:
            found = self._venue.submit(order, at=self._now)
        except VenueRejectedError as error:
            self._set(order.intent_id, "rejected", str(error))
        except Exception as error:
            self._set(order.intent_id, "unknown", f"submit: {error!r}")
        else:
            crash_point("trading.order_sent")
            self.done.sent.append(order.intent_id)
            self._adopt(order, found)
        self._connection.commit()
        crash_point("trading.order_acknowledged")

    def _is_halted(self) -> bool:
        """Whether the wallet is halted; the row is held until the order's is committed, so no halt falls between."""
        row = self._connection.execute(
            "SELECT state FROM trading.wallets WHERE wallet = %s FOR SHARE", [self._wallet.name]
        ).fetchone()
        return row is None or row[0] != "active"

    def _adopt(self, order: Order, found: VenueOrder) -> None:
        """Record the fills we do not have, one transaction each, then the venue's state."""
        for i, part in enumerate(found.fills):
            fill = _fill(order, part, self._wallet.currency, self._now)
            if post_fill(self._connection, self._wallet, fill, now=self._now):
                self.done.fills.append(fill.content_id)
            if i == len(found.fills) - 1:
                self._set(order.intent_id, found.state, found.reason, found.venue_order_id)
            crash_point("trading.fill_written")
            self._connection.commit()
            crash_point("trading.fill_recorded")
        if not found.fills:
            self._set(order.intent_id, found.state, found.reason, found.venue_order_id)

    def _set(self, intent_id: str, state: str, reason: str | None, venue_id: str | None = None) -> None:
        """Write the order's state; its row is made with the first one."""
        if state in ("submitting", "unknown"):
            self.done.unsettled[intent_id] = reason or state
        else:
            self.done.unsettled.pop(intent_id, None)
        values = {"intent": intent_id, "state": state, "reason": reason, "venue_id": venue_id, "now": self._now}
        self._connection.execute(SET_ORDER, values | {"wallet": self._wallet.name, "broker": self._venue.name})


def _fill(order: Order, part: VenueFill, currency: str, now: datetime) -> Fill:
    return Fill(
        i=order.i,
        listing_id=order.listing_id,
        content_id=base32_id(order.intent_id, part.venue_fill_id),
        intent_id=order.intent_id,
        side=order.side,
        quantity=part.quantity,
        price=part.price,
        fee=part.fee,
        currency=currency,
        filled_at=part.filled_at,
        knowledge_time=now,
        bar_interval=part.bar_interval,
        bar_open_time=part.bar_open_time,
    )
