"""Parse and validate the order in a request body of Alpaca's Trading API v2.

Source: Alpaca's page "Placing orders" (types, classes, times in force) and the refusals that users of its API report.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from sandbox.venue.calls import number
from sandbox.venue.orders import ZERO, OrderClass, OrderRefused, OrderType, Reason, Side, Ticket, TimeInForce

Choice = TypeVar("Choice", bound=StrEnum)
NEEDED_PRICES = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("stop_price", "limit_price"),
    OrderType.TRAILING_STOP: (),
}


def parse_ticket(document: Mapping[str, Any]) -> Ticket:
    """Parse the body of `POST /v2/orders`.

    Raises:
        OrderRefused: with Alpaca's message, if a field is missing, unknown or contradicts another.
    """
    order_type = _choice(OrderType, document, "type")
    order_class = _choice(OrderClass, document, "order_class") if document.get("order_class") else OrderClass.SIMPLE
    profit, loss = _exit(document, "take_profit"), _exit(document, "stop_loss")
    ticket = Ticket(
        symbol=str(document.get("symbol") or ""),
        side=_choice(Side, document, "side"),
        type=order_type,
        quantity=number(document, "qty"),
        cost=number(document, "notional"),
        limit_price=number(document, "limit_price"),
        stop_price=number(document, "stop_price"),
        trail_price=number(document, "trail_price"),
        trail_percent=number(document, "trail_percent"),
        time_in_force=_choice(TimeInForce, document, "time_in_force"),
        client_order_id=str(document.get("client_order_id") or ""),
        order_class=order_class,
        take_profit=number(profit, "limit_price"),
        stop_loss=number(loss, "stop_price"),
        stop_loss_limit=number(loss, "limit_price"),
        extended_hours=bool(document.get("extended_hours")),
    )
    _check_form(ticket)
    return ticket


def _choice(kind: type[Choice], document: Mapping[str, Any], name: str) -> Choice:
    value = document.get(name)
    if not value:
        raise OrderRefused(Reason.INVALID, f"{name} is required")
    if not isinstance(value, str) or value not in set(kind):
        raise OrderRefused(Reason.INVALID, f"invalid {name}")
    return kind(value)


def _exit(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name) or {}
    if not isinstance(value, dict):
        raise OrderRefused(Reason.INVALID, f"invalid {name}")
    return value


def _check_form(ticket: Ticket) -> None:
    """Check that the fields go together, by Alpaca's page on placing orders."""
    if len(ticket.client_order_id) > 128:
        raise OrderRefused(Reason.INVALID, "client_order_id must be no more than 128 characters")
    if (ticket.quantity is None) == (ticket.cost is None):
        raise OrderRefused(Reason.INVALID, "qty or notional is required")
    for name in ("stop_price", "limit_price"):
        needs, has = name in NEEDED_PRICES[ticket.type], getattr(ticket, name) is not None
        if needs != has:
            words = f"{'' if needs else 'no '}{name.replace('_', ' ')}"
            raise OrderRefused(Reason.INVALID, f"{ticket.type.value} orders require {words}")
    if ticket.type is OrderType.TRAILING_STOP and (ticket.trail_price is None) == (ticket.trail_percent is None):
        raise OrderRefused(Reason.INVALID, "trailing stop orders must specify one of trail_price or trail_percent")
    if ticket.time_in_force is TimeInForce.POC:
        raise OrderRefused(Reason.INVALID, "invalid time_in_force")
    if ticket.extended_hours and (ticket.type is not OrderType.LIMIT or ticket.time_in_force is not TimeInForce.DAY):
        raise OrderRefused(Reason.INVALID, 'only type="limit" is allowed for extended hours orders')
    is_fraction = ticket.cost is not None or (ticket.quantity or ZERO) % 1 != 0
    if is_fraction and ticket.time_in_force is not TimeInForce.DAY:
        raise OrderRefused(Reason.FRACTION, "fractional orders must be DAY orders")
    _check_exits(ticket)


def _check_exits(ticket: Ticket) -> None:
    exits = [price for price in (ticket.take_profit, ticket.stop_loss) if price is not None]
    if ticket.order_class is OrderClass.SIMPLE:
        if exits:
            raise OrderRefused(Reason.INVALID, "take_profit and stop_loss need an order_class")
        return
    if ticket.order_class is OrderClass.OTO:
        if len(exits) != 1:
            raise OrderRefused(Reason.INVALID, "oto orders require one of take_profit or stop_loss")
        return
    if len(exits) != 2:
        needed = "take_profit.limit_price and stop_loss.stop_price"
        raise OrderRefused(Reason.INVALID, f"{ticket.order_class.value} orders require {needed}")
    is_buy = (ticket.side is Side.BUY) == (ticket.order_class is OrderClass.BRACKET)  # whether the exits sell
    low, high = (ticket.stop_loss, ticket.take_profit) if is_buy else (ticket.take_profit, ticket.stop_loss)
    if (low or ZERO) >= (high or ZERO):
        raise OrderRefused(
            Reason.INVALID, f"take_profit.limit_price must be {'>' if is_buy else '<'} stop_loss.stop_price"
        )
