"""Alpaca's endpoints without a socket: bodies, lists, refusals, limits."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from sandbox.venue.calls import Request
from sandbox.venue.faults import Operation
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, SECRET
from sandbox.world import Reply
from tests.sandbox.venue.conftest import Clock, ask
from tests.sandbox.venue.test_execution import price

KEYS = {"apca-api-key-id": KEY, "apca-api-secret-key": SECRET}
ORDER = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "99"}


@pytest.fixture(autouse=True)
def market(alpaca: Venue) -> None:
    """AAPL is quoted at 100."""
    price(alpaca, "100")


def alpaca_reply(venue: Venue, method: str, path: str, body: Any = None, **query: str) -> Reply:
    """The answer to a request of the first account."""
    return ask(venue, method, f"v2/{path}", urlencode(query), KEYS, body)


def json_of(venue: Venue, method: str, path: str, body: Any = None, **query: str) -> Any:
    """The JSON of an answer, which must not be a refusal."""
    reply = alpaca_reply(venue, method, path, body, **query)
    assert reply.status < 300, reply.body
    return json.loads(reply.body)


@pytest.mark.parametrize(
    ("change", "status", "code", "message"),
    [
        ({"symbol": "XYZ"}, 422, 42210000, 'asset "XYZ" not found'),
        ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "NaN"}, 422, 40010001, "qty must be a number"),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"limit_price": None}, 422, 40010001, "limit orders require limit price"),
        ({"type": "iceberg"}, 422, 40010001, "invalid type"),
        ({"side": ""}, 422, 40010001, "side is required"),
        ({"type": "market"}, 422, 40010001, "market orders require no limit price"),
        ({"qty": "0.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        (
            {"limit_price": "99.001"},
            422,
            42210000,
            "invalid limit_price 99.001. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        ({"qty": "5000"}, 403, 40310000, "insufficient buying power"),
        ({"order_class": "bracket"}, 422, 40010001, "bracket orders require"),
        ({"client_order_id": "x" * 129}, 422, 40010001, "client_order_id must be no more than 128 characters"),
    ],
)
def test_a_refusal_has_alpacas_status_code_and_message(
    alpaca: Venue, change: dict[str, Any], status: int, code: int, message: str
) -> None:
    body = {name: value for name, value in {**ORDER, **change}.items() if value is not None}
    reply = alpaca_reply(alpaca, "POST", "orders", body)
    document = json.loads(reply.body)
    assert (reply.status, document["code"]) == (status, code)
    assert document["message"].startswith(message)
    assert alpaca.exchange.orders == {}


def test_orders_are_listed_by_status_symbol_side_and_time(alpaca: Venue, clock: Clock) -> None:
    ids = []
    for side, limit in (("buy", "99"), ("buy", "98"), ("buy", "101")):
        ids.append(json_of(alpaca, "POST", "orders", {**ORDER, "side": side, "limit_price": limit})["id"])
        clock.move(1)

    def listed(**query: str) -> list[int]:
        return [ids.index(order["id"]) for order in json_of(alpaca, "GET", "orders", **query)]

    assert listed() == [1, 0]
    assert listed(status="closed") == [2]
    assert listed(status="all", direction="asc", limit="2") == [0, 1]
    assert listed(status="all", after="2026-11-02T15:00:00Z") == [2, 1]
    assert listed(status="all", until="2026-11-02T15:00:00Z") == [0]
    assert listed(status="all", symbols="MSFT") == listed(status="all", side="sell") == []


def test_a_bracket_is_one_order_with_legs_when_it_is_asked_for_nested(alpaca: Venue) -> None:
    exits = {"take_profit": {"limit_price": 110}, "stop_loss": {"stop_price": 95}}
    placed = json_of(alpaca, "POST", "orders", {**ORDER, "order_class": "bracket", **exits})
    [nested] = json_of(alpaca, "GET", "orders", nested="true")
    assert [leg["type"] for leg in nested["legs"]] == ["limit", "stop"] == [leg["type"] for leg in placed["legs"]]
    assert {leg["status"] for leg in nested["legs"]} == {"held"}
    assert len(json_of(alpaca, "GET", "orders")) == 3


def test_positions_account_and_fills_agree(alpaca: Venue, clock: Clock) -> None:
    for _ in range(3):
        json_of(alpaca, "POST", "orders", {**ORDER, "limit_price": "101"})
        clock.move(1)
    price(alpaca, "110")
    position, account = json_of(alpaca, "GET", "positions/AAPL"), json_of(alpaca, "GET", "account")
    assert (position["qty"], position["avg_entry_price"], position["unrealized_pl"]) == ("30", "100", "300")
    assert (account["cash"], account["equity"], account["buying_power"]) == ("97000", "100300", "197300.00")
    fills = json_of(alpaca, "GET", "account/activities/FILL")
    assert [fill["transaction_time"] for fill in fills] == [f"2026-11-02T15:00:0{second}Z" for second in (2, 1, 0)]
    page = json_of(alpaca, "GET", "account/activities/FILL", page_size="2")
    rest = json_of(alpaca, "GET", "account/activities/FILL", page_token=page[-1]["id"])
    assert [*page, *rest] == fills
    closed = json_of(alpaca, "DELETE", "positions/AAPL")
    assert (closed["side"], closed["qty"]) == ("sell", "30")
    assert alpaca_reply(alpaca, "GET", "positions/AAPL").status == 404


def test_a_wrong_secret_and_an_unknown_path_are_refused(alpaca: Venue) -> None:
    assert ask(alpaca, "GET", "v2/account", "", {**KEYS, "apca-api-secret-key": "x"}).status == 401
    assert alpaca_reply(alpaca, "GET", "watchlists").status == 404
    assert alpaca_reply(alpaca, "POST", "orders", b"{").status == 422


def test_two_hundred_requests_a_minute_then_429_with_headers(alpaca: Venue, clock: Clock) -> None:
    for _ in range(200):
        assert alpaca_reply(alpaca, "GET", "clock").status == 200
    reply = alpaca_reply(alpaca, "GET", "clock")
    assert (reply.status, reply.headers["X-Ratelimit-Limit"], reply.headers["X-Ratelimit-Remaining"]) == (
        429,
        "200",
        "0",
    )
    clock.move(1)
    assert alpaca_reply(alpaca, "GET", "clock").status == 200


def test_stocks_clock_and_operations(alpaca: Venue) -> None:
    assert json_of(alpaca, "GET", "assets/AAPL")["class"] == "us_equity"
    assert len(json_of(alpaca, "GET", "assets")) == 5
    clock = json_of(alpaca, "GET", "clock")
    assert (clock["is_open"], clock["next_close"]) == (True, "2026-11-02T16:00:00-05:00")
    assert alpaca_operation(alpaca, "DELETE", "v2/orders/1") is Operation.CANCEL


def alpaca_operation(venue: Venue, method: str, path: str) -> Operation | None:
    """The operation by which the venue classifies a request, for limits and faults."""
    return venue.api.operation(Request(method, path, "", {}, b""))
