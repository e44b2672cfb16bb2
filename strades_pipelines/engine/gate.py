"""The gate between a decision and an order: rounds to lots, and refuses what exceeds the account's limits."""

import math
from dataclasses import fields, replace
from typing import Any, ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.order_exposure import is_at_market, least_position, left_for, most_position
from strades_pipelines.market.limits import WITHIN_LIMITS, Measured, exceeded, no_limits
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import BEGINNING, DAY_LENGTH
from strades_pipelines.strategy.orders import (
    ACCEPTED,
    ANY,
    BELOW_ZERO,
    CONTRADICTORY,
    MARGIN_SHORT,
    NO_CASH,
    NO_PRICE,
    NOT_FINITE,
    NOT_REDUCING,
    OPEN,
    OTHER_DONE,
    Order,
)

# A weight of 1.0 may exceed the equity by the rounding of its product.
SLACK = 1.0 + 1e-12
MINUTE = 60_000_000  # microseconds


def multiple(count: int, unit: float) -> float:
    """The float nearest to `count` units: 1.5 for 150,000 units of 0.00001, where the product is a little more."""
    if unit < 1.0:
        parts = math.floor(1.0 / unit + 0.5)
        if abs(parts * unit - 1.0) < 1e-9:
            return count / parts
    return count * unit


class Gate:
    """The limits of an account, by the rules of `market.limits`, which `market.risk` keeps in exact numbers.

    Args:
        size: number of instruments.
        allow_short: whether positions may be negative.
        lot: the unit of quantities; 0: any quantity.
        tick: the unit of prices; 0: any price.
        margin: the fraction of a position's value that equity must cover; 0: none.
        fits_cash: cut a purchase for a target to the cash available after fees, instead of refusing it.
        limits: fields of `market.limits.Limits`, infinite by default. A `leverage` of 1 or less also keeps cash from
            going below zero.

    Raises:
        TypeError: an unknown limit.
    """

    constants: ClassVar = ("asks_margin", "tracks_equity")

    def __init__(
        self,
        size: int,
        *,
        allow_short: bool = True,
        lot: float = 0.0,
        tick: float = 0.0,
        margin: float = 0.0,
        fits_cash: bool = False,
        **limits: float,
    ) -> None:
        self.limits = replace(no_limits(), **{name: float(value) for name, value in limits.items()})
        self.allow_short = allow_short
        self.fits_cash = fits_cash
        self.is_cash_account = self.limits.leverage <= 1.0
        # Whether sales at the market count before purchases; see `CashRules.shares_cash`.
        self.counts_sales = False
        self.lot = [float(lot)] * size
        self.tick = [float(tick)] * size
        self.margin = [float(margin)] * size
        self.restricted = [0] * size
        self.asks_margin = margin > 0.0
        self.is_limited = self.limits != no_limits()
        self.limits_exposure = any(
            math.isfinite(one) for one in (self.limits.leverage, self.limits.max_gross, self.limits.max_net)
        )
        self.tracks_equity = math.isfinite(self.limits.max_daily_loss) or math.isfinite(self.limits.max_drawdown)
        nothing: dict[str, Any] = {each.name: 0.0 for each in fields(Measured)}
        self.measured: Measured[float] = Measured(**nothing | {"restricted": False, "slack": SLACK})
        # Ring buffer of the times of the last orders, as long as the limit; `sent_next` is overwritten next.
        rate = self.limits.max_orders_per_minute
        self.sent = [BEGINNING] * (max(2, math.floor(rate)) if math.isfinite(rate) else 2)
        self.sent_next = 0
        self.equity = 0.0
        self.peak = 0.0
        self.day = 0
        self.day_equity = 0.0

    def restrict(self, i: int) -> None:
        """Refuse orders that enlarge a position in instrument `i`."""
        self.restricted[i] = 1
        self.is_limited = True

    def open_account(self, equity: float) -> None:
        """Set the equity from which losses are measured."""
        self.equity = self.peak = self.day_equity = float(equity)

    def track_equity(self, time: int, equity: float) -> None:
        """Record the equity after all events of an instant."""
        day = time // DAY_LENGTH
        if day != self.day:
            self.day = day
            self.day_equity = self.equity
        self.equity = equity
        if equity > self.peak:
            self.peak = equity

    @cold
    def count_order(self, time: int) -> None:
        """Record the time of an order."""
        self.sent[self.sent_next] = time
        self.sent_next = (self.sent_next + 1) % len(self.sent)

    def recent_orders(self, time: int) -> int:
        """Count the orders of the minute up to `time`, at most as many as the limit."""
        count = 0
        for k in range(len(self.sent)):
            if self.sent[k] > time - MINUTE:
                count += 1
        return count

    def in_lots(self, i: int, quantity: float) -> float:
        """Round a quantity to whole lots, towards zero."""
        lot = self.lot[i]
        if lot == 0.0 or not abs(quantity) < 9.0e15 * lot:
            return quantity  # not finite, or beyond 2**53 lots, of which a float holds no exact count
        # 1e-9: 0.3 / 0.1 is a little less than 3.
        amount = multiple(math.floor(abs(quantity) / lot + 1e-9), lot)
        return amount if quantity > 0 else -amount

    def in_ticks(self, i: int, price: float) -> float:
        """Round a price to the nearest tick."""
        tick = self.tick[i]
        if tick == 0.0:
            return price
        return multiple(math.floor(price / tick + 0.5), tick)

    @cold
    def limit_in_ticks(self, i: int, limit: float, buys: bool) -> float:
        """Round a limit to whole ticks, never to a worse price: down for a purchase, up for a sale."""
        tick = self.tick[i]
        if tick == 0.0 or not abs(limit) < 9.0e15 * tick:
            return limit
        if buys:
            return multiple(math.floor(limit / tick + 1e-9), tick)
        return multiple(math.ceil(limit / tick - 1e-9), tick)

    def outcome(self, account: Account, order: Order) -> int:
        """ACCEPTED, or why an order is refused at any size."""
        i = order.i
        if not math.isfinite(order.quantity) or order.quantity == 0.0 or order.trail <= 0.0:
            return NOT_FINITE
        if order.on != ANY and (not math.isnan(order.stop) or not math.isnan(order.trail)):
            return CONTRADICTORY
        known = not math.isnan(account.price[i])
        if math.isnan(account.unit[i]) or not (known or not math.isnan(order.limit) or order.stop == order.stop):
            return NO_PRICE
        if not known and not math.isnan(order.trail):
            return NO_PRICE
        if order.parent != 0 and not account.is_open(order.parent):
            return OTHER_DONE  # its parent can no longer fill
        if order.reduce_only and left_for(account, order, True) * order.quantity >= 0.0:
            return NOT_REDUCING
        if order.quantity > 0.0 or self.allow_short or order.reduce_only:
            return ACCEPTED
        return BELOW_ZERO if left_for(account, order, False) + order.quantity < 0.0 else ACCEPTED

    def for_target(self, account: Account, i: int, quantity: float) -> float:
        """Reduce a sale for a target by what explicit orders already sell at the market."""
        if quantity >= 0.0 or self.allow_short:
            return quantity
        sold = 0.0
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            sells = order.i == i and order.state == OPEN and order.parent == 0 and order.quantity < 0.0
            if sells and not order.cancel_requested and is_at_market(order):
                sold += order.quantity
        if sold == 0.0:
            return quantity
        return max(quantity, min(-account.position[i] - sold, 0.0))

    def check_limits(
        self, account: Account, i: int, quantity: float, unit: float, reserved: float, distance: float = 0.0
    ) -> int:
        """ACCEPTED, or which of cash, limits and margin an order that enlarges a position exceeds.

        Args:
            quantity: to order, beside all working orders.
            unit: cost of one unit in the account's currency.
            reserved: the cash that the order may take; 0 where cash does not limit it.
            distance: of its farthest limit, stop or trail from the last price.
        """
        if reserved > 0.0 and reserved > (account.cash - account.reserved) * SLACK:
            return NO_CASH
        if not self.is_limited and not self.asks_margin:
            return ACCEPTED
        margin = self.measure(account, i, quantity, unit)
        order = self.measured
        order.distance = distance
        outcome = exceeded(order, self.limits)
        if outcome != WITHIN_LIMITS:
            return outcome
        return MARGIN_SHORT if margin > 0.0 and margin > order.equity * SLACK else ACCEPTED

    def measure(self, account: Account, i: int, quantity: float, unit: float) -> float:
        """Fill `measured` as if open orders made each position as large as they can; returns the margin needed."""
        order = self.measured
        price = account.price[i]
        order.restricted = self.restricted[i] != 0
        order.last_price = 0.0 if math.isnan(price) else price
        order.price_age = (account.now - account.price_time[i]) / 1e6
        order.rate = float(self.recent_orders(account.now) + 1)
        order.units = abs(quantity)
        order.unit = abs(unit)
        order.position = max(
            abs(most_position(account, i, quantity, self.counts_sales)), abs(least_position(account, i, quantity))
        )
        order.peak = self.peak
        order.day_equity = self.day_equity if account.now // DAY_LENGTH == self.day else self.equity
        order.equity = account.equity
        if not self.limits_exposure and not self.asks_margin:
            return 0.0
        return self.measure_exposure(account, i, quantity, unit)

    def measure_exposure(self, account: Account, i: int, quantity: float, unit: float) -> float:
        """Measure the gross and net value of these positions; returns the margin needed."""
        position = account.position
        price = account.price
        units = account.unit
        gross = 0.0
        long = 0.0
        short = 0.0
        margin = 0.0
        # Selects in place of branches: a processor cannot predict which instruments are held.
        for j in range(account.size):
            held = position[j]
            worth = held * price[j] * units[j]
            worth = worth if held != 0.0 else 0.0
            gross += abs(worth)
            long += worth
            short += worth
            if self.asks_margin:
                margin += abs(worth) * self.margin[j]
        # -1 is the instrument of the order, which nothing need be under way for.
        for k in range(-1, account.busy_count):
            j = i if k < 0 else account.busy[k]
            if k < 0 or j != i:
                more = quantity if k < 0 else 0.0
                one = unit if k < 0 else price[j] * units[j]
                held = position[j]
                worth = held * price[j] * units[j]
                worth = worth if held != 0.0 else 0.0
                up = most_position(account, j, more, self.counts_sales) * one
                down = least_position(account, j, more) * one
                larger = max(abs(up), abs(down)) - abs(worth)
                gross += larger
                long += up - worth
                short += down - worth
                if self.asks_margin:
                    margin += larger * self.margin[j]
        self.measured.gross = gross
        self.measured.net = max(abs(long), abs(short))
        return margin

    def distance(self, account: Account, order: Order) -> float:
        """Distance of an order's farthest limit, stop or trail from the last price, which is 0 while unknown."""
        price = account.price[order.i]
        price = 0.0 if math.isnan(price) else price
        farthest = 0.0
        if not math.isnan(order.limit):
            farthest = abs(order.limit - price)
        if not math.isnan(order.stop):
            farthest = max(farthest, abs(order.stop - price))
        if not math.isnan(order.trail):
            farthest = max(farthest, order.trail)
        return farthest

    def unit_price(self, account: Account, order: Order) -> float:
        """Cost of one unit in the account's currency: at the order's limit or stop, else at the last close."""
        i = order.i
        price = account.price[i]
        if not math.isnan(order.limit):
            price = order.limit
        elif not math.isnan(order.stop):
            price = order.stop
        return price * account.unit[i]
