"""What a request body of Alpaca's Trading API v2 asks for, refused in Alpaca's words where it does not fit.

Source: Alpaca's page "Placing orders" (types, classes, times in force) and the refusals that users of its API report.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.venue.calls import number
from sandbox.venue.orders import ZERO, OrderClass, OrderRefused, OrderType, Reason, Side, Ticket, TimeInForce

NEEDED_PRICES = {
    OrderType.MARKET: (),
    OrderType.LIMIT: ("limit_price",),
    OrderType.STOP: ("stop_price",),
    OrderType.STOP_LIMIT: ("stop_price", "limit_price"),
    OrderType.TRAILING_STOP: (),
}


def ticket(document: Mapping[str, Any]) -> Ticket:
    """What the body of `POST /v2/orders` asks for.

    Raises:
        OrderRefused: with Alpaca's words, when a field is missing, unknown or does not fit the others.
    """
    order_type = _choice(OrderType, document, "type")
    order_class = OrderClass(document.get("order_class") or "simple") if _is_class(document) else OrderClass.SIMPLE
    profit, loss = document.get("take_profit") or {}, document.get("stop_loss") or {}
    asked = Ticket(
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
    _check_form(asked)
    return asked


def _is_class(document: Mapping[str, Any]) -> bool:
    if (document.get("order_class") or "simple") in set(OrderClass):
        return True
    raise OrderRefused(Reason.INVALID, "invalid order_class")


def _choice(kind: Any, document: Mapping[str, Any], name: str) -> Any:
    if not document.get(name):
        raise OrderRefused(Reason.INVALID, f"{name} is required")
    if document[name] not in set(kind):
        raise OrderRefused(Reason.INVALID, f"invalid {name}")
    return kind(document[name])


def _check_form(asked: Ticket) -> None:
    """The fields fit each other, by Alpaca's page on placing orders."""
    if len(asked.client_order_id) > 128:
        raise OrderRefused(Reason.INVALID, "client_order_id must be no more than 128 characters")
    if (asked.quantity is None) == (asked.cost is None):
        raise OrderRefused(Reason.INVALID, "qty or notional is required")
    for name in NEEDED_PRICES[asked.type]:
        if getattr(asked, name) is None:
            raise OrderRefused(Reason.INVALID, f"{asked.type.value} orders require {name.replace('_', ' ')}")
    if asked.type is OrderType.MARKET and (asked.limit_price is not None or asked.stop_price is not None):
        raise OrderRefused(Reason.INVALID, "market orders require no stop or limit price")
    if asked.type is OrderType.TRAILING_STOP and (asked.trail_price is None) == (asked.trail_percent is None):
        raise OrderRefused(Reason.INVALID, "trailing stop orders must specify one of trail_price or trail_percent")
    if asked.time_in_force is TimeInForce.POC:
        raise OrderRefused(Reason.INVALID, "invalid time_in_force")
    if asked.extended_hours and (asked.type is not OrderType.LIMIT or asked.time_in_force is not TimeInForce.DAY):
        raise OrderRefused(Reason.INVALID, 'only type="limit" is allowed for extended hours orders')
    is_fraction = asked.cost is not None or (asked.quantity or ZERO) % 1 != 0
    if is_fraction and asked.time_in_force is not TimeInForce.DAY:
        raise OrderRefused(Reason.FRACTION, "fractional orders must be DAY orders")
    _check_exits(asked)


def _check_exits(asked: Ticket) -> None:
    has = asked.take_profit is not None, asked.stop_loss is not None
    if asked.order_class is OrderClass.SIMPLE:
        if any(has):
            raise OrderRefused(Reason.INVALID, "take_profit and stop_loss need an order_class")
        return
    if asked.order_class is OrderClass.OTO:
        if all(has) or not any(has):
            raise OrderRefused(Reason.INVALID, "oto orders require one of take_profit or stop_loss")
        return
    if not all(has):
        raise OrderRefused(
            Reason.INVALID, f"{asked.order_class.value} orders require take_profit.limit_price and stop_loss.stop_price"
        )
    is_buy = (asked.side is Side.BUY) == (asked.order_class is OrderClass.BRACKET)  # whether the exits sell
    low, high = (asked.stop_loss, asked.take_profit) if is_buy else (asked.take_profit, asked.stop_loss)
    if (low or ZERO) >= (high or ZERO):
        raise OrderRefused(
            Reason.INVALID, f"take_profit.limit_price must be {'>' if is_buy else '<'} stop_loss.stop_price"
        )
