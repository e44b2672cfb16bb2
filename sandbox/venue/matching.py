"""Whether and at which price an order executes: pure functions of the order and the last price.

There is no spread: both sides trade at the last price. An order that is marketable on arrival executes at the last
price (taker); one that rested in the book executes at its limit (maker).
"""

from dataclasses import dataclass
from decimal import Decimal

from sandbox.venue.orders import STOP_TYPES, Order, OrderType, Side


@dataclass
class Book:
    """The last price of an instrument and the quantity available at it (None: unlimited)."""

    price: Decimal
    available: Decimal | None = None


def next_high_water(order: Order, price: Decimal) -> Decimal:
    """Return the high-water mark of a trailing stop after a print: highest for a sell, lowest for a buy."""
    if order.high_water is None:
        return price
    return max(order.high_water, price) if order.ticket.side is Side.SELL else min(order.high_water, price)


def stop_price(order: Order) -> Decimal | None:
    """Return the trigger price of a stop; for a trailing stop, its distance from the high-water mark."""
    ticket = order.ticket
    if ticket.type is not OrderType.TRAILING_STOP or order.high_water is None:
        return ticket.stop_price
    distance = ticket.trail_price
    if distance is None:
        distance = order.high_water * (ticket.trail_percent or Decimal(0)) / 100
    return order.high_water - distance if ticket.side is Side.SELL else order.high_water + distance


def is_triggered(order: Order, price: Decimal) -> bool:
    """Whether a print at `price` triggers the order; orders that are no stops are always triggered."""
    if order.ticket.type not in STOP_TYPES or order.is_triggered:
        return True
    stop = stop_price(order)
    if stop is None:
        return True
    return price >= stop if order.ticket.side is Side.BUY else price <= stop


def execution_price(order: Order, price: Decimal) -> Decimal | None:
    """Return the price at which a triggered order executes at this last price, or None."""
    limit = order.ticket.limit_price
    if limit is None:
        return price
    if not is_marketable(order.ticket.side, limit, price):
        return None
    return limit if order.is_resting else price


def is_marketable(side: Side, limit: Decimal, price: Decimal) -> bool:
    """Whether an order with this limit executes at `price`."""
    return price <= limit if side is Side.BUY else price >= limit
