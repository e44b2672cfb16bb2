"""Alpaca's crypto data tells of the market what Gate.io tells, page by page."""

import json
from typing import Any

import pytest

from sandbox import alpaca_data, gateio
from sandbox.world import World
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.verdicts import BodyRefused
from tests.sandbox.conftest import HELD, Worlds
from tests.sandbox.test_kraken import MIDNIGHT

START, END = "2026-10-31T23:00:00Z", "2026-10-31T23:59:59.999999Z"
GIVEN = {"symbol": "BTC/USDT", "interval": "1m", "calendar": "24/7"}


@pytest.fixture
def world(world_at: Worlds) -> World:
    """Thirty seconds after that hour's midnight."""
    return world_at(HELD)


def ask(world: World, kind: str, **query: object) -> Any:
    """The answer about Bitcoin's hour before midnight."""
    words = {"symbols": "BTC/USDT", "start": START, "end": END} | {name: str(value) for name, value in query.items()}
    return json.loads(alpaca_data.answer(world, f"v1beta3/crypto/us/{kind}", words).body)


def pages(world: World, kind: str, limit: int, **query: object) -> list[dict[str, Any]]:
    """The rows of all pages."""
    rows, token = [], None
    while True:
        page = ask(world, kind, limit=limit, **query, **({} if token is None else {"page_token": token}))
        rows += page[kind].get("BTC/USDT", [])
        if (token := page["next_page_token"]) is None:
            return rows


@pytest.mark.parametrize("limit", [1, 7, 480, 1_000])
def test_pages_of_any_size_hold_the_trades_of_the_other_venue(world: World, limit: int) -> None:
    query = {"currency_pair": "BTC_USDT", "from": str(MIDNIGHT - 3_600), "to": str(MIDNIGHT - 1), "limit": "1000"}
    theirs = json.loads(gateio.answer(world, "api/v4/spot/trades", query).body)[::-1]
    rows = pages(world, "trades", limit)
    assert len(rows) == 480
    assert [(row["i"], row["p"], row["s"], row["tks"]) for row in rows] == [
        (int(trade["id"]), float(trade["price"]), float(trade["amount"]), trade["side"][0].upper()) for trade in theirs
    ]


@pytest.mark.parametrize(
    ("kind", "protocol", "record", "count"),
    [("trades", "alpaca_crypto_trades", "trade", 480), ("quotes", "alpaca_crypto_quotes", "quote", 480),
     ("bars", "alpaca_crypto_candles", "candle", 60)],
)  # fmt: skip
def test_answers_are_read_by_their_protocols(world: World, kind: str, protocol: str, record: str, count: int) -> None:
    body = json.dumps(ask(world, kind, limit=1_000, timeframe="1Min")).encode()
    parsed = parse(load_protocol(protocol), body, given=GIVEN, fetched_at=world.now())
    assert (parsed.tables[record].num_rows, parsed.rejects) == (count, ())
    nothing = json.dumps(ask(world, kind, start="2012-01-01T00:00:00Z", end="2011-01-01", timeframe="1Min")).encode()
    assert json.loads(nothing) == {kind: {}, "next_page_token": None}
    assert parse(load_protocol(protocol), nothing, given=GIVEN, fetched_at=world.now()).tables[record].num_rows == 0


@pytest.mark.parametrize("query", [{"symbols": "DOGE/USDT"}, {"limit": 0}, {"limit": "many"}, {"start": "yesterday"}])
def test_refusals_are_no_records(world: World, query: dict[str, Any]) -> None:
    answer = ask(world, "trades", **query)
    assert set(answer) == {"message"}
    with pytest.raises(BodyRefused, match="provider's error"):
        parse(load_protocol("alpaca_crypto_trades"), json.dumps(answer).encode(), given=GIVEN, fetched_at=world.now())
