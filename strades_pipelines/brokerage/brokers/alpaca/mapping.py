"""Map our orders to Alpaca's and back. Formats: its Trading API v2 reference, `Orders` and `Account Activities`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.brokers.figures import figure, identifier, instant
from strades_pipelines.brokerage.brokers.venue import VenueFill, VenueOrder
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order, OrderTerms

Document = Mapping[str, Any]
TIMES_IN_FORCE = ("gtc", "day", "ioc", "fok")
# All of them may still fill. An order taken for over too early would lose the fills that come after.
WORKING = (
    "new", "accepted", "pending_new", "accepted_for_bidding", "held", "pending_cancel", "pending_replace", "stopped",
    "suspended", "calculated", "done_for_day", "partially_filled",
)  # fmt: skip
STATES = dict.fromkeys(WORKING, OrderState.ACCEPTED) | {
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
    "replaced": OrderState.REPLACED,
    "rejected": OrderState.REJECTED,
}
# Alpaca states an auction as a time in force.
AUCTIONS = {"open": "opg", "close": "cls"}
AUCTIONS_BACK = {word: auction for auction, word in AUCTIONS.items()}


def order_body(order: Order, symbol: str) -> dict[str, str]:
    """The body of `POST /v2/orders`."""
    terms = order.terms
    body = {
        "symbol": symbol,
        "qty": plain(order.quantity),
        "side": order.side,
        "type": terms.order_type,
        "time_in_force": AUCTIONS[terms.auction] if terms.auction else terms.time_in_force,
        "client_order_id": order.intent_id,
    }
    prices = {"limit_price": terms.limit, "stop_price": terms.stop, "trail_price": terms.trail}
    return body | {name: plain(price) for name, price in prices.items() if price is not None}


def order_terms(document: Document) -> OrderTerms | None:
    """The terms of an order of the account; None for terms that we do not support, a trail in per cent, say.

    Raises:
        InvalidOperation: a price is not a number.
    """
    limit, stop, trail = (
        Decimal(document[name]) if document.get(name) else None for name in ("limit_price", "stop_price", "trail_price")
    )
    word = str(document.get("time_in_force"))
    in_force = "day" if word in AUCTIONS_BACK else word
    # Alpaca reports the current stop of a trailing stop as its stop price; that is no term of the order.
    terms = OrderTerms(limit, None if trail else stop, trail, in_force, AUCTIONS_BACK.get(word))
    is_ours = in_force in TIMES_IN_FORCE and document.get("type", document.get("order_type")) == terms.order_type
    return terms if is_ours else None


def amendment(old: Order, new: Order, filled: Decimal) -> dict[str, str]:
    """The body of `PATCH /v2/orders/{id}`: what differs, and the client order id of the new order.

    Args:
        filled: filled quantity of the old order; Alpaca's `qty` includes it.
    """
    before, after = old.terms, new.terms
    body = {"client_order_id": new.intent_id}
    if new.quantity + filled != old.quantity:  # an unchanged `qty` must be left out where it is a fraction
        body["qty"] = plain(new.quantity + filled)
    prices = {
        "limit_price": (before.limit, after.limit),
        "stop_price": (before.stop, after.stop),
        "trail": (before.trail, after.trail),
    }
    return body | {name: plain(price) for name, (was, price) in prices.items() if price is not None and price != was}


def venue_order(
    document: Document, activities: Iterable[Document], message: bytes | None, *, symbol: str | None = None
) -> VenueOrder:
    """An order with its fills; UNKNOWN if the document lacks a field or states an unknown status.

    Args:
        activities: `FILL` activities, also of other orders.
        message: the venue's answer, unchanged.
        symbol: the expected symbol; None: any.
    """
    client_id = str(document.get("client_order_id") or "")
    try:
        venue_id, status, quantity = (
            identifier(document["id"]),
            str(document["status"]),
            figure(document["qty"], positive=True),
        )
        fills = tuple(dict.fromkeys(venue_fill(one) for one in activities if one.get("order_id") == venue_id))
        at = instant(document["updated_at"]) if document.get("updated_at") else None
        if symbol is not None and document.get("symbol", symbol) != symbol:
            raise ValueError(f"expected an order of {symbol}, was of {document['symbol']!r:.100}")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        return VenueOrder(client_id, "", OrderState.UNKNOWN, f"expected an order, was {error!r}", message=message)
    state = STATES.get(status, OrderState.UNKNOWN)
    reason = status if state not in (OrderState.ACCEPTED, OrderState.FILLED) else None
    return VenueOrder(
        client_id,
        venue_id,
        state,
        reason,
        fills,
        at,
        message,
        side=document.get("side"),
        quantity=quantity,
        filled=filled_quantity(document),
        symbol=document.get("symbol"),
    )


def filled_quantity(document: Document) -> Decimal:
    """The filled quantity that an order states; 0 if it states none."""
    try:
        return figure(document.get("filled_qty") or 0)
    except ValueError:
        return Decimal(0)


def placed_at(document: Document) -> datetime | None:
    """When the order was placed, by the venue's clock; None if it is not stated."""
    try:
        return instant(document["submitted_at"] or document["created_at"])
    except (KeyError, TypeError, ValueError):
        return None


def venue_fill(activity: Document) -> VenueFill:
    """A fill without a fee: Alpaca takes no commission on stocks, and states other fees as activities of their own."""
    return VenueFill(
        identifier(activity["id"]),
        figure(activity["qty"], positive=True),
        figure(activity["price"], positive=True),
        Decimal(0),
        instant(activity["transaction_time"]),
        side=_side(activity),
        symbol=activity.get("symbol"),
    )


def _side(activity: Document) -> str | None:
    """`buy` or `sell`: Alpaca calls a short sale `sell_short`."""
    said = activity.get("side")
    return None if said is None else str(said).removesuffix("_short")
