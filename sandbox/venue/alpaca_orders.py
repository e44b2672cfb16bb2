"""Alpaca's `/v2/orders` endpoints. The reply to a new order is written before the order is matched."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from sandbox.venue import order_entry
from sandbox.venue.alpaca_format import NEW_YORK, order_document
from sandbox.venue.alpaca_ticket import parse_ticket
from sandbox.venue.calls import Call, number, row_count
from sandbox.venue.orders import FINISHED, Order, OrderRefused, Reason, Status
from sandbox.world import Reply, json_reply

DEFAULT_ORDERS, MOST_ORDERS = 50, 500


def submit(call: Call) -> Reply:
    """`POST /v2/orders`."""
    order = order_entry.place(call.exchange, call.account.key, parse_ticket(call.body))
    return json_reply(order_document(call.exchange, order, nested=True))


def list_orders(call: Call) -> Reply:
    """`GET /v2/orders`: newest first unless `direction=asc`, at most `limit`."""
    nested = call.query.get("nested", "").lower() == "true"
    count = row_count(call.query, "limit", DEFAULT_ORDERS, MOST_ORDERS)
    page = islice(_matching_orders(call, nested=nested), count)
    return json_reply([order_document(call.exchange, order, nested=nested) for order in page])


def _matching_orders(call: Call, *, nested: bool) -> Iterator[Order]:
    """Yield the account's orders that match the query; with `nested`, legs appear only inside their parents."""
    status, after, until = call.query.get("status", "open"), query_time(call, "after"), query_time(call, "until")
    symbols = set(filter(None, call.query.get("symbols", "").split(",")))
    orders = call.exchange.working if status == "open" else call.exchange.orders
    newest_first = call.query.get("direction", "desc") == "desc"
    ordered: Iterable[Order] = reversed(orders.values()) if newest_first else orders.values()
    for order in ordered:
        if (
            order.account == call.account.key
            and not (nested and order.parent)
            and not (status == "closed" and not order.is_finished)
            and not (after and order.created_at <= after)
            and not (until and order.created_at > until)
            and (not symbols or order.ticket.symbol in symbols)
            and call.query.get("side", order.ticket.side) == order.ticket.side
            and call.exchange.is_visible(order)
        ):
            yield order


def by_client_id(call: Call) -> Reply:
    """`GET /v2/orders:by_client_order_id`: a replaced order is returned itself, with `replaced_by`."""
    order = call.exchange.find_by_client_id(call.account.key, call.query.get("client_order_id", ""))
    return json_reply(order_document(call.exchange, order, nested=True))


def by_id(call: Call) -> Reply:
    """`GET /v2/orders/{id}`."""
    order = call.exchange.find(call.account.key, call.parts["order_id"])
    return json_reply(order_document(call.exchange, order, nested=True))


def replace(call: Call) -> Reply:
    """`PATCH /v2/orders/{id}`: returns the new order."""
    new = order_entry.request_replace(
        call.exchange,
        call.exchange.find(call.account.key, call.parts["order_id"]),
        quantity=number(call.body, "qty"),
        limit_price=number(call.body, "limit_price"),
        stop_price=number(call.body, "stop_price"),
        trail=number(call.body, "trail"),
        client_order_id=str(call.body.get("client_order_id") or ""),
    )
    return json_reply(order_document(call.exchange, new))


def cancel(call: Call) -> Reply:
    """`DELETE /v2/orders/{id}`: 204 means requested, not cancelled yet."""
    order_entry.request_cancel(call.exchange, call.exchange.find(call.account.key, call.parts["order_id"]))
    return Reply(b"", "application/json", 204)


def cancel_all(call: Call) -> Reply:
    """`DELETE /v2/orders`: one row for each open order."""
    rows = []
    for order in list(call.exchange.working_of(call.account.key)):
        if order.status not in FINISHED | {Status.PENDING_REPLACE}:
            order_entry.request_cancel(call.exchange, order)
            rows.append({"id": order.id, "status": 200, "body": order_document(call.exchange, order)})
    return json_reply(rows, status=207)


def query_time(call: Call, name: str) -> datetime | None:
    """Parse a time of the query; a date or a time without a zone is New York's.

    Raises:
        OrderRefused: if it is not a time.
    """
    if not call.query.get(name):
        return None
    try:
        # A `+` that was not escaped arrives as a space.
        moment = datetime.fromisoformat(call.query[name].replace(" ", "+"))
    except ValueError:
        raise OrderRefused(Reason.INVALID, f"invalid {name}: expected RFC 3339") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)
