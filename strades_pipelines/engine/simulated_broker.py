"""How an order is filled from a bar: when in it, at what price, and what taking costs."""

import math

from strades_pipelines.market.fees import Fee
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.orders import (
    ANY,
    AT_CLOSE,
    AT_OPEN,
    FIRST,
    FOK,
    FRESH_FIRST,
    FRESH_SECOND,
    IOC,
    NEVER,
    ON_CLOSE,
    ON_OPEN,
    SECOND,
    Order,
)

NEXT_OPEN, SAME_CLOSE, RECORDED = 0, 1, 2
# What an order is looked at with: a bar, or the one price of a trade or quote.
OF_BAR, OF_TRADE, OF_QUOTE = 0, 1, 2


class SimulatedBroker:
    """Fills orders from bars, trades and quotes, by the worst path through a bar unless `best_path`.

    A bar does not say in which order its prices came, only that they went from the open to its two extremes and to the
    close. What its open decides comes first. By the worst path stops come then, and limits after them, which are done
    only when the price went through them; by the best path the other way round. After an entry inside the bar the
    extreme that the price was heading for is sure to come, on either path: the low after a stop to sell or a limit to
    buy. The other one comes after it by the worst path as far as it reaches a stop, by the best as far as it reaches a
    limit; then only the close is sure. A trailing stop that the bar does not reach where it stands has followed the
    bar's best price when the price comes back: as far as the other extreme by the worst path, to the close by the best.
    A limit that rested when a trade or quote went beyond it is done at its limit; at a trade at the very limit only by
    the best path.

    Args:
        fee: an object with `of(quantity, price, maker)`; see `market.fees`.
        fill: NEXT_OPEN; SAME_CLOSE for targets that are done at the close they were decided on; or RECORDED, when
            nothing is filled here and fills come as events.
        participation: the share of a bar's volume that all fills in it may take; infinite for no limit.
        spread: the whole spread as a part of the price; half of it is paid.
        slippage: a part of the price that is lost by whoever takes.
        slippage_amount: the same as an amount.
        impact: a part of the price, times the square of the share of the bar's volume that the fill takes.
        latency: microseconds from a decision until its order is at the venue; a bar fills what was there at its open.
        best_path: see above.

    Raises:
        ValueError: for a number that is negative or NaN.
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
        self.participation = _checked("participation", participation)
        self.spread = _checked("spread", spread)
        self.slippage = _checked("slippage", slippage)
        self.slippage_amount = _checked("slippage_amount", slippage_amount)
        self.impact = _checked("impact", impact)
        self.latency = int(_checked("latency", latency))
        self.best_path = best_path

    @property
    def measures(self) -> bool:
        """Whether fills depend on volumes."""
        return math.isfinite(self.participation) or self.impact > 0.0

    def is_stop(self, order: Order) -> bool:
        """Whether an order still waits for its stop."""
        return not order.triggered and (not math.isnan(order.stop) or not math.isnan(order.trail))

    def is_limit(self, order: Order) -> bool:
        """Whether an order has a limit and no stop to wait for."""
        return not math.isnan(order.limit) and not self.is_stop(order)

    def is_settled(self, order: Order) -> bool:
        """Whether the end of a bar that did not fill an order leaves it as it is."""
        if order.on != ANY or not math.isnan(order.entered):
            return False
        if self.is_stop(order):
            return math.isnan(order.trail)
        return order.rested and order.time_in_force != IOC and order.time_in_force != FOK

    def turn(self, order: Order, bar: Bar, source: int) -> int:
        """When in a bar an order that was there at its open has its turn; NEVER when the bar does not reach it."""
        if order.on != ANY:
            if source != OF_BAR:
                return NEVER
            return AT_OPEN if order.on == ON_OPEN else AT_CLOSE
        if self.is_stop(order):
            if self.passed(order, bar.open):
                return AT_OPEN
            against = bar.high if order.quantity > 0.0 else bar.low
            if not math.isnan(order.trail) and (self.best_path or not self.passed(order, against)):
                # By the best path the better price came first; what is reached where it stands is so on either.
                sure = not self.best_path or self.passed(order, against)
                return self.followed_turn(order, bar, against if sure else bar.close)
            if not self.passed(order, against):
                return NEVER
            return SECOND if self.best_path else FIRST
        if self.within(order, bar.open):
            unsure = source == OF_TRADE and order.rested and bar.open == order.limit and not self.best_path
            return NEVER if unsure else AT_OPEN
        if order.time_in_force == IOC or order.time_in_force == FOK:
            return NEVER
        if not self.reached(order, bar.low if order.quantity > 0.0 else bar.high):
            return NEVER
        return FIRST if self.best_path else SECOND

    def followed_turn(self, order: Order, bar: Bar, back: float) -> int:
        """The same for a trailing stop that followed the bar's best price, from which the price came `back` so far."""
        if order.quantity > 0.0:
            best = min(order.best, bar.low)
            if back < best + order.trail:
                return NEVER
        else:
            best = max(order.best, bar.high)
            if back > best - order.trail:
                return NEVER
        order.best = best
        order.entered = best
        return FRESH_FIRST

    def fresh_turn(self, order: Order, bar: Bar) -> int:
        """The same for one whose parent was filled inside the bar, at the price it `entered`."""
        buys = order.quantity > 0.0
        far = bar.low if buys else bar.high
        if self.is_stop(order):
            against = bar.high if buys else bar.low
            if self.passed(order, order.entered):
                return FRESH_FIRST
            if self.passed(order, against) and (not self.best_path or order.heading == (1 if buys else -1)):
                return FRESH_SECOND if self.best_path else FRESH_FIRST
            if not math.isnan(order.trail) and order.heading == (-1 if buys else 1):
                return self.followed_turn(order, bar, bar.close if self.best_path else against)
            return FRESH_SECOND if self.best_path and self.passed(order, bar.close) else NEVER
        if self.within(order, order.entered):
            return FRESH_FIRST
        if self.best_path:
            return FRESH_FIRST if self.reached(order, far) else NEVER
        sure = self.reached(order, bar.close) or (order.heading == (-1 if buys else 1) and self.reached(order, far))
        return FRESH_SECOND if sure else NEVER

    def price(self, order: Order, bar: Bar, source: int) -> float:
        """The price at which an order is done in its turn, slippage apart; NaN when its limit holds it back."""
        start = bar.open if math.isnan(order.entered) else order.entered
        if order.on == ON_CLOSE:
            start = bar.close
        if self.is_stop(order):
            level = self.stop_level(order)
            order.triggered = True
            start = max(start, level) if order.quantity > 0.0 else min(start, level)
        elif self.rests(order, source) or (order.on == ANY and not self.within(order, start)):
            start = order.limit
        return start if self.within(order, start) else math.nan

    def rests(self, order: Order, source: int) -> bool:
        """Whether an order has been in the book, so that whoever trades beyond its limit trades with it first."""
        return source != OF_BAR and order.rested and not math.isnan(order.limit)

    def within(self, order: Order, price: float) -> bool:
        """Whether a price is within the order's limit."""
        if math.isnan(order.limit):
            return True
        return price <= order.limit if order.quantity > 0.0 else price >= order.limit

    def reached(self, order: Order, price: float) -> bool:
        """Whether a price that the bar reached fills a limit: it is beyond the limit, or by the best path at it."""
        if price == order.limit:
            return self.best_path
        return self.within(order, price)

    def passed(self, order: Order, price: float) -> bool:
        """Whether a price is at an order's stop or beyond."""
        level = self.stop_level(order)
        return price >= level if order.quantity > 0.0 else price <= level

    def stop_level(self, order: Order) -> float:
        """Where the stop stands: given, or a distance behind the best price so far."""
        if math.isnan(order.trail):
            return order.stop
        if order.quantity > 0.0:
            return order.best + order.trail
        return order.best - order.trail

    def follow(self, order: Order, bar: Bar) -> None:
        """Let a trailing stop follow the bar, or what surely came after its entry inside; from the next on."""
        inside = not math.isnan(order.entered)
        if order.quantity > 0.0:
            order.best = min(order.best, bar.close if inside and order.heading != -1 else bar.low)
        else:
            order.best = max(order.best, bar.close if inside and order.heading != 1 else bar.high)

    def worse(self, price: float, quantity: float, volume: float) -> float:
        """The price that whoever takes gets: spread, slippage, impact. What has a price is never sold below 0."""
        lost = abs(price) * (0.5 * self.spread + self.slippage) + self.slippage_amount
        if self.impact > 0.0 and volume > 0.0:
            share = abs(quantity) / volume
            lost += abs(price) * self.impact * share * share
        if quantity > 0.0:
            return price + lost
        return price - min(lost, price) if price > 0.0 else price - lost

    def slipped(self, order: Order, price: float, quantity: float, volume: float, maker: bool) -> float:
        """The price with what taking costs; a limit stays a limit."""
        if maker:
            return price
        price = self.worse(price, quantity, volume)
        if math.isnan(order.limit):
            return price
        return min(price, order.limit) if quantity > 0.0 else max(price, order.limit)


def _checked(name: str, value: float) -> float:
    if not value >= 0.0:
        raise ValueError(f"{name}: expected a number of 0 or more, was {value}")
    return float(value)
