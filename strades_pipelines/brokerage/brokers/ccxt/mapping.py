"""Between our orders and ccxt's. Formats: ccxt's manual, `Order structure` and `Trade structure`, numbers as text."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.brokers.figures import FIRST, LAST, figure, identifier
from strades_pipelines.brokerage.brokers.venue import VenueFill, VenueOrder
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import OrderTerms

Document = Mapping[str, Any]
# How Gate.io ends an order that it does not fill, where ccxt hands on the venue's own word (`finish_as`).
GATE_ENDS = (
    "liquidate_cancelled", "small", "depth_not_enough", "trader_not_enough", "poc", "fok", "stp",
    "price_protect_cancelled",
)  # fmt: skip
STATES = dict.fromkeys(GATE_ENDS, OrderState.CANCELLED) | {
    "open": OrderState.ACCEPTED,
    "canceling": OrderState.ACCEPTED,
    "closed": OrderState.FILLED,
    "canceled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
    "rejected": OrderState.REJECTED,
}
TIMES_IN_FORCE = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK"}
ORDER_TYPES = ("market", "limit")


def refusal_of(terms: OrderTerms) -> str | None:
    """What of these terms no order through ccxt can say, in one line; None where it can be sent."""
    if terms.order_type not in ORDER_TYPES:
        return f"type: expected {' or '.join(ORDER_TYPES)}, was {terms.order_type}"
    if terms.time_in_force not in TIMES_IN_FORCE:
        return f"time in force: expected {', '.join(TIMES_IN_FORCE)}, was {terms.time_in_force}"
    return f"auction: there is none, was {terms.auction}" if terms.auction else None


def order_parameters(intent_id: str, terms: OrderTerms) -> dict[str, str]:
    """The parameters of `create_order` beside symbol, type, side, amount and price."""
    parameters = {"clientOrderId": intent_id}
    if terms.order_type == "limit" or terms.time_in_force != "gtc":
        parameters["timeInForce"] = TIMES_IN_FORCE[terms.time_in_force]
    return parameters


def client_order_id(document: Document, prefix: str) -> str:
    """Our id of an order; "" where it has none."""
    return str(document.get("clientOrderId") or "").removeprefix(prefix)


def venue_order(
    document: Document,
    trades: Iterable[Document],
    message: bytes | None,
    *,
    prefix: str,
    quote: str,
    symbol: str | None = None,
) -> VenueOrder:
    """An order with its fills; a document that lacks what an order has, or names another status, is UNKNOWN.

    Args:
        trades: also of other orders.
        message: what the venue said, as it came.
        prefix: what the venue puts before client order ids.
        quote: the currency of the order's price.
        symbol: that the order has to be of; None where it is not known.
    """
    client_id = client_order_id(document, prefix)
    try:
        venue_id, quantity = identifier(document["id"]), figure(document["amount"], positive=True)
        status, filled = str(document["status"]), filled_quantity(document)
        if symbol is not None and (document.get("symbol") or symbol) != symbol:
            raise ValueError(f"expected an order of {symbol}, was of {document['symbol']!r:.100}")
        fills = tuple(dict.fromkeys(venue_fill(trade, quote) for trade in trades if trade.get("order") == venue_id))
        at = document.get("lastUpdateTimestamp") or document.get("lastTradeTimestamp") or document.get("timestamp")
        told_at = _time(at) if at else None
    except (KeyError, TypeError, ValueError, OverflowError, OSError, AttributeError) as error:
        return VenueOrder(client_id, "", OrderState.UNKNOWN, f"expected an order, was {error!r}", message=message)
    state = STATES.get(status, OrderState.UNKNOWN)
    if state is OrderState.FILLED and filled < quantity:
        state = OrderState.CANCELLED  # some venues call what they took from the book closed, whatever is left of it
    return VenueOrder(
        client_id,
        venue_id,
        state,
        status if state not in (OrderState.ACCEPTED, OrderState.FILLED) else None,
        fills,
        told_at,
        message,
        side=document.get("side"),
        quantity=quantity,
        filled=filled,
        symbol=document.get("symbol"),
    )


def filled_quantity(document: Document) -> Decimal:
    """How much of an order is filled by its own word; 0 where it does not say."""
    try:
        return figure(document.get("filled") or 0)
    except ValueError:
        return Decimal(0)


def venue_fill(trade: Document, quote: str) -> VenueFill:
    """A fill. Gate.io takes its fee from what is bought, or in tokens of its own; the first that is not zero counts.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: it lacks what a fill has.
    """
    listed = trade.get("fees") or [trade.get("fee")]
    fees = [fee for fee in listed if fee and figure(fee.get("cost") or 0)]
    fee = fees[0] if fees else {"cost": 0, "currency": quote}
    currency = identifier(fee.get("currency") or quote)
    return VenueFill(
        identifier(trade["id"]),
        figure(trade["amount"], positive=True),
        figure(trade["price"], positive=True),
        figure(fee["cost"]),
        _time(trade["timestamp"]),
        fee_currency=currency if currency != quote else None,
        side=trade.get("side"),
        symbol=trade.get("symbol"),
    )


def _time(milliseconds: Any) -> datetime:
    time = datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    if not FIRST <= time < LAST:
        raise ValueError(f"expected a time of 2000 to 2199, was {time}")
    return time
