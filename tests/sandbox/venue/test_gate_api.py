"""Gate.io's endpoints without a socket: signatures, client ids, refusals, the dead-man switch, the channels."""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from sandbox.venue.feed import Feed
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, SECRET
from sandbox.world import Reply
from tests.sandbox.venue.conftest import Clock, ask
from tests.sandbox.venue.test_execution import price

ORDER = {"currency_pair": "BTC_USDT", "side": "buy", "amount": "0.1", "price": "40000", "text": "t-a"}
PAIR = {"currency_pair": "BTC_USDT"}


@pytest.fixture(autouse=True)
def market(gate: Venue) -> None:
    """Bitcoin stands at 50,000."""
    price(gate, "50000", symbol="BTC_USDT")


def signed(text: str) -> str:
    """A signature of the first account."""
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha512).hexdigest()


def gate_reply(venue: Venue, method: str, path: str, body: Any = None, **query: str) -> Reply:
    """The answer to a signed request."""
    sent, asked, seconds = (
        json.dumps(body).encode() if body else b"",
        urlencode(query),
        str(int(venue.clock().timestamp())),
    )
    line = "\n".join([method, f"/api/v4/{path}", asked, hashlib.sha512(sent).hexdigest(), seconds])
    return ask(venue, method, f"api/v4/{path}", asked, {"key": KEY, "timestamp": seconds, "sign": signed(line)}, sent)


def json_of(venue: Venue, method: str, path: str, body: Any = None, **query: str) -> Any:
    """The JSON of an answer that is no refusal."""
    reply = gate_reply(venue, method, path, body, **query)
    assert reply.status < 300, reply.body
    return json.loads(reply.body)


def test_a_request_is_the_accounts_whose_secret_signed_it(gate: Venue, clock: Clock) -> None:
    now = str(int(clock().timestamp()))
    line = "\n".join(["GET", "/api/v4/spot/accounts", "", hashlib.sha512(b"").hexdigest(), now])
    headers = {"key": KEY, "timestamp": now, "sign": signed(line)}

    def label(**changes: str) -> tuple[int, str]:
        reply = ask(gate, "GET", "api/v4/spot/accounts", "", {**headers, **changes})
        document = json.loads(reply.body)
        return reply.status, document["label"] if isinstance(document, dict) else "OK"

    assert label() == (200, "OK")
    assert label(key="another") == (401, "INVALID_KEY")
    assert label(sign=signed("another")) == label(timestamp="1") == (401, "INVALID_SIGNATURE")
    assert label(**{"x-gate-exptime": str(int(now) * 1000 - 1)}) == (403, "REQUEST_EXPIRED")
    clock.move(61)
    assert label() == (403, "REQUEST_EXPIRED")


def test_a_finished_orders_client_id_is_known_for_an_hour(gate: Venue, clock: Clock) -> None:
    order = json_of(gate, "POST", "spot/orders", {**ORDER, "price": "51000"})
    assert (order["status"], order["finish_as"], order["filled_total"]) == ("closed", "filled", "5000")
    assert json_of(gate, "GET", "spot/orders/t-a", **PAIR)["id"] == order["id"]
    clock.move(3_601)
    reply = gate_reply(gate, "GET", "spot/orders/t-a", **PAIR)
    assert (reply.status, json.loads(reply.body)["label"]) == (404, "CLIENT_ID_NOT_FOUND")
    assert json_of(gate, "GET", f"spot/orders/{order['id']}", **PAIR)["text"] == "t-a"
    assert [trade["order_id"] for trade in json_of(gate, "GET", "spot/my_trades", **PAIR)] == [order["id"]]


def test_the_venue_takes_a_client_id_twice_and_finds_the_later_order(gate: Venue) -> None:
    first, second = (json_of(gate, "POST", "spot/orders", ORDER)["id"] for _ in range(2))
    assert first != second == json_of(gate, "GET", "spot/orders/t-a", **PAIR)["id"]


@pytest.mark.parametrize(
    ("change", "label", "message"),
    [
        ({"currency_pair": "XYZ_USDT"}, "INVALID_CURRENCY_PAIR", "Invalid currency pair XYZ_USDT"),
        ({"amount": ""}, "MISSING_REQUIRED_PARAM", "Missing required parameter: amount"),
        ({"amount": "1e99"}, "INVALID_PARAM_VALUE", "Invalid request parameter `amount` value: 1e99"),
        ({"amount": "x"}, "INVALID_PARAM_VALUE", "Invalid request parameter `amount` value: x"),
        ({"amount": "0.000001"}, "INVALID_PRECISION", "Invalid precision: qty 0.000001"),
        ({"amount": "0.00001"}, "INVALID_PARAM_VALUE", "Your order size is too small. The minimum is 3 USDT"),
        ({"text": "a"}, "INVALID_PARAM_VALUE", "Invalid request parameter `text` value: a"),
        ({"text": "t-" + "x" * 29}, "INVALID_PARAM_VALUE", "Invalid request parameter `text` value"),
        ({"type": "market"}, "INVALID_PARAM_VALUE", "Invalid request parameter `time_in_force` value: gtc"),
        ({"side": "sell"}, "BALANCE_NOT_ENOUGH", "Not enough balance"),
        ({"price": "51000", "time_in_force": "poc"}, "POC_FILL_IMMEDIATELY", "Order would match"),
    ],
)
def test_a_refusal_has_gates_label_and_words(gate: Venue, change: dict[str, str], label: str, message: str) -> None:
    reply = gate_reply(gate, "POST", "spot/orders", {**ORDER, **change})
    document = json.loads(reply.body)
    assert (reply.status, document["label"]) == (400, label)
    assert document["message"].startswith(message)


def test_an_immediate_order_is_cancelled_with_its_reason(gate: Venue) -> None:
    price(gate, "50000", size="0.04", symbol="BTC_USDT")
    order = json_of(gate, "POST", "spot/orders", {**ORDER, "price": "50000", "time_in_force": "ioc"})
    assert [order[name] for name in ("status", "finish_as", "left")] == ["cancelled", "ioc", "0.06"]


def test_an_amended_order_needs_funds_too(gate: Venue) -> None:
    order = json_of(gate, "POST", "spot/orders", ORDER)
    reply = gate_reply(gate, "PATCH", f"spot/orders/{order['id']}", {"amount": "3"}, **PAIR)
    assert json.loads(reply.body)["label"] == "BALANCE_NOT_ENOUGH"
    assert json_of(gate, "PATCH", f"spot/orders/{order['id']}", {"amount": "2"}, **PAIR)["left"] == "2"


def test_the_dead_man_switch_cancels_what_was_not_renewed(gate: Venue, clock: Clock) -> None:
    json_of(gate, "POST", "spot/orders", ORDER)
    json_of(gate, "POST", "spot/countdown_cancel_all", {"timeout": 30})
    clock.move(29)
    json_of(gate, "POST", "spot/countdown_cancel_all", {"timeout": 30})
    clock.move(29)
    assert len(json_of(gate, "GET", "spot/open_orders")) == 1
    clock.move(1)
    assert json_of(gate, "GET", "spot/open_orders") == []


def test_orders_are_paged_and_cancelled_together(gate: Venue) -> None:
    ids = [json_of(gate, "POST", "spot/orders", {**ORDER, "text": f"t-{each}"})["id"] for each in range(3)]
    listed = [json_of(gate, "GET", "spot/orders", status="open", limit="2", page=page, **PAIR) for page in ("1", "2")]
    assert [order["id"] for page in listed for order in page] == ids[::-1]
    assert {order["status"] for order in json_of(gate, "DELETE", "spot/orders", **PAIR)} == {"cancelled"}
    assert len(json_of(gate, "GET", "spot/orders", status="finished", **PAIR)) == 3


def test_ten_orders_a_second_then_429_with_headers(gate: Venue, clock: Clock) -> None:
    for _ in range(10):
        assert gate_reply(gate, "POST", "spot/orders", ORDER).status == 201
    reply = gate_reply(gate, "POST", "spot/orders", ORDER)
    assert (reply.status, json.loads(reply.body)["label"]) == (429, "TOO_MANY_REQUESTS")
    assert reply.headers["X-Gate-RateLimit-Requests-Remain"] == "0"
    assert gate_reply(gate, "GET", "spot/orders/t-a", **PAIR).status == 200
    clock.move(1)
    assert gate_reply(gate, "POST", "spot/orders", ORDER).status == 201


def subscribed(venue: Venue, clock: Clock, *channels: str) -> Feed:
    """A stream that listens to channels of the pair."""
    feed, now = venue.connect(), int(clock().timestamp())
    for channel in channels:
        auth = {"method": "api_key", "KEY": KEY, "SIGN": signed(f"channel={channel}&event=subscribe&time={now}")}
        asked = {"time": now, "channel": channel, "event": "subscribe", "payload": ["BTC_USDT"], "auth": auth}
        venue.receive(feed, json.dumps(asked))
    assert [json.loads(each)["result"] for each in feed.due()] == [{"status": "success"}] * len(channels)
    return feed


def test_a_stream_is_told_of_orders_and_trades_with_the_ids_of_rest(gate: Venue, clock: Clock) -> None:
    feed = subscribed(gate, clock, "spot.orders", "spot.usertrades")
    json_of(gate, "POST", "spot/orders", {**ORDER, "price": "51000"})
    told = [json.loads(each) for each in feed.due()]
    rows = [(each["channel"], each["result"][0]) for each in told]
    assert [(channel, row.get("event")) for channel, row in rows] == [
        ("spot.orders", "put"),
        ("spot.usertrades", None),
        ("spot.orders", "finish"),
    ]
    [trade] = json_of(gate, "GET", "spot/my_trades", **PAIR)
    assert (str(rows[1][1]["id"]), rows[1][1]["order_id"]) == (trade["id"], trade["order_id"])
    assert rows[2][1]["finish_as"] == "filled"


def test_a_stream_without_a_signature_is_told_nothing(gate: Venue, clock: Clock) -> None:
    feed = gate.connect()
    gate.receive(feed, json.dumps({"time": 1, "channel": "spot.ping"}))
    gate.receive(feed, json.dumps({"time": 1, "channel": "spot.orders", "event": "subscribe", "payload": ["!all"]}))
    gate.receive(feed, "no json")
    said = [json.loads(each) for each in feed.due()]
    assert [(each["channel"], (each["error"] or {}).get("code")) for each in said] == [
        ("spot.pong", None),
        ("spot.orders", 4),
        ("None", 2),
    ]
    json_of(gate, "POST", "spot/orders", ORDER)
    assert feed.due() == []
