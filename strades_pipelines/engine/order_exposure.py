"""What orders under way may make of a position."""

import math

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.orders import ANY, OPEN, Order


def is_at_market(order: Order) -> bool:
    """Whether an order waits for nothing."""
    return order.on == ANY and math.isnan(order.limit) and math.isnan(order.stop) and math.isnan(order.trail)


def under_way(account: Account, order: Order, at_market: bool) -> float:
    """Signed units of explicit orders of the same side that will or may be done before it.

    Those that hang on it or are to be cancelled do not count, nor those that stop where nothing is left to reduce:
    but one at the market is as good as done.

    Args:
        at_market: count those at the market alone.
    """
    total = 0.0
    for q in range(account.count):
        other = account.orders[account.queue[q]]
        if other.i == order.i and other.state == OPEN and other.parent == 0 and not other.cancel_asked:
            linked = order.group != 0 and other.group == order.group
            counts = is_at_market(other) or not (at_market or other.reduce_only)
            if counts and not linked and other.quantity * order.quantity > 0.0:
                total += other.quantity
    return total


def most_position(account: Account, i: int, quantity: float, counts_sales: bool) -> float:
    """The highest position that instrument `i` may come to with all that is under way and `quantity` more.

    Args:
        counts_sales: whether sales at the market count before purchases.
    """
    bought = max(quantity, 0.0)
    for q in range(account.count):
        order = account.orders[account.queue[q]]
        if order.i == i and order.state == OPEN and order.parent == 0:
            if order.quantity > 0.0:
                bought += 0.0 if order.reduce_only else order.quantity
            elif counts_sales and is_at_market(order):
                bought += order.quantity
    return account.position[i] + account.pending[i] + bought


def least_position(account: Account, i: int, quantity: float) -> float:
    """The lowest such position."""
    sold = min(quantity, 0.0)
    for q in range(account.count):
        order = account.orders[account.queue[q]]
        if order.i == i and order.state == OPEN and not order.reduce_only and order.parent == 0:
            sold += min(order.quantity, 0.0)
    return account.position[i] + account.pending[i] + sold
