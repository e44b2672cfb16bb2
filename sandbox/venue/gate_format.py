"""Gate.io's JSON: tickets from request bodies, orders, fills, pairs, stream messages.

Source of the formats: Gate.io's API v4 reference and its page on the spot WebSocket, as ccxt 4.5 reads them
(`ccxt/gate.py`, `ccxt/pro/gate.py`). Amounts are strings; a market buy's `amount` and `left` are quote units.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.venue.calls import number
from sandbox.venue.decimals import plain
from sandbox.venue.exchange import Exchange
from sandbox.venue.instruments import Instrument
from sandbox.venue.orders import ZERO, Fill, Order, OrderEvent, OrderRefused, OrderType, Reason, Side, Status, Ticket
from sandbox.venue.orders import TimeInForce as InForce

Json = dict[str, Any]
FROM_API = "apiv4"  # `text` of an order without a client id
TEXT = re.compile(r"t-[0-9A-Za-z_.-]{1,28}")
EVENTS = {"new": "put", "partial_fill": "update", "amended": "update"}  # of the core -> of the stream; else: finish


def parse_ticket(document: Mapping[str, Any]) -> Ticket:
    """Parse the body of `POST /spot/orders`.

    Raises:
        OrderRefused: if a parameter is missing or has an unknown value.
    """
    for name in ("currency_pair", "side", "amount"):
        if document.get(name) in (None, ""):
            raise OrderRefused(Reason.MISSING, name)
    order_type = _choice({"limit": OrderType.LIMIT, "market": OrderType.MARKET}, document, "type", "limit")
    in_force = _choice(
        {value.value: value for value in InForce if value is not InForce.DAY}, document, "time_in_force", "gtc"
    )
    side, amount = _choice({value.value: value for value in Side}, document, "side"), _number(document, "amount")
    price = _number(document, "price") if order_type is OrderType.LIMIT else None
    if order_type is OrderType.LIMIT and price is None:
        raise OrderRefused(Reason.MISSING, "price")
    if order_type is OrderType.MARKET and in_force not in (InForce.IOC, InForce.FOK):
        raise _invalid("time_in_force", in_force.value)
    if document.get("account", "spot") != "spot":
        raise _invalid("account", document["account"])
    is_cost = order_type is OrderType.MARKET and side is Side.BUY
    return Ticket(
        symbol=str(document["currency_pair"]),
        side=side,
        type=order_type,
        quantity=None if is_cost else amount,
        cost=amount if is_cost else None,
        limit_price=price,
        time_in_force=in_force,
        client_order_id=_text(document),
    )


def _choice(choices: Mapping[str, Any], document: Mapping[str, Any], name: str, default: str = "") -> Any:
    value = document.get(name, default)
    if not isinstance(value, str) or value not in choices:
        raise _invalid(name, value)
    return choices[value]


def _number(document: Mapping[str, Any], name: str) -> Decimal | None:
    try:
        return number(document, name)
    except OrderRefused:
        raise _invalid(name, document[name]) from None


def _text(document: Mapping[str, Any]) -> str:
    text = document.get("text") or ""
    if text and not TEXT.fullmatch(str(text)):
        raise _invalid("text", text)
    return str(text)


def _invalid(name: str, value: object) -> OrderRefused:
    return OrderRefused(Reason.INVALID, f"Invalid request parameter `{name}` value: {value}")


def order_document(exchange: Exchange, order: Order) -> Json:
    """An order as `GET /spot/orders/{id}` gives it."""
    ticket, instrument = order.ticket, exchange.rules.instruments[order.ticket.symbol]
    fee_currency = instrument.base if ticket.side is Side.BUY else instrument.quote
    return {
        "id": order.id,
        "text": ticket.client_order_id,
        "amend_text": order.amend_text,
        "create_time": str(int(order.created_at.timestamp())),
        "update_time": str(int(order.updated_at.timestamp())),
        "create_time_ms": milliseconds(order.created_at),
        "update_time_ms": milliseconds(order.updated_at),
        "status": status(order),
        "currency_pair": ticket.symbol,
        "type": ticket.type.value,
        "account": "spot",
        "side": ticket.side.value,
        "amount": plain(ticket.quantity if ticket.quantity is not None else ticket.cost or ZERO),
        "price": plain(ticket.limit_price or ZERO),
        "time_in_force": ticket.time_in_force.value,
        "iceberg": "0",
        "left": plain(order.left),
        "filled_amount": plain(order.filled),
        "fill_price": plain(order.value),
        "filled_total": plain(order.value),
        "avg_deal_price": _average(order),
        "fee": plain(order.fees.get(fee_currency, ZERO)),
        "fee_currency": fee_currency,
        "point_fee": "0",
        "gt_fee": "0",
        "gt_maker_fee": "0",
        "gt_taker_fee": "0",
        "gt_discount": False,
        "rebated_fee": "0",
        "rebated_fee_currency": instrument.quote if ticket.side is Side.BUY else instrument.base,
        "stp_id": 0,
        "stp_act": "-",
        "finish_as": order.finish_reason,
    }


def status(order: Order) -> str:
    """Return Gate.io's status: open, closed (filled) or cancelled; `finish_as` has the reason."""
    if not order.is_finished:
        return "open"
    return "closed" if order.status is Status.FILLED else "cancelled"


def _average(order: Order) -> str:
    mean = order.average_price
    return "0" if mean is None else plain(mean.quantize(Decimal("1e-12")))


def trade_document(exchange: Exchange, fill: Fill) -> Json:
    """A fill as `GET /spot/my_trades` gives it; `create_time_ms` has microseconds after the point."""
    return {
        "id": str(exchange.rules.first_id + fill.number),
        "create_time": str(int(fill.time.timestamp())),
        "create_time_ms": f"{milliseconds(fill.time)}.{fill.time.microsecond % 1000:03d}000",
        "currency_pair": fill.symbol,
        "side": fill.side.value,
        "role": "maker" if fill.is_maker else "taker",
        "amount": plain(fill.quantity),
        "price": plain(fill.price),
        "order_id": fill.order_id,
        "fee": plain(fill.fee),
        "fee_currency": fill.fee_asset,
        "point_fee": "0",
        "gt_fee": "0",
        "amend_text": "-",
        "sequence_id": str(fill.number),
        "text": exchange.orders[fill.order_id].ticket.client_order_id,
    }


def order_update(exchange: Exchange, event: OrderEvent, user: int) -> Json:
    """A row of the channel `spot.orders`: put, update or finish."""
    changes = {"user": user, "event": EVENTS.get(event.kind, "finish"), "biz_info": "-"}
    document = order_document(exchange, event.order) | changes
    for name in ("create_time_ms", "update_time_ms"):
        document[name] = str(document[name])
    return {name: value for name, value in document.items() if name not in ("status", "iceberg", "fill_price")}


def trade_update(exchange: Exchange, fill: Fill, user: int) -> Json:
    """A row of the channel `spot.usertrades`, where id and seconds are numbers."""
    document = trade_document(exchange, fill)
    numbers = {"id": exchange.rules.first_id + fill.number, "create_time": int(fill.time.timestamp())}
    return document | numbers | {"user_id": user, "id_market": fill.number}


def pair_document(instrument: Instrument) -> Json:
    """A pair as `GET /spot/currency_pairs/{pair}` gives it; the fee is in per cent."""
    return {
        "id": instrument.symbol,
        "base": instrument.base,
        "base_name": f"{instrument.base} (synthetic)",
        "quote": instrument.quote,
        "quote_name": instrument.quote,
        "fee": plain(instrument.taker_fee * 100),
        "min_base_amount": plain(instrument.minimum_quantity),
        "min_quote_amount": plain(instrument.minimum_cost),
        "max_quote_amount": "5000000",
        "amount_precision": -int(instrument.quantity_step.adjusted()),
        "precision": -int(instrument.tick.adjusted()),
        "trade_status": "tradable",
        "sell_start": 0,
        "buy_start": 0,
        "type": "normal",
    }


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since the epoch."""
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
