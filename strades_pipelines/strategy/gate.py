"""The gate between a decision and an order: sizes it in lots, and refuses what the account cannot carry."""

import math
from typing import ClassVar

from strades_pipelines.strategy.account import Account
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
    OVER_EQUITY,
    Order,
)

# What rounding may make of a weight of all of the equity.
SLACK = 1.0 + 1e-12


def multiple(count: int, unit: float) -> float:
    """So many units, as the float nearest to it: 150,000 times 0.00001 is 1.5, where a product were a little more."""
    if unit < 1.0:
        parts = math.floor(1.0 / unit + 0.5)
        if abs(parts * unit - 1.0) < 1e-9:
            return count / parts
    return count * unit


class Gate:
    """The limits of an account, by the same rules as `market.risk` keeps them in exact numbers.

    Args:
        size: how many instruments there are.
        allow_short: whether a position may be below zero.
        leverage: the gross value of all positions as a part of equity; 1 also means that cash never goes below zero.
        max_weight: the value of one position as a part of equity.
        lot: the unit of quantities; 0 for any fraction.
        tick: the unit of prices; 0 for any.
        margin: what of a position's value the equity must cover; 0 for nothing.
    """

    constants: ClassVar = ("asks_margin",)

    def __init__(
        self,
        size: int,
        *,
        allow_short: bool = True,
        leverage: float = math.inf,
        max_weight: float = math.inf,
        lot: float = 0.0,
        tick: float = 0.0,
        margin: float = 0.0,
    ) -> None:
        self.allow_short = allow_short
        self.leverage = float(leverage)
        self.max_weight = float(max_weight)
        self.lot = [float(lot)] * size
        self.tick = [float(tick)] * size
        self.margin = [float(margin)] * size
        self.asks_margin = margin > 0.0

    def in_lots(self, i: int, quantity: float) -> float:
        """The quantity in whole lots, towards zero."""
        lot = self.lot[i]
        if lot == 0.0 or not abs(quantity) < 9.0e15 * lot:
            return quantity  # above it, and for what is not finite, a float has no lots
        amount = multiple(math.floor(abs(quantity) / lot + 1e-9), lot)
        return amount if quantity > 0 else -amount

    def in_ticks(self, i: int, price: float) -> float:
        """The price in whole ticks, to the nearest."""
        tick = self.tick[i]
        if tick == 0.0:
            return price
        return multiple(math.floor(price / tick + 0.5), tick)

    def outcome(self, account: Account, order: Order) -> int:
        """ACCEPTED, or why an order is refused whatever its size."""
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
        if order.parent != 0:
            return ACCEPTED
        held = account.position[i] + account.pending[i]
        if order.reduce_only and held * order.quantity >= 0.0:
            return NOT_REDUCING
        if held + order.quantity < 0.0 and not self.allow_short and not order.reduce_only:
            return BELOW_ZERO
        return ACCEPTED

    def carried(self, account: Account, i: int, quantity: float, unit: float, reserved: float) -> int:
        """Whether cash, one position's share, leverage and margin allow what makes a position larger.

        Args:
            quantity: what is to be ordered beside all that is under way.
            unit: what one unit costs in the account's currency.
            reserved: the cash the order may take; 0 where cash is not what limits it.
        """
        if reserved > 0.0 and reserved > (account.cash - account.reserved) * SLACK:
            return NO_CASH
        if math.isfinite(self.max_weight):
            limit = self.max_weight * account.equity * SLACK
            if self.exposure(account, i, quantity) * abs(unit) > limit:
                return OVER_EQUITY
        return self.margined(account, i, quantity, unit)

    def margined(self, account: Account, i: int, quantity: float, unit: float) -> int:
        """Whether all positions, as large as open orders may make them, are within leverage and margin."""
        if not math.isfinite(self.leverage) and not self.asks_margin:
            return ACCEPTED
        position = account.position
        price = account.price
        units = account.unit
        gross = 0.0
        margin = 0.0
        equity = account.cash
        # Chosen values in place of branches: which instruments are held is not to be foreseen by a processor.
        for j in range(account.size):
            held = position[j]
            worth = held * price[j] * units[j]
            worth = worth if held != 0.0 else 0.0
            equity += worth
            gross += abs(worth)
            if self.asks_margin:
                margin += abs(worth) * self.margin[j]
        more = self.growth(account, i, quantity, unit)
        gross += more
        if self.asks_margin:
            margin += more * self.margin[i]
        for k in range(account.busy_count):
            j = account.busy[k]
            if j != i:
                more = self.growth(account, j, 0.0, account.price[j] * account.unit[j])
                gross += more
                if self.asks_margin:
                    margin += more * self.margin[j]
        equity *= SLACK
        if (margin > 0.0 and margin > equity) or (math.isfinite(self.leverage) and gross > self.leverage * equity):
            return MARGIN_SHORT
        return ACCEPTED

    def growth(self, account: Account, i: int, quantity: float, unit: float) -> float:
        """By how much the value of instrument `i` may grow with all that is under way and `quantity` more."""
        held = account.position[i]
        units = self.exposure(account, i, quantity)
        more = units * abs(unit) if units > 0.0 else 0.0
        return more - abs(held * account.price[i] * account.unit[i]) if held != 0.0 else more

    def exposure(self, account: Account, i: int, quantity: float) -> float:
        """How many units of instrument `i` may come to be held, long or short, with `quantity` more ordered."""
        held = account.position[i] + account.pending[i]
        bought = max(quantity, 0.0)
        sold = min(quantity, 0.0)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i and order.state == OPEN and not order.reduce_only and order.parent == 0:
                bought += max(order.quantity, 0.0)
                sold += min(order.quantity, 0.0)
        return max(abs(held + bought), abs(held + sold))

    def unit_price(self, account: Account, order: Order) -> float:
        """What one unit costs in the account's currency: at the limit or stop of an order, else at the last close."""
        i = order.i
        price = account.price[i]
        if not math.isnan(order.limit):
            price = order.limit
        elif not math.isnan(order.stop):
            price = order.stop
        return price * account.unit[i]
