"""Laws of the core and of both APIs under arbitrary requests: nothing is lost, doubled or answered with a 500."""

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.venue import execution
from sandbox.venue.orders import FINISHED, Order, Side, Status
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, alpaca_venue, gate_venue
from tests.sandbox.venue.conftest import Clock, ask
from tests.sandbox.venue.test_alpaca_api import KEYS
from tests.sandbox.venue.test_execution import price
from tests.sandbox.venue.test_gate_api import gate_reply

LEVELS = st.integers(90, 110).map(str)
PRICES: dict[str, dict[str, st.SearchStrategy[str]]] = {
    "market": {},
    "limit": {"limit_price": LEVELS},
    "stop": {"stop_price": LEVELS},
    "stop_limit": {"stop_price": LEVELS, "limit_price": LEVELS},
    "trailing_stop": {"trail_percent": st.integers(1, 5).map(str)},
}
EXITS = st.fixed_dictionaries(
    {
        "order_class": st.sampled_from(["bracket", "oco"]),
        "take_profit": st.fixed_dictionaries({"limit_price": LEVELS}),
        "stop_loss": st.fixed_dictionaries({"stop_price": LEVELS}, optional={"limit_price": LEVELS}),
    }
)


@st.composite
def alpaca_orders(draw: st.DrawFn) -> dict[str, Any]:
    """An order that has the fields of its type; it may still be refused for its prices, or for want of a position."""
    order_type = draw(st.sampled_from(list(PRICES)))
    common = {
        "symbol": st.just("AAPL"),
        "side": st.sampled_from(["buy", "buy", "sell"]),
        "qty": st.integers(1, 20).map(str),
        "type": st.just(order_type),
        "time_in_force": st.sampled_from(["day", "gtc", "ioc", "fok"]),
    }
    return draw(st.fixed_dictionaries({**common, **PRICES[order_type]})) | draw(st.just({}) | EXITS)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), alpaca_orders()),
        st.tuples(st.just("price"), st.tuples(LEVELS, st.one_of(st.none(), st.integers(1, 15).map(str)))),
        st.tuples(st.sampled_from(["cancel", "replace", "close", "open"]), LEVELS),
    ),
    max_size=25,
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.decimals().map(str),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=6), children, max_size=3),
    max_leaves=5,
)


def request(venue: Venue, method: str, path: str, body: Any = None) -> int:
    """The status of an answer of Alpaca's API."""
    return ask(venue, method, f"v2/{path}", "", KEYS, body).status


def take(venue: Venue, step: str, value: Any) -> None:
    """One step of a program of orders."""
    if step == "order":
        assert request(venue, "POST", "orders", value) in (200, 403, 422)
    elif step == "price":
        price(venue, *value)
    elif step in ("close", "open"):
        (execution.close_session if step == "close" else execution.open_session)(venue.exchange)
    else:
        for order_id in list(venue.exchange.working)[:2]:
            body = {"limit_price": value} if step == "replace" else None
            status = request(venue, "PATCH" if body else "DELETE", f"orders/{order_id}", body)
            assert status in (200, 204, 403, 422)


@settings(max_examples=200)
@given(steps=STEPS, part=st.sampled_from([1.0, 0.3]))
def test_fills_positions_and_cash_agree_whatever_is_traded(steps: list[tuple[str, Any]], part: float) -> None:
    venue = alpaca_venue(Clock())
    venue.limits_are_on = False
    venue.exchange.partial_fill = lambda order: part
    price(venue, "100")
    for step, value in steps:
        take(venue, step, value)
    exchange, account = venue.exchange, venue.exchange.accounts[KEY]
    signed = [(fill, fill.quantity if fill.side is Side.BUY else -fill.quantity) for fill in exchange.fills]
    assert account.balance("AAPL") == sum((quantity for _, quantity in signed), Decimal(0))
    assert account.balance("USD") == 100_000 - sum((fill.price * quantity for fill, quantity in signed), Decimal(0))
    for order in exchange.orders.values():
        filled = sum((fill.quantity for fill in exchange.fills if fill.order_id == order.id), Decimal(0))
        assert filled == order.filled
        assert (order.id in exchange.working) == (order.status not in FINISHED)
        assert (order.status is Status.FILLED) == (order.left == 0)
        limit, is_buy = order.ticket.limit_price, order.ticket.side is Side.BUY
        for fill in exchange.fills:
            assert (
                fill.order_id != order.id or limit is None or (fill.price <= limit if is_buy else fill.price >= limit)
            )


def entered(venue: Venue, order: Order) -> Decimal:
    """What an entry has filled, with the orders that it replaced."""
    replaced = venue.exchange.orders.get(order.replaces or "")
    return order.filled + (entered(venue, replaced) if replaced else Decimal(0))


@settings(max_examples=200)
@given(steps=STEPS)
def test_linked_exits_never_sell_more_than_their_entry_bought(steps: list[tuple[str, Any]]) -> None:
    venue = alpaca_venue(Clock())
    venue.limits_are_on = False
    price(venue, "100")
    for step, value in steps:
        take(venue, step, value)
    for order in venue.exchange.orders.values():
        legs = [venue.exchange.orders[each] for each in order.legs]
        if legs and not order.rivals and order.status is not Status.REPLACED:
            assert sum((leg.filled for leg in legs), Decimal(0)) <= entered(venue, order)


@given(
    body=st.dictionaries(
        st.sampled_from(
            ["symbol", "side", "qty", "notional", "type", "time_in_force", "limit_price", "stop_price", "trail_price",
             "client_order_id", "order_class", "take_profit", "stop_loss", "extended_hours"]
        ),
        ANYTHING,
    ),
    template=st.booleans(),
)  # fmt: skip
def test_alpaca_answers_any_body_with_an_order_or_a_refusal(body: dict[str, Any], template: bool) -> None:
    venue = alpaca_venue(Clock())
    valid = {"symbol": "AAPL", "side": "buy", "qty": "1", "type": "limit", "time_in_force": "day", "limit_price": "90"}
    for method, path in (("POST", "orders"), ("PATCH", "orders/x")):
        assert request(venue, method, path, {**valid, **body} if template else body) in (200, 403, 404, 422)


@given(
    body=st.dictionaries(
        st.sampled_from(["currency_pair", "side", "amount", "price", "type", "time_in_force", "text", "account"]),
        ANYTHING,
    ),
    template=st.booleans(),
)
def test_gate_answers_any_body_with_an_order_or_a_refusal(body: dict[str, Any], template: bool) -> None:
    venue = gate_venue(Clock())
    valid = {"currency_pair": "BTC_USDT", "side": "buy", "amount": "0.1", "price": "40000"}
    assert gate_reply(venue, "POST", "spot/orders", {**valid, **body} if template else body).status in (201, 400)


@given(message=st.one_of(ANYTHING.map(json.dumps), st.text(), st.binary()))
def test_a_stream_survives_any_message(message: str | bytes) -> None:
    for venue in (alpaca_venue(Clock()), gate_venue(Clock())):
        venue.receive(venue.connect(), message)
