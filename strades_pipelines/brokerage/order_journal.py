"""What one pass writes of a wallet's orders: their events, when to ask again, and the account of what it did."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

from strades_pipelines.brokerage.brokers.venue import VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError, RateLimited
from strades_pipelines.brokerage.order_book import OpenOrder, open_orders, postpone
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import insert_many, order_event_row
from strades_pipelines.database.pipelining import commit_together
from strades_pipelines.market.order_states import UNSETTLED, OrderState

Elapsed = Callable[[], float]


def stopwatch() -> Elapsed:
    """A function that returns the seconds since this call."""
    began = monotonic()
    return lambda: monotonic() - began


@dataclass
class Executed:
    """What one pass did: intents made, orders sent, fills recorded; refusals and unsettled orders with reasons."""

    intents: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    fills: list[str] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    unsettled: dict[str, str] = field(default_factory=dict)


class OrderJournal:
    """The events of a wallet's orders in one pass. Commits nothing unless a method says so.

    Args:
        now: when the pass began, UTC: each event is recorded at it, but for `submitting`.
        elapsed: seconds since then.
    """

    def __init__(self, connection: Connection, wallet: Wallet, now: datetime, elapsed: Elapsed) -> None:
        self.connection, self.wallet, self.now, self.elapsed = connection, wallet, now, elapsed
        self.done = Executed()
        self.is_limited = False  # the venue takes no more requests in this pass

    def open_orders(self) -> Sequence[OpenOrder]:
        """The orders that are not over, a parent before what waits for it."""
        return list(open_orders(self.connection, self.wallet))

    def claim(self, known: OpenOrder) -> bool:
        """Whether the order is due and nobody else, a person with psql say, is at it. Commits."""
        if known.state in UNSETTLED and known.state is not OrderState.PLANNED:
            self.done.unsettled[known.order.intent_id] = known.reason or known.state.value
        if self.is_limited or not known.is_due(self.now):
            return False
        with commit_together(self.connection, is_lazy=True):  # a venue may take its time: nothing is held meanwhile
            free = self.connection.execute(
                "SELECT state FROM trading.orders WHERE intent_id = %s FOR UPDATE SKIP LOCKED", [known.order.intent_id]
            )
        return free.fetchone() == (known.state.value,)

    def record(
        self,
        known: OpenOrder,
        state: OrderState,
        *,
        reason: str | None = None,
        filled: Decimal | None = None,
        found: VenueOrder | None = None,
        message: bytes | None = None,
    ) -> OpenOrder:
        """Record an event of the order where it says something new; returns the order after it.

        Args:
            found: what the venue says, whose reason and message count then.
        """
        after = replace(
            known,
            state=state,
            filled=known.filled if filled is None else filled,
            reason=found.reason if found else reason,
            venue_order_id=(found.venue_order_id if found else None) or known.venue_order_id,
        )
        self._count(after)
        # An unknown order is recorded each time: why it is unknown may have changed.
        if (known.state, known.filled, known.venue_order_id) == (after.state, after.filled, after.venue_order_id) and (
            state is not OrderState.UNKNOWN
        ):
            return known
        at = found.at if found else None
        row = self._row(after, at, found.message if found else message, self.now)
        insert_many(self.connection, "trading.order_events", [row])
        return after

    def record_all(
        self, orders: Sequence[OpenOrder], state: OrderState, reason: str | None = None
    ) -> Sequence[OpenOrder]:
        """Record that orders pass into a state, in one go; returns them after it.

        `submitting` is recorded at the time of the send, from which a venue's grace counts: a pass may have waited for
        a lock or for other answers before, and an order must not look that old (chaos, seed 476).
        """
        changed = [replace(known, state=state, reason=reason) for known in orders]
        at = self.now
        if state is OrderState.SUBMITTING:
            at += timedelta(seconds=int(self.elapsed()))
            changed = [replace(after, sent_at=at) for after in changed]
        for after in changed:
            self._count(after)
        insert_many(self.connection, "trading.order_events", [self._row(after, None, None, at) for after in changed])
        return changed

    def postpone(
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
                self.record(known, OrderState.UNKNOWN, reason=reason, message=message)
            self.done.unsettled[known.order.intent_id] = reason
        self.wait(known, error)

    def wait(self, known: OpenOrder, error: BrokerError | None) -> None:
        """Ask about the order again later: when the venue says, or twice as long as the last time."""
        self.is_limited = self.is_limited or isinstance(error, RateLimited)
        wait = error.retry_after if isinstance(error, RateLimited) else None
        postpone(self.connection, known.order.intent_id, now=self.now, wait=wait)

    def _count(self, after: OpenOrder) -> None:
        if after.state in (OrderState.SUBMITTING, OrderState.UNKNOWN):
            self.done.unsettled[after.order.intent_id] = after.reason or after.state.value
        else:
            self.done.unsettled.pop(after.order.intent_id, None)

    def _row(
        self, after: OpenOrder, venue_time: datetime | None, message: bytes | None, at: datetime
    ) -> dict[str, Any]:
        return order_event_row(
            after.order.intent_id,
            after.state,
            at,
            filled=after.filled,
            venue_order_id=after.venue_order_id,
            venue_time=venue_time,
            reason=after.reason,
            message=message,
        )
