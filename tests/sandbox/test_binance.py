"""Binance's API as the sandbox speaks it: the market that Gate.io's shows, in Binance's shapes."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox import binance, gateio
from sandbox.world import World
from tests.sandbox.conftest import HELD, Worlds

MIDNIGHT = 1793491200  # 2026-11-01T00:00:00Z, 30 s before the clock
RECORDED = "payloads/binance/rest_v3_recorded"


@pytest.fixture
def world(world_at: Worlds) -> World:
    return world_at(HELD)


def ask(world: World, what: str, **query: Any) -> Any:
    text = {"symbol": "BTCUSDT", **{name: str(value) for name, value in query.items()}}
    return json.loads(binance.answer(world, f"api/v3/{what}", text).body)


def gate(world: World, what: str, **query: Any) -> Any:
    text = {"currency_pair": "BTC_USDT", **{name.rstrip("_"): str(value) for name, value in query.items()}}
    return json.loads(gateio.answer(world, f"api/v4/spot/{what}", text).body)


def test_candles_are_those_of_the_other_venue(world: World) -> None:
    first, last = MIDNIGHT - 7 * 3_600, MIDNIGHT
    ours = ask(world, "klines", interval="1h", startTime=first * 1_000, endTime=last * 1_000)
    theirs = gate(world, "candlesticks", interval="1h", from_=first, to=last)
    assert len(ours) == 8
    for row, other in zip(ours, theirs, strict=True):
        assert [row[0] // 1_000, row[6] + 1 - row[0]] == [int(other[0]), 3_600_000]
        assert [float(row[at]) for at in (1, 2, 3, 4, 5, 7)] == [float(other[at]) for at in (5, 3, 4, 2, 6, 1)]
    assert [row[8] for row in ours] == [480] * 7 + [4]


def test_trades_are_those_of_the_other_venue_and_only_the_first_of_them(world: World) -> None:
    first = MIDNIGHT - 2 * 86_400
    ours = ask(world, "aggTrades", startTime=first * 1_000, limit=1000)
    theirs = gate(world, "trades", from_=first, to=first + 3 * 3_600, limit=1000, page=1)
    theirs = (gate(world, "trades", from_=first, to=first + 3 * 3_600, limit=1000, page=2) + theirs)[::-1]
    theirs.sort(key=lambda trade: int(trade["id"]))
    assert len(ours) == 1_000
    for trade, other in zip(ours, theirs[:1000], strict=True):
        assert [trade["a"], float(trade["p"]), float(trade["q"])] == [
            int(other["id"]),
            float(other["price"]),
            float(other["amount"]),
        ]
        assert [trade["T"], trade["m"]] == [int(float(other["create_time_ms"])), other["side"] == "sell"]


def test_with_both_ends_it_sends_the_newest(world: World) -> None:
    both = ask(world, "aggTrades", startTime=(MIDNIGHT - 3_600) * 1_000, endTime=MIDNIGHT * 1_000, limit=10)
    newest = gate(world, "trades", from_=MIDNIGHT - 3_600, to=MIDNIGHT, limit=10)[::-1]
    assert [trade["a"] for trade in both] == [int(trade["id"]) for trade in newest]


def test_rows_look_as_the_venue_prints_them(world: World, shared_data: Path) -> None:
    recorded = shared_data / RECORDED / "api_v3_klines_interval_5m_limit_24_symbol_btcusdt.json"
    row = json.loads(recorded.read_text())[0]
    (ours,) = ask(world, "klines", interval="5m", limit=1)
    assert [type(cell) for cell in ours] == [type(cell) for cell in row]
    recorded = shared_data / RECORDED / "api_v3_aggtrades_fromid_202789191_limit_1000_symbol_btcusdt.json"
    trade = json.loads(recorded.read_text())[0]
    (mine,) = ask(world, "aggTrades", limit=1)
    assert {name: type(value) for name, value in mine.items()} == {name: type(trade[name]) for name in trade}


@pytest.mark.parametrize(
    ("what", "query", "code"),
    [
        ("klines", {"symbol": "XUSDT", "interval": "1m"}, -1121),
        ("klines", {"interval": "1M"}, -1120),
        ("aggTrades", {"startTime": "yesterday"}, -1100),
        ("aggTrades", {"limit": 0}, -1130),
    ],
)
def test_it_refuses_as_the_venue_does(world: World, what: str, query: dict[str, Any], code: int) -> None:
    assert ask(world, what, **query)["code"] == code
