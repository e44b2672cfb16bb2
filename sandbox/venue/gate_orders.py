"""The endpoints of Gate.io's `/spot/orders`, `/spot/open_orders` and `/spot/my_trades`.

An order is looked up by the venue's id or the client's (`t-...`). A finished order is found by the client's id for a
limited time: the reference said an hour, users report less (gateapi-go 41). Two orders may share a client id; the
look-up then returns the later one (a maintainer, same thread).
"""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from sandbox.venue import execution, order_entry
from sandbox.venue.calls import Call, number, row_count
from sandbox.venue.gate_format import milliseconds, order_document, parse_ticket, trade_document
from sandbox.venue.orders import Order, OrderRefused, Reason, Status
from sandbox.world import Reply, json_reply

Row = TypeVar("Row")
DEFAULT_ROWS, MOST_ROWS, MOST_PAGES = 100, 1_000, 100_000
SHORTEST_COUNTDOWN = 5  # seconds


def submit(call: Call) -> Reply:
    """`POST /spot/orders`: the reply includes immediate fills."""
    order = order_entry.place(call.exchange, call.account.key, parse_ticket(call.body))
    if call.with_fills:
        execution.advance(call.exchange)
    return json_reply(order_document(call.exchange, order), status=201)


def by_id(call: Call) -> Reply:
    """`GET /spot/orders/{id or client id}`."""
    return json_reply(order_document(call.exchange, _find(call)))


def cancel(call: Call) -> Reply:
    """`DELETE /spot/orders/{id or client id}`: synchronous."""
    order = _find(call)
    order_entry.request_cancel(call.exchange, order)
    execution.advance(call.exchange)
    # It may have been filled first.
    if order.status is not Status.CANCELED:
        raise OrderRefused(Reason.FINISHED, "Order already closed", status=order.status.value)
    return json_reply(order_document(call.exchange, order))


def cancel_all(call: Call) -> Reply:
    """`DELETE /spot/orders`: cancel all open orders, of one pair or side if given."""
    side = call.query.get("side")
    orders = [order for order in _open_orders(call) if side in (None, order.ticket.side)]
    for order in orders:
        order_entry.request_cancel(call.exchange, order)
    execution.advance(call.exchange)
    return json_reply([order_document(call.exchange, order) for order in orders])


def amend(call: Call) -> Reply:
    """`PATCH /spot/orders/{id or client id}`: amend amount or price in place."""
    order, changes = _find(call), {**call.query, **call.body}
    text = str(changes.get("amend_text") or "-")
    quantity, price = number(changes, "amount"), number(changes, "price")
    order_entry.amend(call.exchange, order, quantity=quantity, price=price, text=text)
    execution.advance(call.exchange)
    return json_reply(order_document(call.exchange, order))


def list_orders(call: Call) -> Reply:
    """`GET /spot/orders`: open or finished orders, newest first, paged."""
    if call.query.get("status") not in ("open", "finished"):
        raise OrderRefused(Reason.INVALID, f"Invalid request parameter `status` value: {call.query.get('status')}")
    rows = _page(call, _listed(call, is_finished=call.query["status"] == "finished"))
    return json_reply([order_document(call.exchange, order) for order in rows])


def open_orders(call: Call) -> Reply:
    """`GET /spot/open_orders`: grouped by pair."""
    orders = [order for order in _open_orders(call) if call.exchange.is_visible(order)]
    symbols = dict.fromkeys(order.ticket.symbol for order in orders)
    groups = {symbol: [order for order in orders if order.ticket.symbol == symbol] for symbol in symbols}
    return json_reply(
        [
            {
                "currency_pair": symbol,
                "total": len(group),
                "orders": [order_document(call.exchange, order) for order in group],
            }
            for symbol, group in groups.items()
        ]
    )


def my_trades(call: Call) -> Reply:
    """`GET /spot/my_trades`: fills by order or time range (seconds), newest first, paged."""
    first, last = _seconds(call, "from"), _seconds(call, "to")
    fills = (
        fill
        for fill in reversed(call.exchange.fills)
        if fill.account == call.account.key
        and call.query.get("currency_pair", fill.symbol) == fill.symbol
        and call.query.get("order_id", fill.order_id) == fill.order_id
        and (first is None or fill.time.timestamp() >= first)
        and (last is None or fill.time.timestamp() < last + 1)
        and call.exchange.is_visible(call.exchange.orders[fill.order_id])
    )
    return json_reply([trade_document(call.exchange, fill) for fill in _page(call, fills)])


def countdown(call: Call) -> Reply:
    """`POST /spot/countdown_cancel_all`: dead-man switch of `timeout` seconds; 0 disables it."""
    seconds = number(call.body, "timeout")
    if seconds is None or seconds < 0 or 0 < seconds < SHORTEST_COUNTDOWN:
        raise OrderRefused(Reason.INVALID, f"Invalid request parameter `timeout` value: {call.body.get('timeout')}")
    due = call.exchange.now() + timedelta(seconds=float(seconds))
    call.exchange.cancel_at.pop(call.account.key, None)
    if seconds:
        call.exchange.cancel_at[call.account.key] = due
    return json_reply({"triggerTime": milliseconds(due) if seconds else 0})


def _find(call: Call) -> Order:
    order_id, key = call.parts["order_id"], call.account.key
    if "currency_pair" not in call.query and "currency_pair" not in call.body:
        raise OrderRefused(Reason.MISSING, "currency_pair")
    find = call.exchange.find_by_client_id if order_id.startswith("t-") else call.exchange.find
    return find(key, order_id)


def _open_orders(call: Call) -> list[Order]:
    pair = call.query.get("currency_pair")
    return [order for order in call.exchange.working_of(call.account.key) if pair in (None, order.ticket.symbol)]


def _listed(call: Call, *, is_finished: bool) -> Iterator[Order]:
    pair, side = call.query.get("currency_pair"), call.query.get("side")
    first, last = _seconds(call, "from"), _seconds(call, "to")
    for order in reversed((call.exchange.orders if is_finished else call.exchange.working).values()):
        created = order.created_at.timestamp()
        if (
            order.account == call.account.key
            and order.is_finished == is_finished
            and pair in (None, order.ticket.symbol)
            and side in (None, order.ticket.side)
            and (first is None or created >= first)
            and (last is None or created < last + 1)
            and call.exchange.is_visible(order)
        ):
            yield order


def _page(call: Call, rows: Iterator[Row]) -> list[Row]:
    count = row_count(call.query, "limit", DEFAULT_ROWS, MOST_ROWS)
    page = row_count(call.query, "page", 1, MOST_PAGES)
    return list(islice(rows, (page - 1) * count, page * count))


def _seconds(call: Call, name: str) -> float | None:
    value = number(call.query, name)
    return None if value is None else float(value)
