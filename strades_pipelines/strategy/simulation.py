"""The parts of a session over the past: a clock that ends, a broker that fills from bars, a state in memory."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from strades_pipelines.market.books import Books
from strades_pipelines.market.events import Bar, Event, Fill
from strades_pipelines.market.fills import fill_at_open
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.orders import Order, Refusal, TradingDecision
from strades_pipelines.market.risk import Limits, gate
from strades_pipelines.market.rounding import exact
from strades_pipelines.strategy.strategy import Strategy


@dataclass(frozen=True)
class WindowClock:
    """Everything known before `end`."""

    end: datetime

    def has_reached(self, time: datetime) -> bool:
        """Whether `time` lies in the window."""
        return time < self.end


@dataclass
class Journal:
    """What a session wrote down."""

    wallet: str
    opened_at: datetime
    strategy: Strategy
    decisions: list[TradingDecision] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    times: list[datetime] = field(default_factory=list)
    cash: list[float] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    prices: list[list[float]] = field(default_factory=list)

    def decided(self, decision: TradingDecision) -> None:
        """Keep a decision."""
        self.decisions.append(decision)

    def filled(self, fill: Fill) -> None:
        """Keep a fill."""
        self.fills.append(fill)

    def valued(self, time: datetime, cash: float, equity: float, prices: Sequence[float]) -> None:
        """Keep the account's value at `time`."""
        self.times.append(time)
        self.cash.append(cash)
        self.equity.append(equity)
        self.prices.append(list(prices))


class SimulatedBroker:
    """Passes decisions through the risk gate and fills the orders at the open of the listing's next bar."""

    def __init__(self, listings: Sequence[Listing], books: Books, limits: Limits) -> None:
        self.books = books
        self.orders: dict[str, Order] = {}
        self.refusals: list[Refusal] = []
        self.rejected: dict[str, tuple[str, datetime]] = {}
        self._listings, self._limits = listings, limits

    def report(self, event: Event) -> Iterator[Fill]:
        """On a bar, the fills of its listing's open orders, in the order they came."""
        if not isinstance(event, Bar) or not self.books.open_orders:
            return
        for order in [order for order in self.books.open_orders.values() if order.listing_id == event.listing_id]:
            if order.decided_at > event.open_time:
                continue
            fill = fill_at_open(
                order, event, self._listings[order.i], placed_at=order.decided_at, fee_rate=self._limits.fee_rate
            )
            if fill.side == "buy" and fill.quantity * fill.price + fill.fee > self.books.cash:
                self.rejected[order.intent_id] = ("insufficient_cash", event.knowledge_time)
                del self.books.open_orders[order.intent_id]
                continue
            self.books.apply(fill)
            yield fill

    def pursue(self, decision: TradingDecision, prices: Sequence[float]) -> None:
        """Open an order for what is missing to the target, or keep the refusal."""
        known = {
            listing.listing_id: exact(price)
            for listing, price in zip(self._listings, prices, strict=True)
            if not math.isnan(price)
        }
        outcome = gate(
            decision,
            self._listings[decision.i],
            self.books,
            prices=known,
            now=decision.decided_at,
            limits=self._limits,
            seen=self.orders,
        )
        if isinstance(outcome, Refusal):
            self.refusals.append(outcome)
        else:
            self.orders[outcome.intent_id] = outcome
            self.books.open_orders[outcome.intent_id] = outcome
