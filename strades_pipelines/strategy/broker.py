"""How an order is filled from a bar: whether, at what price, how much of it, and what it costs."""

import math

from strades_pipelines.market.fees import Fee
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.orders import ON_CLOSE, ON_OPEN, Order

NEXT_OPEN, SAME_CLOSE = 0, 1


class SimulatedBroker:
    """Fills orders from bars, by the worst path through a bar unless `best_path`.

    A bar does not say in which order its prices came. By the worst path a limit is done only when the price went
    through it, a stop before a limit of the same group, and what an entry inside a bar would gain is not counted until the
    next one; by the best path the other way round.

    Args:
        fee: an object with `of(quantity, price, maker)`; see `market.fees`.
        fill: NEXT_OPEN, or SAME_CLOSE for targets that are done at the close they were decided on.
        participation: the share of a bar's volume that all fills in it may take; infinite for no limit.
        spread: the whole spread as a part of the price; half of it is paid.
        slippage: a part of the price that is lost by whoever takes.
        slippage_amount: the same as an amount.
        impact: a part of the price, times the square of the share of the bar's volume that the fill takes.
        latency: microseconds from a decision until its order is at the venue.
        best_path: see above.
    """

    def __init__(
        self,
        fee: Fee | None = None,
        *,
        fill: int = NEXT_OPEN,
        participation: float = math.inf,
        spread: float = 0.0,
        slippage: float = 0.0,
        slippage_amount: float = 0.0,
        impact: float = 0.0,
        latency: int = 0,
        best_path: bool = False,
    ) -> None:
        self.fee = fee or Fee()
        self.fill = fill
        self.participation = float(participation)
        self.spread = float(spread)
        self.slippage = float(slippage)
        self.slippage_amount = float(slippage_amount)
        self.impact = float(impact)
        self.latency = latency
        self.best_path = best_path

    def is_stop(self, order: Order) -> bool:
        """Whether an order still waits for its stop."""
        return not order.triggered and (not math.isnan(order.stop) or not math.isnan(order.trail))

    def is_limit(self, order: Order) -> bool:
        """Whether an order has a limit and no stop to wait for."""
        return not math.isnan(order.limit) and not self.is_stop(order)

    def price(self, order: Order, bar: Bar) -> float:
        """The price at which the bar fills an order, slippage apart; NaN when it does not."""
        if order.on == ON_CLOSE:
            return bar.close if self.within(order, bar.close) else math.nan
        if order.on == ON_OPEN:
            return bar.open if self.within(order, bar.open) else math.nan
        if self.is_stop(order):
            return self.stop_price(order, bar)
        if not math.isnan(order.limit):
            return self.limit_price(order, bar)
        return bar.open

    def within(self, order: Order, price: float) -> bool:
        """Whether a price is within the order's limit."""
        if math.isnan(order.limit):
            return True
        if order.quantity > 0:
            return price <= order.limit
        return price >= order.limit

    def limit_price(self, order: Order, bar: Bar) -> float:
        """The open where it is good enough, else the limit when the bar went through it."""
        if self.within(order, bar.open):
            return bar.open
        if order.quantity > 0:
            reached = bar.low < order.limit or (self.best_path and bar.low == order.limit)
        else:
            reached = bar.high > order.limit or (self.best_path and bar.high == order.limit)
        return order.limit if reached else math.nan

    def stop_price(self, order: Order, bar: Bar) -> float:
        """The stop, or the open where it lies behind it; a stop that was passed stays so, its limit may still hold it."""
        stop = self.stop_level(order)
        if order.quantity > 0:
            touched = bar.high >= stop
            price = max(bar.open, stop)
        else:
            touched = bar.low <= stop
            price = min(bar.open, stop)
        if not touched:
            self.follow(order, bar)
            return math.nan
        order.triggered = True
        return price if self.within(order, price) else math.nan

    def stop_level(self, order: Order) -> float:
        """Where the stop stands: given, or a distance behind the best price so far."""
        if math.isnan(order.trail):
            return order.stop
        if order.quantity > 0:
            return order.best + order.trail
        return order.best - order.trail

    def follow(self, order: Order, bar: Bar) -> None:
        """Let a trailing stop follow the bar; it counts from the next bar on."""
        if order.quantity > 0:
            order.best = min(order.best, bar.low)
        else:
            order.best = max(order.best, bar.high)

    def worse(self, price: float, quantity: float, volume: float) -> float:
        """The price that whoever takes gets: spread, slippage and impact."""
        lost = price * (0.5 * self.spread + self.slippage) + self.slippage_amount
        if self.impact > 0.0 and volume > 0.0:
            share = abs(quantity) / volume
            lost += price * self.impact * share * share
        return price + lost if quantity > 0.0 else price - lost

    def slipped(self, order: Order, price: float, quantity: float, volume: float, maker: bool) -> float:
        """The price with what taking costs; a limit stays a limit."""
        if maker:
            return price
        price = self.worse(price, quantity, volume)
        if math.isnan(order.limit):
            return price
        return min(price, order.limit) if quantity > 0.0 else max(price, order.limit)
