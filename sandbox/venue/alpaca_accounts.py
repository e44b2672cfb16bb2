"""Alpaca's endpoints besides orders: account, positions, fills, clock, assets."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import dropwhile, islice

from sandbox.venue import execution, order_entry
from sandbox.venue.alpaca_format import (
    Json,
    account_document,
    activity,
    activity_id,
    asset_document,
    clock_document,
    identifier,
    order_document,
    position_document,
)
from sandbox.venue.alpaca_orders import cancel_all, query_time
from sandbox.venue.alpaca_refusals import refusal
from sandbox.venue.calls import Call, number, row_count
from sandbox.venue.decimals import floor_to
from sandbox.venue.instruments import Instrument
from sandbox.venue.orders import Fill, OrderRefused, OrderType, Reason, Side, Ticket, TimeInForce
from sandbox.world import Reply, json_reply

DEFAULT_PAGE = 100


def account(call: Call) -> Reply:
    """`GET /v2/account`."""
    return json_reply(account_document(call.exchange, call.account))


def positions(call: Call) -> Reply:
    """`GET /v2/positions`."""
    instruments = call.exchange.rules.instruments.values()
    held = (instrument for instrument in instruments if call.account.balance(instrument.base))
    return json_reply([position_document(call.exchange, call.account, instrument) for instrument in held])


def position(call: Call) -> Reply:
    """`GET /v2/positions/{symbol or asset id}`."""
    instrument, _ = _open_position(call)
    return json_reply(position_document(call.exchange, call.account, instrument))


def close_position(call: Call) -> Reply:
    """`DELETE /v2/positions/{symbol}`: a market order for all of it, or for `qty` or `percentage`."""
    instrument, position = _open_position(call)
    part = (number(call.query, "percentage") or Decimal(100)) / 100
    quantity = number(call.query, "qty") or floor_to(abs(position) * part, instrument.quantity_step)
    return json_reply(_closing_order(call, instrument, quantity))


def close_all_positions(call: Call) -> Reply:
    """`DELETE /v2/positions`: a market order for each position; `cancel_orders=true` first cancels all orders."""
    if call.query.get("cancel_orders", "").lower() == "true":
        cancel_all(call)
        # What the orders hold back has to be free before it can be sold.
        execution.advance(call.exchange)
    rows = []
    for instrument in call.exchange.rules.instruments.values():
        if quantity := abs(call.account.balance(instrument.base)):
            try:
                status, body = 200, _closing_order(call, instrument, quantity)
            except OrderRefused as refused:
                status, body = refusal(refused)
            rows.append({"symbol": instrument.symbol, "order_id": body.get("id"), "status": status, "body": body})
    return json_reply(rows, status=207)


def _closing_order(call: Call, instrument: Instrument, quantity: Decimal) -> Json:
    side = Side.SELL if call.account.balance(instrument.base) > 0 else Side.BUY
    ticket = Ticket(instrument.symbol, side, OrderType.MARKET, quantity, time_in_force=TimeInForce.DAY)
    return order_document(call.exchange, order_entry.place(call.exchange, call.account.key, ticket))


def _open_position(call: Call) -> tuple[Instrument, Decimal]:
    instrument = _instrument(call)
    quantity = call.account.balance(instrument.base)
    if not quantity:
        raise OrderRefused(Reason.NOT_FOUND, "position does not exist")
    return instrument, quantity


def fills(call: Call) -> Reply:
    """`GET /v2/account/activities/FILL`: newest first unless `direction` is `asc`, paged by the last id."""
    is_descending = call.query.get("direction", "desc") == "desc"
    ordered = sorted(_matching_fills(call), key=activity_id, reverse=is_descending)
    rows: Iterator[Json] = (activity(call.account, call.exchange.orders[fill.order_id], fill) for fill in ordered)
    if token := call.query.get("page_token"):
        rows = islice(dropwhile(lambda row: row["id"] != token, rows), 1, None)
    return json_reply(list(islice(rows, row_count(call.query, "page_size", DEFAULT_PAGE, DEFAULT_PAGE))))


def _matching_fills(call: Call) -> Iterator[Fill]:
    after, until = query_time(call, "after"), query_time(call, "until")
    for fill in call.exchange.fills:
        is_asked = not (after and fill.time <= after) and not (until and fill.time > until)
        if (
            fill.account == call.account.key
            and is_asked
            and call.exchange.is_visible(call.exchange.orders[fill.order_id])
        ):
            yield fill


def clock(call: Call) -> Reply:
    """`GET /v2/clock`."""
    return json_reply(clock_document(call.exchange.now(), is_open=call.exchange.session_is_open))


def assets(call: Call) -> Reply:
    """`GET /v2/assets`."""
    return json_reply([asset_document(instrument) for instrument in call.exchange.rules.instruments.values()])


def asset(call: Call) -> Reply:
    """`GET /v2/assets/{symbol or id}`."""
    return json_reply(asset_document(_instrument(call)))


def _instrument(call: Call) -> Instrument:
    symbol_or_id = call.parts["symbol"]
    for instrument in call.exchange.rules.instruments.values():
        if symbol_or_id in (instrument.symbol, identifier("asset", instrument.symbol)):
            return instrument
    raise OrderRefused(Reason.NOT_FOUND, f"asset not found for {symbol_or_id}")
