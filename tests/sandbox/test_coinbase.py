"""Coinbase Exchange as the sandbox speaks it: the market that Gate.io's shows, in Coinbase's shapes."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox import coinbase
from sandbox.world import World
from tests.sandbox.conftest import HELD, Worlds
from tests.sandbox.test_binance import gate

MIDNIGHT = 1793491200  # 2026-11-01T00:00:00Z, 30 s before the clock


@pytest.fixture
def world(world_at: Worlds) -> World:
    return world_at(HELD)


def ask(world: World, what: str, **query: Any) -> Any:
    text = {name: str(value) for name, value in query.items()}
    return json.loads(coinbase.answer(world, f"products/BTC-USDT/{what}", text).body)


def test_candles_are_those_of_the_other_venue_newest_first_and_low_before_high(world: World) -> None:
    rows = ask(world, "candles", granularity=3600, start="2026-10-31T20:00:00Z", end="2026-11-01T00:00:00Z")
    theirs = gate(world, "candlesticks", interval="1h", from_=MIDNIGHT - 4 * 3_600, to=MIDNIGHT)
    assert rows == [
        [int(row[0]), *(float(row[at]) for at in (4, 3, 5, 2, 6))] for row in reversed(theirs)
    ]  # Gate.io: t, quote volume, close, high, low, open, volume


def test_trades_are_those_of_the_other_venue_with_the_makers_side(world: World) -> None:
    rows, theirs = ask(world, "trades", limit=50), gate(world, "trades", limit=50)
    assert [(row["trade_id"], float(row["price"])) for row in rows] == [
        (int(trade["sequence_id"]), float(trade["price"])) for trade in theirs
    ]
    assert all(row["side"] != trade["side"] for row, trade in zip(rows, theirs, strict=True))


def test_rows_look_as_the_venue_prints_them(world: World, shared_data: Path) -> None:
    recorded = shared_data / "expected/ccxt"
    (trade,) = json.loads((recorded / "coinbaseexchange_fetchTrades_public_spot_trades.json").read_text())[
        "httpResponse"
    ]
    (mine,) = ask(world, "trades", limit=1)
    assert set(mine) == set(trade)
    assert [len(mine["price"].split(".")[1]), len(mine["time"])] == [8, len(trade["time"])]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"granularity": 7}, "Unsupported granularity"),
        ({"granularity": 60, "start": "2026-10-31T00:00:00Z", "end": "2026-10-31T05:00:00Z"}, "exceeds 300"),
        ({"granularity": 60, "start": "noon", "end": "2026-10-31T05:00:00Z"}, "Invalid start"),
    ],
)
def test_it_refuses_as_the_venue_does(world: World, query: dict[str, Any], message: str) -> None:
    assert message in ask(world, "candles", **query)["message"]
    assert ask(world, "book")["message"] == "NotFound"
