"""Alpaca's stocks in the sandbox: in New York's sessions alone, bars that are their trades, page by page."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox import alpaca_stocks
from sandbox.market import SHARES
from sandbox.shares import session_minutes
from sandbox.world import World
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from tests.sandbox.conftest import Worlds

NOW = "2026-11-28T12:00:00Z"  # Saturday after Thanksgiving; Friday ended at 13:00
WEDNESDAY = {"start": "2026-11-25T00:00:00Z", "end": "2026-11-26T00:00:00Z"}
GIVEN = {"symbol": "AAPL", "venue": "alpaca", "calendar": "XNYS"}


@pytest.fixture
def world(world_at: Worlds) -> World:
    return world_at(NOW)


def ask(world: World, kind: str, **query: object) -> Any:
    words = {"symbols": "AAPL", "feed": "iex", "limit": "10000"} | {name: str(value) for name, value in query.items()}
    return json.loads(alpaca_stocks.answer(world, f"v2/stocks/{kind}", words).body)


def rows(world: World, kind: str, **query: object) -> list[dict[str, Any]]:
    answer = ask(world, kind, **query)
    assert answer["next_page_token"] is None
    return list(answer[kind].get("AAPL", []))


def read(world: World, kind: str, protocol: str, interval: str = "1m", **query: object) -> list[dict[str, Any]]:
    body = json.dumps(ask(world, kind, **query)).encode()
    parsed = parse(load_protocol(protocol), body, given=GIVEN | {"interval": interval}, fetched_at=world.now())
    assert parsed.rejects == ()
    return [row for table in parsed.tables.values() for row in table.to_pylist()]


def test_shares_are_traded_in_sessions_alone_also_on_a_half_day(world: World) -> None:
    week = rows(world, "trades", start="2026-11-26T00:00:00Z", end="2026-11-29T00:00:00Z")
    assert {row["t"][:10] for row in week} == {"2026-11-27"}
    assert "2026-11-27T14:30" <= week[0]["t"] <= week[-1]["t"] < "2026-11-27T18:00"
    day = (datetime(2026, 11, 25, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert session_minutes(day) == (14 * 60 + 30, 21 * 60)
    assert session_minutes(day + 1) is None


@pytest.mark.parametrize(("timeframe", "minutes", "count"), [("1Min", 1, 390), ("5Min", 5, 78), ("30Min", 30, 13)])
def test_bars_are_the_trades_in_them(world: World, timeframe: str, minutes: int, count: int) -> None:
    trades: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for trade in rows(world, "trades", **WEDNESDAY):
        moment = datetime.fromisoformat(trade["t"])
        trades[(moment.hour * 60 + moment.minute) // minutes * minutes].append(trade)
    bars = rows(world, "bars", timeframe=timeframe, **WEDNESDAY)
    assert len(bars) == len(trades) == count
    for bar in bars:
        opened = datetime.fromisoformat(bar["t"])
        own = trades[opened.hour * 60 + opened.minute]
        prices = [trade["p"] for trade in own]
        assert (bar["o"], bar["h"], bar["l"], bar["c"]) == (prices[0], max(prices), min(prices), prices[-1])
        assert (bar["v"], bar["n"]) == (sum(trade["s"] for trade in own), len(own))


def test_answers_are_read_by_their_protocols_and_say_no_side(world: World) -> None:
    trades = read(world, "trades", "alpaca_stock_trades", **WEDNESDAY)
    assert len(trades) == 390 * 8
    assert {row["side"] for row in trades} == {None}
    assert len(read(world, "quotes", "alpaca_stock_quotes", **WEDNESDAY)) == 390 * 8
    assert len(read(world, "bars", "alpaca_stock_candles", timeframe="1Min", **WEDNESDAY)) == 390
    [day] = read(world, "bars", "alpaca_stock_candles", "1d", timeframe="1Day", **WEDNESDAY)
    assert day["open_time"] == datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
    assert (day["trade_count"], day["volume"]) == (len(trades), sum(row["size"] for row in trades))


def test_conditions_and_tapes_are_those_of_shares(world: World) -> None:
    found = rows(world, "trades", **WEDNESDAY)
    assert all((row["c"] == ["@", "I"]) == (row["s"] < 100) for row in found)
    assert {row["c"][-1] for row in found} == {"@", "I"}
    assert {(row["x"], row["z"]) for row in found} == {("V", "C")}
    assert set(SHARES) == {"AAPL", "FB", "GOOG", "IBM", "MSFT"}


@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_pages_of_any_size_hold_the_same_trades(world: World, limit: int) -> None:
    asked = {"start": "2026-11-25T20:58:00Z", "end": "2026-11-27T14:32:00Z"}  # over a night and a holiday
    found, token = [], None
    while True:
        page = ask(world, "trades", **asked, limit=limit, **({} if token is None else {"page_token": token}))
        found += page["trades"].get("AAPL", [])
        if (token := page["next_page_token"]) is None:
            break
    assert found == rows(world, "trades", **asked)
    assert len(found) == 4 * 8


def test_another_feed_or_symbol_is_refused_as_the_venue_does(world: World) -> None:
    assert alpaca_stocks.answer(world, "v2/stocks/trades", {"symbols": "AAPL", "feed": "sip"}).status == 403
    assert ask(world, "trades", symbols="NOPE") == {"message": "invalid symbol: NOPE"}
    assert alpaca_stocks.answer(world, "v2/stocks/auctions", {"symbols": "AAPL"}).status == 404
    assert alpaca_stocks.answer(world, "v1beta3/crypto/us/trades", {"symbols": "BTC/USDT"}).status == 200
