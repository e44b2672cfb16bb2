"""Answers that an enemy could have written: kept as bytes, their order looked up again, the wallet trades on."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from sandbox.venue.in_process import InProcessAdapter
from tests.brokerage.brokers.benches import VenueBench, decide
from tests.brokerage.brokers.test_misbehaviour import passes
from tests.brokerage.conftest import Connection, rows


class Damaging(HTTPAdapter):
    """Hands on the answers of a venue about its orders, as long as there is a damage with other bytes."""

    def __init__(self, inner: InProcessAdapter) -> None:
        super().__init__()
        self._inner = inner
        self.damage: Callable[[bytes], bytes] | None = None

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        answer = self._inner.send(request, *arguments, **options)
        if self.damage is not None and answer.ok and "/orders" in str(request.url):
            answer._content = self.damage(answer.content)
        return answer


def with_field(name: str, value: Any) -> Callable[[bytes], bytes]:
    """Set a field of an order, of each in a list, by the name that either venue has for it."""

    def damage(said: bytes) -> bytes:
        document = json.loads(said)
        for one in document if isinstance(document, list) else [document]:
            for alias in NAMES[name]:
                if alias in one:
                    one[alias] = value
        return json.dumps(document).encode()

    return damage


NAMES = {
    "status": ("status", "finish_as"),
    "symbol": ("symbol", "currency_pair"),
    "id": ("id",),
    "side": ("side",),
    "size": ("qty", "amount"),
    "filled": ("filled_qty", "filled_amount", "left"),
    "time": ("updated_at", "update_time_ms"),
}
HOSTILE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "null": lambda _: b"null",
    "a text": lambda _: b'"order"',
    "no letters": lambda _: b"\xff\xfe\x00",
    "cut": lambda said: said[:-1],
    "deep": lambda _: b"[" * 200_000,
    "long number": lambda _: b'{"id": ' + b"9" * 5000 + b"}",
    "NUL in the status": with_field("status", "new\0"),
    "half a letter": with_field("status", "\ud800"),
    "no status": with_field("status", None),
    "another symbol": with_field("symbol", "ETH_USDT"),
    "another side": with_field("side", "sell"),
    "a larger size": with_field("size", "30"),
    "a size of nothing": with_field("size", "0"),
    "a size below it": with_field("size", "-3"),
    "a size that is none": with_field("size", "NaN"),
    "a size of more digits than a column has": with_field("size", "1e200000"),
    "NUL in the id": with_field("id", "1\0"),
    "a long id": with_field("id", "1" * 100_000),
    "no id": with_field("id", ""),
    "more filled than ordered": with_field("filled", "-27"),
    "a time before time": with_field("time", "0001-01-01T00:00:00Z"),
    "a time without an offset": with_field("time", "2024-01-02T00:00:00"),
}


def test_whatever_a_venue_answers_is_kept_and_the_wallet_goes_on(remote: VenueBench, market: Connection) -> None:
    """Each hostile answer to a new order of its own: it is unknown, and filled in the end."""
    broker: Any = remote.broker
    session = broker._client._session if broker.name == "alpaca" else broker._client.exchange.session
    venue = Damaging(remote.at.adapter)
    session.mount("http://", venue)
    faults: dict[str, str] = {}
    ids: dict[str, str] = {}
    for name, damage in HOSTILE.items():
        ids[decide(remote, market, "1")] = name
        venue.damage = damage
        try:
            passes(remote, market, 1)
        except Exception as error:
            faults[name] = repr(error)
            market.rollback()
            market.execute("UPDATE trading.wallets SET state = 'active'")
            market.commit()
        venue.damage = None
        passes(remote, market, 60, 60)
    assert faults == {}
    found = rows(market, "SELECT o.intent_id, o.state, o.filled FROM trading.orders AS o")
    assert {ids[intent_id]: (state, filled) for intent_id, state, filled in found} == dict.fromkeys(
        HOSTILE, ("filled", 1)
    )
    assert sorted(remote.orders()) == sorted((intent_id, Decimal(1)) for intent_id in ids)
    assert rows(market, "SELECT quantity FROM trading.positions") == [(len(HOSTILE),)]
    query = "SELECT DISTINCT intent_id FROM trading.order_events WHERE state = 'unknown' AND message IS NOT NULL"
    unknown = {ids[intent_id] for (intent_id,) in rows(market, query)}
    assert unknown == set(HOSTILE)
