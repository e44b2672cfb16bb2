"""Which of a paper account's orders bars fill: the engine of the backtest steps through them, with no strategy.

Pure: orders, cash and positions go in, what became of them comes out. So an order means the same on paper as in a
backtest, by construction.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.journal import Journal
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.market.bars_and_fills import Bar, stamp
from strades_pipelines.market.fees import PercentFee, percent_fee
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_terms import OrderTerms
from strades_pipelines.market.rounding import to_ticks
from strades_pipelines.strategy import orders as engine_orders
from strades_pipelines.strategy.account import ORDERS, Account
from strades_pipelines.strategy.events import Bar as EngineBar
from strades_pipelines.strategy.events import microseconds, moment
from strades_pipelines.strategy.orders import CANCELLED, FILLED, OPEN, OTHER_DONE, OUTCOMES, STATES, WAITING
from strades_pipelines.strategy.strategy import Strategy

TIMES_IN_FORCE = {
    "gtc": engine_orders.GTC,
    "day": engine_orders.DAY,
    "ioc": engine_orders.IOC,
    "fok": engine_orders.FOK,
}
AUCTIONS = {None: engine_orders.ANY, "open": engine_orders.ON_OPEN, "close": engine_orders.ON_CLOSE}
# What the engine keeps of an order from bar to bar, beside its terms.
KEPT = ("best", "triggered", "rested", "day", "active_from")


@dataclass(frozen=True, slots=True)
class PaperOrder:
    """An order at the venue.

    Args:
        i: the listing's index in the account.
        quantity: the units still to do, positive.
        state: `open`, or `waiting` for its parent.
        matching: what the engine kept of it; at first only `best`, the last price, which a trailing stop starts from,
            and whether it `is_for_target`.
    """

    client_order_id: str
    i: int
    side: str
    quantity: Decimal
    terms: OrderTerms
    state: str
    accepted_at: datetime
    matching: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PaperFill:
    """What a bar filled of an order; `venue_fill_id` is unique for its order."""

    client_order_id: str
    i: int
    venue_fill_id: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    filled_at: datetime
    bar_interval: str
    bar_open_time: datetime

    @property
    def signed(self) -> Decimal:
        """The change of the position."""
        return self.quantity if self.side == "buy" else -self.quantity


@dataclass(frozen=True, slots=True)
class Matched:
    """The result of matching: the fills in order, the working orders, and how and why the other orders ended."""

    fills: Sequence[PaperFill]
    working: Sequence[PaperOrder]
    ended: Mapping[str, tuple[str, str | None]]


class _Journal(Journal):
    """Keeps the bar of each fill."""

    bar: Bar

    def __init__(self) -> None:
        super().__init__()
        self.bars: list[Bar] = []

    def fill(self, *row: Any) -> None:
        """A fill, in the bar at hand."""
        super().fill(*row)
        self.bars.append(self.bar)


class PaperMatcher:
    """The account as an engine.

    Args:
        orders: in the order in which the venue took them.
    """

    def __init__(
        self,
        listings: Sequence[Listing],
        *,
        cash: Decimal,
        positions: Sequence[Decimal],
        fee_rate: Decimal,
        orders: Sequence[PaperOrder],
    ) -> None:
        size = len(listings)
        gate = Gate(size, allow_short=False, leverage=1.0)
        for i, listing in enumerate(listings):
            gate.lot[i], gate.tick[i] = float(listing.lot), float(listing.tick)
        # The engine's queue has a fixed size, and a person can add orders beyond what a strategy may have.
        account = Account(size, float(cash), orders=max(ORDERS, len(orders)))
        account.position = [float(quantity) for quantity in positions]
        self._engine = Engine(Strategy(), account, SimulatedBroker(PercentFee(float(fee_rate))), gate)
        self._journal = self._engine.state.journal = _Journal()
        self._listings, self._fee_rate = listings, fee_rate
        # The order for a target comes first on a bar, as in the engine.
        self._orders = sorted(orders, key=lambda order: not order.matching.get("is_for_target"))
        self._groups = _numbers(order.terms.group for order in self._orders)
        self._numbers = {order.client_order_id: number for number, order in enumerate(self._orders, 1)}
        for order in self._orders:
            self._restore(order)

    def match(self, bars: Sequence[Bar]) -> Matched:
        """Match orders with final bars, in the order in which these became known, and return the result."""
        for bar in bars:
            self._journal.bar = bar
            times = microseconds(bar.knowledge_time), microseconds(bar.open_time)
            self._engine.on_bar(EngineBar(bar.i, *times, bar.open, bar.high, bar.low, bar.close, bar.volume))
        return self._outcome()

    def cancel(self, client_order_id: str) -> Matched:
        """Cancel an order, and with it what waits for it."""
        for place in range(self._engine.account.count):
            order = self._engine.account.orders[self._engine.account.queue[place]]
            if order.number == self._numbers.get(client_order_id):
                self._engine.explicit_orders.end(order, CANCELLED, engine_orders.ASKED_FOR)
        self._engine.explicit_orders.compact()
        return self._outcome()

    def _restore(self, order: PaperOrder) -> None:
        account, kept, terms = self._engine.account, order.matching, order.terms
        slot = account.free_slot()
        made = account.orders[slot]
        made.number, made.i = self._numbers[order.client_order_id], order.i
        made.quantity = float(order.quantity if order.side == "buy" else -order.quantity)
        made.limit, made.stop, made.trail = (
            math.nan if price is None else float(price) for price in (terms.limit, terms.stop, terms.trail)
        )
        made.time_in_force, made.on = TIMES_IN_FORCE[terms.time_in_force], AUCTIONS[terms.auction]
        made.reduce_only = terms.reduce_only
        made.group = self._groups.get(terms.group, 0)
        made.parent = self._numbers.get(terms.parent_id or "", 0)
        made.active_from = microseconds(order.accepted_at)
        for name in KEPT:
            if name in kept:
                setattr(made, name, math.nan if kept[name] is None else kept[name])
        made.state = WAITING if order.state == "waiting" else OPEN
        account.queue[account.count] = slot
        account.count += 1
        account.mark_busy(order.i)

    def _outcome(self) -> Matched:
        names: Counter[tuple[float, datetime]] = Counter()
        fills = []
        for row, bar in zip(self._journal.fills, self._journal.bars, strict=True):
            names[row[0], bar.open_time] += 1
            fills.append(self._fill(row, bar, names[row[0], bar.open_time]))
        ended: dict[str, tuple[str, str | None]] = {}
        for number, _, _, _, state, reason in self._journal.orders:
            if int(state) > OPEN:
                ended[self._orders[int(number) - 1].client_order_id] = _ended(int(state), int(reason))
        account = self._engine.account
        queued = {account.orders[account.queue[place]].number: account.queue[place] for place in range(account.count)}
        working = [
            self._working(order, account.orders[queued[number]])
            for number, order in enumerate(self._orders, 1)
            if number in queued and order.client_order_id not in ended
        ]
        done = {order.client_order_id: Decimal(0) for order in self._orders}
        for fill in fills:
            done[fill.client_order_id] += fill.quantity
        for order in self._orders:
            # Another order of its group filled the rest.
            if ended.get(order.client_order_id, ("",))[0] == "filled" and done[order.client_order_id] < order.quantity:
                ended[order.client_order_id] = "cancelled", OUTCOMES[OTHER_DONE]
        return Matched(fills, working, ended)

    def _fill(self, row: Sequence[float], bar: Bar, part: int) -> PaperFill:
        """A fill in exact numbers; `part` counts those of its order in this bar."""
        number, i, quantity, price, _, filled_at, *_ = row
        listing = self._listings[int(i)]
        # The engine calculates in floats; the venue's books are whole lots and ticks.
        exact_quantity, exact_price = to_ticks(abs(quantity), listing.lot), to_ticks(price, listing.tick)
        name = f"{bar.interval}@{stamp(bar.open_time)}"
        return PaperFill(
            self._orders[int(number) - 1].client_order_id,
            int(i),
            # The bar names the fill, so that a matching that was rolled back gives the same id when it is repeated.
            name if part == 1 else f"{name}:{part}",
            "buy" if quantity > 0 else "sell",
            exact_quantity,
            exact_price,
            percent_fee(exact_quantity, exact_price, self._fee_rate),
            moment(int(filled_at)),
            bar.interval,
            bar.open_time,
        )

    def _working(self, order: PaperOrder, made: engine_orders.Order) -> PaperOrder:
        listing = self._listings[order.i]
        kept = {name: _json(getattr(made, name)) for name in KEPT}
        kept["is_for_target"] = bool(order.matching.get("is_for_target"))
        rest = to_ticks(abs(made.quantity), listing.lot)
        state = "waiting" if made.state == WAITING else "open"
        return replace(order, quantity=rest, state=state, matching=kept)


def _numbers(names: Any) -> dict[str | None, int]:
    """A number from 1 for each name, 0 for None."""
    known: dict[str | None, int] = {None: 0}
    for name in names:
        known.setdefault(name, len(known))
    return known


def _ended(state: int, reason: int) -> tuple[str, str | None]:
    return STATES[state], None if state == FILLED else OUTCOMES[reason or OTHER_DONE]


def _json(value: Any) -> Any:
    # JSON has no NaN, and jsonb refuses Python's word for it.
    return None if isinstance(value, float) and math.isnan(value) else value
