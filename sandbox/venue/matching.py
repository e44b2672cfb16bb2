"""At which price an order executes, if at all: pure functions of the order and the last price.

There is no spread: both sides trade at the last price. An order that comes to a market beyond its limit takes the
last price; one that rested before the market reached it gets its own limit.
"""

from dataclasses import dataclass
from decimal import Decimal

from sandbox.venue.orders import STOP_TYPES, Order, OrderType, Side


@dataclass
class Book:
    """The last price of an instrument and how much can still be traded at it; None: without end."""

    price: Decimal
    available: Decimal | None = None


def trail(order: Order, price: Decimal) -> Decimal:
    """The high-water mark of a trailing stop after a print: the highest price for a sell, the lowest for a buy."""
    if order.high_water is None:
        return price
    return max(order.high_water, price) if order.ticket.side is Side.SELL else min(order.high_water, price)


def stop_price(order: Order) -> Decimal | None:
    """Where a stop triggers; a trailing one at its distance from the high-water mark."""
    ticket = order.ticket
    if ticket.type is not OrderType.TRAILING_STOP or order.high_water is None:
        return ticket.stop_price
    distance = ticket.trail_price
    if distance is None:
        distance = order.high_water * (ticket.trail_percent or Decimal(0)) / 100
    return order.high_water - distance if ticket.side is Side.SELL else order.high_water + distance


def is_triggered(order: Order, price: Decimal) -> bool:
    """Whether a print at `price` releases a stop; an order of another type is always released."""
    if order.ticket.type not in STOP_TYPES or order.is_triggered:
        return True
    stop = stop_price(order)
    if stop is None:
        return True
    return price >= stop if order.ticket.side is Side.BUY else price <= stop


def execution_price(order: Order, price: Decimal) -> Decimal | None:
    """The price at which a released order trades while the last price is `price`; None when it does not."""
    limit = order.ticket.limit_price
    if limit is None:
        return price
    if not is_marketable(order.ticket.side, limit, price):
        return None
    return limit if order.is_resting else price


def is_marketable(side: Side, limit: Decimal, price: Decimal) -> bool:
    """Whether an order with this limit trades at `price`."""
    return price <= limit if side is Side.BUY else price >= limit
