"""The gate between a decision and an order: sizes it in lots, and refuses what the account cannot carry."""

import math

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.orders import (
    ACCEPTED,
    BELOW_ZERO,
    MARGIN_SHORT,
    NO_CASH,
    NO_PRICE,
    NOT_FINITE,
    NOT_REDUCING,
    OVER_EQUITY,
    Order,
)


def multiple(count: int, unit: float) -> float:
    """So many units, as the float nearest to it: 150,000 times 0.00001 is 1.5, where a product would be a little more."""
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
    """

    def __init__(
        self,
        size: int,
        *,
        allow_short: bool = True,
        leverage: float = math.inf,
        max_weight: float = math.inf,
        lot: float = 0.0,
    ) -> None:
        self.allow_short = allow_short
        self.leverage = float(leverage)
        self.max_weight = float(max_weight)
        self.lot = [float(lot)] * size
        self.tick = [0.0] * size
        self.margin = [0.0] * size

    def in_lots(self, i: int, quantity: float) -> float:
        """The quantity in whole lots, towards zero."""
        lot = self.lot[i]
        if lot == 0.0:
            return quantity
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
        if not math.isfinite(order.quantity) or order.quantity == 0.0:
            return NOT_FINITE
        if math.isnan(account.price[i]) and math.isnan(order.limit) and math.isnan(order.stop):
            return NO_PRICE
        held = account.position[i] + account.pending[i]
        after = held + order.quantity
        if order.parent != 0:
            return ACCEPTED
        if order.reduce_only and abs(after) > abs(held):
            return NOT_REDUCING
        if after < 0.0 and not self.allow_short:
            return BELOW_ZERO
        return ACCEPTED

    def carried(
        self, account: Account, i: int, quantity: float, after: float, unit: float, reserved: float
    ) -> int:
        """Whether cash, one position's share and the margin allow what makes a position larger.

        Args:
            after: the position when the order is done.
            unit: what one unit costs in the account's currency.
            reserved: the cash the order may take; 0 where cash is not what limits it.
        """
        if reserved > account.cash - account.reserved:
            return NO_CASH
        if math.isfinite(self.max_weight) and abs(after) * unit > self.max_weight * account.equity:
            return OVER_EQUITY
        if math.isfinite(self.leverage) and self.leverage != 1.0:
            more = (abs(after) - abs(account.position[i])) * unit
            if account.gross + more > self.leverage * account.equity:
                return MARGIN_SHORT
        if self.margin[i] > 0.0 and abs(after) * unit * self.margin[i] > account.equity:
            return MARGIN_SHORT
        return ACCEPTED

    def unit_price(self, account: Account, order: Order) -> float:
        """What one unit costs in the account's currency: at the limit or stop of an order, else at the last close."""
        i = order.i
        price = account.price[i]
        if not math.isnan(order.limit):
            price = order.limit
        elif not math.isnan(order.stop):
            price = order.stop
        return price * account.unit[i]
