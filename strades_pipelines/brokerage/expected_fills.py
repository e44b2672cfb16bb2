"""What the backtest's fill model fills of orders that were really sent: each at the instant of its decision. Pure.

The account is the one that the orders were sent for: the same cash, positions and orders, in the same order, matched
with the bars as they became known. So a recorded fill that is another one was made otherwise, not decided otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.brokers.paper.bar_fills import Matched, PaperFill, PaperMatcher, PaperOrder
from strades_pipelines.market.bars_and_fills import Bar
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_terms import Order


@dataclass(frozen=True, slots=True)
class SentOrder:
    """An order that was sent, and when its strategy or a person no longer wanted it; None: never."""

    order: Order
    cancelled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class BookedFill:
    """A fill of another order, which changed the account when it was known; `signed` units of listing `i`."""

    known_at: datetime
    i: int
    signed: Decimal
    price: Decimal
    fee: Decimal


def expected_fills(
    listings: Sequence[Listing],
    orders: Sequence[SentOrder],
    bars: Sequence[Bar],
    *,
    cash: Decimal,
    positions: Sequence[Decimal],
    fee_rate: Decimal,
    others: Sequence[BookedFill] = (),
) -> list[PaperFill]:
    """All fills, in the order in which they became known.

    Args:
        bars: as they became known.
        cash, positions: before the first order.
        others: fills of orders that are not among `orders`.
    """
    account = _Account(listings, cash=cash, positions=positions, fee_rate=fee_rate)
    # At one instant what was booked and the bars come first, then what is cancelled, then what was decided on them.
    steps: list[tuple[datetime, int, Bar | SentOrder | BookedFill]] = [(fill.known_at, 0, fill) for fill in others]
    steps += [(bar.knowledge_time, 1, bar) for bar in bars]
    steps += [(sent.cancelled_at, 2, sent) for sent in orders if sent.cancelled_at is not None]
    steps += [(sent.order.decided_at, 3, sent) for sent in orders]
    # Without the third: bars and orders do not compare, and of one kind the given order counts.
    for _, kind, what in sorted(steps, key=lambda step: step[:2]):
        if isinstance(what, BookedFill):
            account.book(what)
        elif isinstance(what, Bar):
            account.match(what)
        elif kind == 2:
            account.cancel(what.order)
        else:
            account.accept(what.order)
    return account.fills


class _Account:
    def __init__(
        self, listings: Sequence[Listing], *, cash: Decimal, positions: Sequence[Decimal], fee_rate: Decimal
    ) -> None:
        self.fills: list[PaperFill] = []
        self._listings, self._fee_rate = listings, fee_rate
        self._cash, self._positions = cash, list(positions)
        self._working: list[PaperOrder] = []
        self._filled: set[str] = set()
        self._closes: dict[int, float] = {}

    def book(self, fill: BookedFill) -> None:
        """Take a fill of another order."""
        self._cash -= fill.signed * fill.price + fill.fee
        self._positions[fill.i] += fill.signed

    def match(self, bar: Bar) -> None:
        """Fill what the bar fills."""
        if any(order.i == bar.i and order.accepted_at <= bar.open_time for order in self._working):
            self._apply(self._matcher().match([bar]))
        self._closes[bar.i] = bar.close

    def cancel(self, order: Order) -> None:
        """Cancel what is left of an order."""
        if any(working.client_order_id == order.intent_id for working in self._working):
            self._apply(self._matcher().cancel(order.intent_id))

    def accept(self, order: Order) -> None:
        """Take an order."""
        parent = order.terms.parent_id
        waits = parent is not None and parent not in self._filled
        if waits and all(working.client_order_id != parent for working in self._working):
            return  # its parent ended without a fill
        matching = {"is_for_target": order.is_for_target}
        if order.i in self._closes:
            matching["best"] = self._closes[order.i]  # type: ignore[assignment]
        state = "waiting" if waits else "open"
        self._working.append(
            PaperOrder(
                order.intent_id, order.i, order.side, order.quantity, order.terms, state, order.decided_at, matching
            )
        )

    def _matcher(self) -> PaperMatcher:
        return PaperMatcher(
            self._listings,
            cash=self._cash,
            positions=self._positions,
            fee_rate=self._fee_rate,
            orders=self._working,
        )

    def _apply(self, matched: Matched) -> None:
        after = {order.client_order_id: order for order in matched.working}
        for fill in matched.fills:
            self.fills.append(fill)
            self._filled.add(fill.client_order_id)
            self._cash -= fill.signed * fill.price + fill.fee
            self._positions[fill.i] += fill.signed
        # The matcher puts orders for targets first; the venue keeps the order in which it took them.
        known = [after.get(order.client_order_id, order) for order in self._working]
        self._working = [order for order in known if order.client_order_id not in matched.ended]
