"""Faults as a client of HTTP meets them, the switches, and what a page of another site cannot do."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import msgpack
import pytest
import requests
from websockets.exceptions import ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.sandbox.serving import Served
from tests.waiting import MOMENT

HOST = "paper-api.alpaca.markets"
ORDER = {"symbol": "MSFT", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture
def session(server: Served) -> Iterator[requests.Session]:
    """A connection of a new account."""
    key = str(uuid4())
    server.control("accounts", venue="alpaca", key=key, secret="s", balances={"USD": "100000"})
    with requests.Session() as opened:
        opened.headers.update({"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": "s"})
        yield opened


def submit(server: Served, session: requests.Session, client_id: str) -> requests.Response:
    """Place an order, waiting half a second for the answer."""
    url = f"{server.url}/{HOST}/v2/orders"
    return session.post(url, json={**ORDER, "client_order_id": client_id}, timeout=0.5)


def exists(server: Served, session: requests.Session, client_id: str) -> bool:
    """Whether the venue has an order."""
    url = f"{server.url}/{HOST}/v2/orders:by_client_order_id"
    return session.get(url, params={"client_order_id": client_id}, timeout=5).ok


@pytest.mark.parametrize(("kind", "accepted"), [("timeout_before", False), ("timeout_after", True)])
def test_no_answer_comes_over_the_wire(server: Served, session: requests.Session, kind: str, accepted: bool) -> None:
    server.control("faults", venue="alpaca", kind=kind, times=1, seconds=30)
    with pytest.raises(requests.ReadTimeout):
        submit(server, session, "a")
    assert exists(server, session, "a") is accepted


def test_a_connection_that_gets_no_answer_ends(server: Served, session: requests.Session) -> None:
    server.control("faults", venue="alpaca", kind="timeout_after", times=1, seconds=0.1)
    with pytest.raises(requests.ConnectionError):
        submit(server, session, "a")
    assert exists(server, session, "a")


def test_latency_is_waited_for(server: Served, session: requests.Session) -> None:
    server.control("faults", venue="alpaca", kind="latency", times=1, seconds=0.2)
    began = time.monotonic()
    assert submit(server, session, "a").ok
    assert time.monotonic() - began >= 0.2


def test_the_switches_say_what_happened_and_are_taken_back(server: Served, session: requests.Session) -> None:
    server.control("faults", venue="alpaca", kind="error_after", operations=["submit"], times=2, status=502)
    before = server.get("-/venue").json()["alpaca"]["counts"].get("error_after", 0)
    assert submit(server, session, "a").status_code == 502
    state = server.get("-/venue").json()["alpaca"]
    assert (state["counts"]["error_after"] - before, state["faults"][0]["times"]) == (1, 1)
    request = urllib.request.Request(f"{server.url}/-/venue/faults", method="DELETE")
    with urllib.request.urlopen(request) as response:
        assert json.load(response)["alpaca"]["faults"] == []


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("faults", {"venue": "alpaca", "kind": "storm"}),
        ("faults", {"venue": "nowhere", "kind": "latency"}),
        ("prices", {"venue": "alpaca", "symbol": "XYZ", "price": "1"}),
        ("prices", {"venue": "alpaca", "symbol": "MSFT", "price": "much"}),
        ("accounts", {"venue": "gate", "key": "k"}),
        ("session", {"venue": "alpaca", "open": "yes"}),
        ("limits", {"venue": "alpaca"}),
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(server: Served, path: str, document: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        server.control(path, **document)
    assert refused.value.code == 400
    assert "expected" in json.load(refused.value)["error"]


def test_the_session_is_closed_and_opened(server: Served) -> None:
    server.control("session", venue="alpaca", open=False)
    assert server.get("-/venue").json()["alpaca"]["session_is_open"] is False
    server.control("session", venue="alpaca", open=True)
    assert server.get("-/venue").json()["alpaca"]["session_is_open"] is True


@pytest.mark.parametrize("path", ["-/venue/faults", f"{HOST}/v2/orders"])
@pytest.mark.parametrize("header", [("Origin", "http://evil.example"), ("Content-Type", "text/plain")])
def test_a_page_of_another_site_changes_nothing(server: Served, path: str, header: tuple[str, str]) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    sent = {"Content-Type": "application/json", header[0]: header[1]}
    connection.request("POST", f"/{path}", json.dumps({"venue": "alpaca", "kind": "latency"}), sent)
    assert connection.getresponse().status == 403
    connection.close()


def test_a_page_of_another_site_gets_no_stream(server: Served) -> None:
    url = f"{server.url.replace('http', 'ws')}/{HOST}/stream"
    with pytest.raises(InvalidStatus), connect(url, origin=Origin("http://evil.example")):
        pass


def test_the_stream_sends_binary_frames_and_message_pack_where_it_is_asked_for(server: Served) -> None:
    url = f"{server.url.replace('http', 'ws')}/{HOST}/stream"
    with connect(url) as stream:
        stream.send(json.dumps({"action": "auth", "key": "k", "secret": "s"}))
        message = stream.recv()
        assert isinstance(message, bytes)
        assert json.loads(message)["data"]["status"] == "unauthorized"
    with connect(url, additional_headers={"Content-Type": "application/msgpack"}) as stream:
        stream.send(msgpack.packb({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert msgpack.unpackb(stream.recv())["data"] == {"status": "unauthorized", "action": "listen"}


def test_a_stream_ends_where_an_event_was_due(server: Served, session: requests.Session) -> None:
    with connect(f"{server.url.replace('http', 'ws')}/{HOST}/stream") as stream:
        key = session.headers["APCA-API-KEY-ID"]
        stream.send(json.dumps({"action": "auth", "key": key, "secret": "s"}))
        stream.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        assert [json.loads(stream.recv(timeout=MOMENT))["stream"] for _ in range(2)] == ["authorization", "listening"]
        server.control("faults", venue="alpaca", kind="disconnect", times=1)
        assert submit(server, session, "a").ok
        with pytest.raises(ConnectionClosedOK):
            stream.recv(timeout=MOMENT)


def test_requests_of_the_venues_are_noted_beside_the_others(server: Served, session: requests.Session) -> None:
    submit(server, session, "noted")
    newest = server.get("-/requests").json()[-1]
    assert (newest["method"], newest["host"], newest["path"], newest["status"]) == ("POST", HOST, "v2/orders", 200)
