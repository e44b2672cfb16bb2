"""What orders under way may make of a position."""

import math

from strades_pipelines.compiler.cold import cold
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.orders import ANY, NEW, OPEN, Order


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
        if other.i == order.i and other.state == OPEN and other.parent == 0 and not other.cancel_requested:
            linked = order.group != 0 and other.group == order.group
            counts = is_at_market(other) or not (at_market or other.reduce_only)
            if counts and not linked and other.quantity * order.quantity > 0.0:
                total += other.quantity
    return total


@cold
def by_parent(account: Account, order: Order, at_market: bool) -> float:
    """Signed units of the parent of an order, and of the other orders that wait for it, which may be done before it.

    Of a group, in which one cancels the others, the largest counts. A parent on the order's own side is counted by
    `under_way`; one that only reduces opens nothing for it to close.

    Args:
        at_market: as for `under_way`.
    """
    total = 0.0
    for q in range(account.count):
        other = account.orders[account.queue[q]]
        if other.i != order.i or other.number == order.number or other.state > OPEN or other.cancel_requested:
            continue
        if other.number == order.parent:
            if other.quantity * order.quantity < 0.0 and not other.reduce_only:
                total += other.quantity
        elif waits_beside(other, order, at_market) and (
            other.group == 0 or (other.group != order.group and is_largest_of_group(account, q, at_market))
        ):
            total += other.quantity
    return total


@cold
def is_largest_of_group(account: Account, place: int, at_market: bool) -> bool:
    """Whether of the orders that count beside the one at this place of the queue none of its group is larger."""
    order = account.orders[account.queue[place]]
    for q in range(account.count):
        other = account.orders[account.queue[q]]
        if q != place and other.group == order.group and waits_beside(other, order, at_market):
            larger = abs(other.quantity) - abs(order.quantity)
            # Of equal ones the first counts, so that exactly one of a group does.
            if larger > 0.0 or (larger == 0.0 and q < place):
                return False
    return True


@cold
def waits_beside(other: Order, order: Order, at_market: bool) -> bool:
    """Whether an order of the same parent, instrument and side counts for another, by the rules of `under_way`."""
    if other.parent != order.parent or other.i != order.i or other.quantity * order.quantity <= 0.0:
        return False
    is_under_way = NEW < other.state <= OPEN and not other.cancel_requested
    return is_under_way and (is_at_market(other) or not (at_market or other.reduce_only))


def may_enlarge(order: Order) -> bool:
    """Whether an order is under way that is no exit of another: one that waits for its entry may come with it."""
    return (order.state == OPEN and order.parent == 0) or (order.enlarges and NEW < order.state <= OPEN)


def left_for(account: Account, order: Order, at_market: bool) -> float:
    """Signed units that an order finds once what is under way on its side is done, and its parent.

    Args:
        at_market: as for `under_way`.
    """
    left = account.position[order.i] + account.pending[order.i] + under_way(account, order, at_market)
    return left if order.parent == 0 else left + by_parent(account, order, at_market)


def most_position(account: Account, i: int, quantity: float, counts_sales: bool) -> float:
    """The highest position that instrument `i` may come to with all that is under way and `quantity` more.

    Args:
        counts_sales: whether sales at the market count before purchases.
    """
    bought = max(quantity, 0.0)
    for q in range(account.count):
        order = account.orders[account.queue[q]]
        if order.i == i and may_enlarge(order):
            if order.quantity > 0.0:
                # An order that only reduces can at most close the position.
                bought += 0.0 if order.reduce_only else order.quantity
            elif counts_sales and is_at_market(order):
                bought += order.quantity
    return account.position[i] + account.pending[i] + bought


def least_position(account: Account, i: int, quantity: float) -> float:
    """The lowest such position."""
    sold = min(quantity, 0.0)
    for q in range(account.count):
        order = account.orders[account.queue[q]]
        if order.i == i and not order.reduce_only and may_enlarge(order):
            # Purchases are left out: the worst case is that none of them fills.
            sold += min(order.quantity, 0.0)
    return account.position[i] + account.pending[i] + sold
