"""Faults without a socket: what the client is told, what the venue has done, and that each is counted."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from sandbox.venue.faults import APPLIES_TO, Fault, FaultRuleError, Operation, fault_rule
from sandbox.venue.in_process import InProcessAdapter
from sandbox.venue.venue import Venue
from sandbox.venue.venues import KEY, SECRET
from tests.sandbox.venue.conftest import Clock
from tests.sandbox.venue.test_execution import price

URL = "http://venue/paper-api.alpaca.markets/v2/orders"
ORDER = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}


class Client:
    """A plain client of Alpaca's API, by `requests` without a socket."""

    def __init__(self, venue: Venue, clock: Clock) -> None:
        self.session = requests.Session()
        self.session.mount("http://", InProcessAdapter({venue.api.host: venue}, clock.move))
        self.session.headers.update({"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET})

    def submit(self, client_id: str = "a", **changes: Any) -> requests.Response:
        """Place an order, waiting ten seconds for an answer."""
        return self.session.post(URL, json={**ORDER, "client_order_id": client_id, **changes}, timeout=10)

    def look_up(self, client_id: str = "a") -> requests.Response:
        """Ask for an order by its client id."""
        return self.session.get(f"{URL}:by_client_order_id", params={"client_order_id": client_id}, timeout=10)


@pytest.fixture
def client(alpaca: Venue, clock: Clock) -> Client:
    """A client of the venue, while AAPL stands at 100."""
    price(alpaca, "100")
    return Client(alpaca, clock)


def misbehave(venue: Venue, kind: Fault, **rule: Any) -> None:
    """Put a fault in force."""
    venue.faults.rules.append(fault_rule({"kind": kind.value, **rule}))


@pytest.mark.parametrize(("kind", "status"), [(Fault.TIMEOUT_BEFORE, 404), (Fault.TIMEOUT_AFTER, 200)])
def test_a_time_out_says_nothing_about_the_order(
    client: Client, alpaca: Venue, clock: Clock, kind: Fault, status: int
) -> None:
    misbehave(alpaca, kind, times=1)
    before = clock()
    with pytest.raises(requests.ReadTimeout):
        client.submit()
    assert (clock() - before).total_seconds() == 10
    assert client.look_up().status_code == status
    assert alpaca.faults.counts == {kind: 1}


@pytest.mark.parametrize(
    ("kind", "answer", "exists"),
    [(Fault.ERROR_BEFORE, 503, False), (Fault.ERROR_AFTER, 503, True), (Fault.RATE_LIMIT, 429, False)],
)
def test_an_error_says_nothing_about_the_order_either(
    client: Client, alpaca: Venue, kind: Fault, answer: int, exists: bool
) -> None:
    misbehave(alpaca, kind, times=1, operations=["submit"])
    assert client.submit().status_code == answer
    assert client.look_up().ok is exists
    assert alpaca.faults.counts == {kind: 1}


def test_latency_passes_on_the_clients_clock(client: Client, alpaca: Venue, clock: Clock) -> None:
    misbehave(alpaca, Fault.LATENCY, seconds=3)
    before = clock()
    assert client.submit().ok
    assert (clock() - before).total_seconds() == 3


def test_a_late_look_up_finds_the_order_only_after_a_while(client: Client, alpaca: Venue, clock: Clock) -> None:
    misbehave(alpaca, Fault.LATE_LOOKUP, seconds=4)
    order = client.submit().json()
    listed = client.session.get(URL, params={"status": "all"}).json()
    assert (client.look_up().status_code, client.session.get(f"{URL}/{order['id']}").status_code, listed) == (
        404,
        404,
        [],
    )
    clock.move(4)
    assert client.look_up().json()["id"] == order["id"]


def test_a_forgotten_client_id_stays_forgotten_while_the_order_is_found_otherwise(
    client: Client, alpaca: Venue
) -> None:
    misbehave(alpaca, Fault.FORGET_CLIENT_ID, times=1)
    order = client.submit().json()
    assert [client.look_up().status_code for _ in range(2)] == [404, 404]
    assert client.session.get(f"{URL}/{order['id']}").json()["status"] == "filled"
    client.submit("b")
    assert client.look_up("b").ok


@pytest.mark.parametrize("kind", [Fault.NOT_JSON, Fault.MISSING_FIELDS, Fault.UNKNOWN_STATUS, Fault.CONTRADICTION])
def test_a_damaged_answer_hides_an_order_that_exists(client: Client, alpaca: Venue, kind: Fault) -> None:
    misbehave(alpaca, kind, times=1)
    answer = client.submit()
    assert answer.status_code == 200
    if kind is Fault.NOT_JSON:
        with pytest.raises(ValueError, match="Expecting value"):
            answer.json()
    else:
        document: Mapping[str, Any] = answer.json()
        said = document.get("status"), document.get("side"), document.get("qty")
        assert said in [(None, "buy", "10"), ("under_review", "buy", "10"), ("pending_new", "sell", "20")]
    assert client.look_up().json()["filled_qty"] == "10"


def listening(venue: Venue) -> Any:
    """A stream that is authorized and listens."""
    feed = venue.connect()
    venue.receive(feed, json.dumps({"action": "auth", "key": KEY, "secret": SECRET}))
    venue.receive(feed, json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
    assert [json.loads(each)["stream"] for each in feed.due()] == ["authorization", "listening"]
    return feed


def told(feed: Any) -> list[str]:
    """The events that have come."""
    return [json.loads(each)["data"]["event"] for each in feed.due()]


def test_events_come_twice_late_or_not_at_all(client: Client, alpaca: Venue, clock: Clock) -> None:
    feed = listening(alpaca)
    misbehave(alpaca, Fault.DUPLICATE_EVENT, times=1, seconds=2)
    client.submit("a")
    clock.move(2)
    assert sorted(told(feed)) == ["fill", "new", "pending_new", "pending_new"]
    misbehave(alpaca, Fault.LATE_EVENT, times=1, seconds=2)
    client.submit("b")
    assert told(feed) == ["new", "fill"]
    clock.move(2)
    assert told(feed) == ["pending_new"]
    misbehave(alpaca, Fault.LOST_EVENT, times=1)
    client.submit("c")
    clock.move(60)
    assert told(feed) == ["new", "fill"]


def test_a_fill_comes_before_its_order_and_before_the_answer(client: Client, alpaca: Venue, clock: Clock) -> None:
    feed = listening(alpaca)
    misbehave(alpaca, Fault.FILL_BEFORE_ACK, seconds=3)
    before = clock()
    answer = client.submit()
    assert (answer.json()["status"], answer.json()["filled_qty"]) == ("pending_new", "0")
    assert told(feed) == ["fill", "pending_new", "new"]
    assert (clock() - before).total_seconds() == 3


def test_partial_fills_add_up(client: Client, alpaca: Venue) -> None:
    feed = listening(alpaca)
    misbehave(alpaca, Fault.PARTIAL_FILL, times=3)
    client.submit()
    for _ in range(4):
        alpaca.advance()
    assert told(feed) == ["pending_new", "new", "partial_fill", "partial_fill", "partial_fill", "fill"]
    assert client.look_up().json()["filled_qty"] == "10"


def test_a_clock_that_is_off_shows_in_every_time(client: Client, alpaca: Venue, clock: Clock) -> None:
    misbehave(alpaca, Fault.CLOCK_SKEW, seconds=-5)
    assert client.submit().json()["created_at"] == "2026-11-02T14:59:55Z"
    assert alpaca.faults.counts[Fault.CLOCK_SKEW] == 1


def test_the_same_seed_draws_the_same_faults(clock: Clock) -> None:
    def statuses(seed: int) -> list[int]:
        from sandbox.venue.venues import alpaca_venue

        venue = alpaca_venue(clock, seed=seed)
        price(venue, "100")
        misbehave(venue, Fault.ERROR_BEFORE, chance=0.3, operations=["submit"])
        client = Client(venue, clock)
        return [client.submit(str(each)).status_code for each in range(40)]

    assert statuses(1) == statuses(1) != statuses(2)
    assert 4 <= statuses(1).count(503) <= 20


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "storm"},
        {"kind": "latency", "chance": 0},
        {"kind": "latency", "times": 0},
        {"kind": "latency", "seconds": -1},
        {"kind": "error_after", "operations": ["lookup"]},
        {"kind": "error_after", "status": 404},
        {"kind": "latency", "colour": "red"},
    ],
)
def test_a_rule_that_cannot_be_used_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(FaultRuleError, match="expected"):
        fault_rule(rule)


def test_every_kind_of_fault_has_operations() -> None:
    assert set(APPLIES_TO) == set(Fault)
    assert all(operations <= set(Operation) for operations in APPLIES_TO.values())


def test_a_fault_without_an_effect_is_not_counted(client: Client, alpaca: Venue) -> None:
    misbehave(alpaca, Fault.FILL_BEFORE_ACK, times=1)
    misbehave(alpaca, Fault.UNKNOWN_STATUS, times=1, operations=["list"])
    assert client.submit(type="limit", limit_price="1").ok
    assert client.session.get(URL, params={"symbols": "IBM"}).json() == []
    assert (alpaca.faults.counts.total(), [rule.times for rule in alpaca.faults.rules]) == (0, [1, 1])
