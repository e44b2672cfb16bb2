"""Alpaca's JSON: orders, fills, positions, the account, stream messages.

Source of the formats: Alpaca's reference of the Trading API v2 and of WebSocket streaming, as alpaca-py 0.44 reads them
(`alpaca/trading/models.py`); numbers are strings, times are RFC 3339 in UTC, of the clock in New York's zone.
"""

import hashlib
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.venue.account import Account
from sandbox.venue.checks import buying_power, reserved_quantity
from sandbox.venue.decimals import plain, rounded
from sandbox.venue.exchange import Exchange
from sandbox.venue.instruments import Instrument
from sandbox.venue.matching import stop_price
from sandbox.venue.orders import (
    ZERO,
    Fill,
    Order,
    OrderClass,
    OrderEvent,
    OrderType,
    Side,
    Status,
    Ticket,
    TimeInForce,
)

NEW_YORK = ZoneInfo("America/New_York")
Json = dict[str, Any]


def identifier(*names: object) -> str:
    """Return a UUID derived from `names`."""
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


def order_document(exchange: Exchange, order: Order, *, nested: bool = False) -> Json:
    """An order as `GET /v2/orders/{id}` gives it."""
    ticket, finished_at = order.ticket, order.finished_at
    legs = [order_document(exchange, exchange.orders[leg_id]) for leg_id in order.legs] if nested else []
    return {
        "id": order.id,
        "client_order_id": ticket.client_order_id,
        "created_at": stamp(order.created_at),
        "updated_at": stamp(order.updated_at),
        "submitted_at": stamp(order.created_at),
        "filled_at": _stamp_if(order.status is Status.FILLED, finished_at),
        "expired_at": _stamp_if(order.status is Status.EXPIRED, finished_at),
        "cancel_requested_at": None,
        "canceled_at": _stamp_if(order.status is Status.CANCELED, finished_at),
        "failed_at": _stamp_if(order.status is Status.REJECTED, finished_at),
        "replaced_at": _stamp_if(order.status is Status.REPLACED, finished_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": identifier("asset", ticket.symbol),
        "symbol": ticket.symbol,
        "asset_class": "us_equity",
        "notional": _plain_if(ticket.cost),
        "qty": _plain_if(ticket.quantity),
        "filled_qty": plain(order.filled),
        "filled_avg_price": _plain_if(_mean(order)),
        "order_class": "" if ticket.order_class is OrderClass.SIMPLE else ticket.order_class.value,
        "order_type": ticket.type.value,
        "type": ticket.type.value,
        "side": ticket.side.value,
        "position_intent": None,
        "time_in_force": ticket.time_in_force.value,
        "limit_price": _plain_if(ticket.limit_price),
        "stop_price": _plain_if(stop_price(order)),
        "status": order.status.value,
        "extended_hours": ticket.extended_hours,
        "legs": legs or None,
        "trail_percent": _plain_if(ticket.trail_percent),
        "trail_price": _plain_if(ticket.trail_price),
        "hwm": _plain_if(order.high_water),
        "subtag": None,
        "source": None,
        # Alpaca ends an order that is good till cancelled after 90 days.
        "expires_at": _stamp_if(ticket.time_in_force is TimeInForce.GTC, order.created_at + timedelta(days=90)),
    }


def update(exchange: Exchange, event: OrderEvent) -> Json:
    """A message of the stream `trade_updates`."""
    data: Json = {
        "event": event.kind,
        "execution_id": identifier("event", event.order.id, event.kind, event.fill.number if event.fill else ""),
        "order": order_document(exchange, event.order, nested=True),
        "timestamp": stamp(event.time),
    }
    if event.fill is not None:
        data["execution_id"] = identifier("fill", event.order.id, event.fill.number)
        data |= {"price": plain(event.fill.price), "qty": plain(event.fill.quantity)}
        data["position_qty"] = plain(event.fill.position)
    return {"stream": "trade_updates", "data": data}


def activity_id(fill: Fill) -> str:
    """Return the id of a fill in the activities: milliseconds and a UUID, by which they are sorted.

    The UUID is not the stream's `execution_id`: that the two agree is documented nowhere. Fills of one millisecond come
    in any order (Alpaca-API 170); `order_id` and `cum_qty` tell them apart in both places.
    """
    milliseconds = fill.time.microsecond // 1000
    return f"{fill.time:%Y%m%d%H%M%S}{milliseconds:03d}::{identifier('activity', fill.order_id, fill.number)}"


def activity(account: Account, order: Order, fill: Fill) -> Json:
    """A fill as `GET /v2/account/activities/FILL` gives it."""
    return {
        "id": activity_id(fill),
        "account_id": identifier("account", account.key),
        "activity_type": "FILL",
        "transaction_time": stamp(fill.time),
        "type": "partial_fill" if fill.left > 0 else "fill",
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "side": fill.side.value,
        "symbol": fill.symbol,
        "leaves_qty": plain(fill.left),
        "order_id": fill.order_id,
        "cum_qty": plain(fill.cumulative),
        "order_status": order.status.value,
    }


def account_document(exchange: Exchange, account: Account) -> Json:
    """The account as `GET /v2/account` gives it; money in dollars."""
    equity = account.equity(exchange.unit_price, "USD")
    values = [amount * exchange.unit_price(asset) for asset, amount in account.balances.items() if asset != "USD"]
    power = f"{buying_power(exchange, account):.2f}"
    margin = sum(map(abs, values), ZERO) / max(account.multiplier, Decimal(1))
    return {
        "id": identifier("account", account.key),
        "account_number": f"PA{account.number:09d}",
        "status": "ACTIVE",
        "crypto_status": "INACTIVE",
        "currency": "USD",
        "buying_power": power,
        "regt_buying_power": power,
        "non_marginable_buying_power": f"{max(account.balance('USD'), ZERO):.2f}",
        "options_buying_power": "0",
        "cash": plain(account.balance("USD")),
        "accrued_fees": "0",
        "portfolio_value": plain(equity),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": False,
        "created_at": stamp(account.opened_at),
        "shorting_enabled": account.multiplier >= 2,
        "multiplier": plain(account.multiplier),
        "equity": plain(equity),
        "last_equity": plain(equity),
        "long_market_value": plain(sum((value for value in values if value > 0), ZERO)),
        "short_market_value": plain(sum((value for value in values if value < 0), ZERO)),
        "initial_margin": plain(margin),
        "maintenance_margin": plain(margin),
        "last_maintenance_margin": "0",
        "sma": "0",
    }


def position_document(exchange: Exchange, account: Account, instrument: Instrument) -> Json:
    """An open position as `GET /v2/positions/{symbol}` gives it."""
    quantity, price = account.balance(instrument.base), exchange.price(instrument.symbol)
    cost, value = account.costs.get(instrument.base, ZERO), quantity * price
    gain = value - cost
    side = Side.SELL if quantity > 0 else Side.BUY
    closing = Ticket(instrument.symbol, side, OrderType.MARKET, abs(quantity))
    free = abs(quantity) - reserved_quantity(exchange, account, closing, None)
    return {
        "asset_id": identifier("asset", instrument.symbol),
        "symbol": instrument.symbol,
        "exchange": instrument.exchange,
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": plain(quantity),
        "qty_available": plain(free if quantity > 0 else -free),
        "avg_entry_price": rounded(cost / quantity, 6),
        "side": "long" if quantity > 0 else "short",
        "market_value": plain(value),
        "cost_basis": plain(cost),
        "unrealized_pl": plain(gain),
        "unrealized_plpc": plain(gain / abs(cost)) if cost else "0",
        "unrealized_intraday_pl": plain(gain),
        "unrealized_intraday_plpc": plain(gain / abs(cost)) if cost else "0",
        "current_price": plain(price),
        "lastday_price": plain(price),
        "change_today": "0",
    }


def asset_document(instrument: Instrument) -> Json:
    """A stock as `GET /v2/assets/{symbol}` gives it."""
    return {
        "id": identifier("asset", instrument.symbol),
        "class": "us_equity",
        "exchange": instrument.exchange,
        "symbol": instrument.symbol,
        "name": f"{instrument.name} (synthetic prices)",
        "status": "active",
        "tradable": True,
        "marginable": True,
        "maintenance_margin_requirement": 30,
        "shortable": instrument.is_shortable,
        "easy_to_borrow": instrument.is_shortable,
        "fractionable": True,
        "attributes": [],
    }


def clock_document(now: datetime, *, is_open: bool) -> Json:
    """Return `GET /v2/clock`. `is_open` is the switch's state; next open and close are those of the next weekday."""
    local = now.astimezone(NEW_YORK)
    return {
        "timestamp": local.isoformat(),
        "is_open": is_open,
        "next_open": _next(local, 9, 30).isoformat(),
        "next_close": _next(local, 16, 0).isoformat(),
    }


def _next(local: datetime, hour: int, minute: int) -> datetime:
    """Return the next weekday's time of day in New York; holidays are ignored."""
    at = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    while at <= local or at.weekday() >= 5:
        at += timedelta(days=1)
    return at


def stamp(moment: datetime) -> str:
    """Format a time as RFC 3339 in UTC."""
    return moment.isoformat().replace("+00:00", "Z")


def _stamp_if(condition: bool, moment: datetime | None) -> str | None:
    return stamp(moment) if condition and moment is not None else None


def _plain_if(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


def _mean(order: Order) -> Decimal | None:
    """Return the average price with Alpaca's six decimals."""
    mean = order.average_price
    return None if mean is None else mean.quantize(Decimal("0.000001"))
