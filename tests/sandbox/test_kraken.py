"""Kraken's API as the sandbox speaks it: the market that Gate.io's shows, in Kraken's shapes."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox import kraken
from sandbox.world import World
from tests.sandbox.conftest import HELD, Worlds
from tests.sandbox.test_binance import gate

MIDNIGHT = 1793491200  # 2026-11-01T00:00:00Z, 30 s before the clock


@pytest.fixture
def world(world_at: Worlds) -> World:
    return world_at(HELD)


def ask(world: World, what: str, **query: Any) -> Any:
    text = {"pair": "XBTUSDT", **{name: str(value) for name, value in query.items()}}
    reply = kraken.answer(world, f"0/public/{what}", text)
    assert reply.status == 200
    return json.loads(reply.body)


def test_the_newest_720_bars_are_those_of_the_other_venue_and_the_last_is_forming(world: World) -> None:
    found = ask(world, "OHLC", interval=60)
    rows = found["result"]["XBTUSDT"]
    theirs = gate(world, "candlesticks", interval="1h", from_=MIDNIGHT - 719 * 3_600, to=MIDNIGHT)
    assert found["error"] == []
    assert [[row[0], *map(float, row[1:5]), float(row[6])] for row in rows] == [
        [int(row[0]), *(float(row[at]) for at in (5, 3, 4, 2, 6))] for row in theirs
    ]
    assert [len(rows), rows[-1][7], found["result"]["last"]] == [720, 4, rows[-2][0]]


def test_pages_of_trades_lead_to_each_other_and_hold_those_of_the_other_venue(world: World) -> None:
    since, seen = (MIDNIGHT - 3_600) * 1_000_000_000, []
    while rows := (page := ask(world, "Trades", since=since, count=100)["result"])["XBTUSDT"]:
        seen += rows
        since = int(page["last"])
    theirs = gate(world, "trades", from_=MIDNIGHT - 3_600, to=MIDNIGHT + 30, limit=1000)[::-1]
    assert len(seen) == 484
    assert [(row[6], float(row[0]), float(row[1]), row[3]) for row in seen] == [
        (int(trade["sequence_id"]), float(trade["price"]), float(trade["amount"]), trade["side"][0]) for trade in theirs
    ]


def test_rows_look_as_the_venue_prints_them(world: World, shared_data: Path) -> None:
    for what, file in (("OHLC", "http_ohlc"), ("Trades", "http_trades")):
        recorded = json.loads((shared_data / f"payloads/kraken/rest_nautilus/{file}.json").read_text())
        ours = ask(world, what)
        assert set(ours["result"]) == set(recorded["result"]) == {"XBTUSDT", "last"}
        assert type(ours["result"]["last"]) is type(recorded["result"]["last"])
        row, theirs = ours["result"]["XBTUSDT"][0], recorded["result"]["XBTUSDT"][0]
        assert [type(cell) for cell in row] == [type(cell) for cell in theirs]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"pair": "DOGEXBT"}, "EQuery:Unknown asset pair"),
        ({"interval": 7}, "EGeneral:Invalid arguments"),
        ({"since": "-1"}, "EGeneral:Invalid arguments"),
    ],
)
def test_errors_come_with_http_200(world: World, query: dict[str, Any], message: str) -> None:
    assert ask(world, "OHLC", **query) == {"error": [message]}
