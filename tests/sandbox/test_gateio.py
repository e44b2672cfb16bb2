"""Gate.io's API as the sandbox speaks it: shapes, order, limits and refusals of the real one."""

import json
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from sandbox import gateio
from sandbox.world import World
from tests.sandbox.conftest import HELD, Worlds

NOW = 1793491230  # 2026-11-01T00:00:30Z
MIDNIGHT = 1793491200


def candles(world: World, **query: Any) -> Any:
    text = {"currency_pair": "BTC_USDT", **{name.rstrip("_"): str(value) for name, value in query.items()}}
    return json.loads(gateio.answer(world, "api/v4/spot/candlesticks", text).body)


def trades(world: World, **query: Any) -> Any:
    text = {"currency_pair": "BTC_USDT", **{name.rstrip("_"): str(value) for name, value in query.items()}}
    return json.loads(gateio.answer(world, "api/v4/spot/trades", text).body)


@pytest.fixture
def world(world_at: Worlds) -> World:
    return world_at(HELD)


@pytest.mark.parametrize("pair", ["BTC_USDT", "ETH_USDT"])
def test_a_candle_is_exactly_what_the_printed_trades_add_up_to(world: World, pair: str) -> None:
    start = MIDNIGHT - 3_600
    (row,) = candles(world, currency_pair=pair, interval="15m", from_=start, to=start)
    printed = trades(world, currency_pair=pair, from_=start, to=start + 900, limit=1000)[::-1]
    prices = [Decimal(trade["price"]) for trade in printed]
    sizes = [Decimal(trade["amount"]) for trade in printed]
    opened, closed, high, low = prices[0], prices[-1], max(prices), min(prices)
    assert [row[0], row[7], len(printed)] == [str(start), "true", 120]
    assert [Decimal(text) for text in row[2:6]] == [closed, high, low, opened]
    assert Decimal(row[6]) == sum(sizes)
    assert Decimal(row[1]) == sum(price * size for price, size in zip(prices, sizes, strict=True))


def test_rows_look_as_the_venue_prints_them(world: World, shared_data: Path) -> None:
    recorded = shared_data / "expected" / "ccxt"
    (row,) = json.loads((recorded / "gate_fetchOHLCV_public_spot_ohlcv.json").read_text())["httpResponse"]
    (ours, *_) = candles(world, interval="1h", limit=2)
    assert [type(cell) for cell in ours] == [type(cell) for cell in row] == [str] * 8
    assert [len(cell.split(".")[1]) for cell in ours[1:7]] == [8, 1, 1, 1, 1, 8]
    (trade,) = json.loads((recorded / "gate_fetchTrades_public_spot_trades.json").read_text())["httpResponse"]
    (mine,) = trades(world, limit=1)
    assert list(mine) == list(trade)
    assert [len(mine[name].split(".")[1]) for name in ("create_time_ms", "amount", "price")] == [6, 5, 1]
    assert mine["create_time"] == mine["create_time_ms"][:10]


def test_both_ends_are_included_oldest_first(world: World) -> None:
    rows = candles(world, interval="1h", from_=MIDNIGHT - 7_200, to=MIDNIGHT - 3_600)
    assert [int(row[0]) for row in rows] == [MIDNIGHT - 7_200, MIDNIGHT - 3_600]


def test_a_window_inside_a_larger_one_is_equal_to_the_byte(world: World) -> None:
    larger = candles(world, interval="5m", from_=MIDNIGHT - 300 * 500, to=MIDNIGHT)
    smaller = candles(world, interval="5m", from_=MIDNIGHT - 300 * 20, to=MIDNIGHT - 300 * 10)
    assert larger[480:491] == smaller


@pytest.mark.parametrize("interval", ["1m", "5m", "15m", "30m", "1h", "4h", "8h", "1d", "7d"])
def test_the_last_candle_is_still_forming_and_none_is_later(world: World, interval: str) -> None:
    step = gateio.SECONDS[interval]
    rows = candles(world, interval=interval, limit=3)
    opens = [int(row[0]) for row in rows]
    assert opens[-1] == NOW // step * step
    assert [later - earlier for earlier, later in pairwise(opens)] == [step, step]
    assert [row[7] for row in rows] == ["true", "true", "false"]
    assert candles(world, interval=interval, from_=NOW + step, to=NOW + 5 * step) == []


def test_a_closed_candle_never_changes_while_a_forming_one_does(world_at: Worlds) -> None:
    early, late = world_at("2026-11-01T00:00:31Z"), world_at("2026-11-01T12:34:56Z")
    window = {"interval": "1m", "from_": MIDNIGHT - 600, "to": MIDNIGHT}
    assert candles(early, **window)[:-1] == candles(late, **window)[:-1]
    assert candles(early, **window)[-1] != candles(late, **window)[-1]
    assert candles(late, **window)[-1][7] == "true"


def test_a_candle_without_a_trade_yet_stands_at_the_price_before(world_at: Worlds) -> None:
    world = world_at("2026-11-01T00:00:00Z")
    before, forming = candles(world, interval="1m", limit=2)
    assert forming[2:6] == [before[2]] * 4
    assert (forming[1], forming[6], forming[7]) == ("0.00000000", "0.00000000", "false")


def test_trades_come_newest_first_in_pages_and_none_is_later_than_now(world: World) -> None:
    window = {"from_": MIDNIGHT - 3_600, "to": NOW + 1_000, "limit": 100}
    pages = [trades(world, **window, page=page) for page in (1, 2, 3, 4, 5, 6)]
    assert [len(page) for page in pages[:5]] == [100, 100, 100, 100, 84]  # 8 a minute for an hour, and the 4 of 30 s
    assert pages[5] == []
    times = [Decimal(trade["create_time_ms"]) for page in pages for trade in page]
    assert times == sorted(times, reverse=True)
    assert times[0] <= NOW * 1000
    assert trades(world, limit=7) == pages[0][:7]


@pytest.mark.parametrize(
    ("query", "label", "said"),
    [
        ({"currency_pair": "NO_SUCH"}, "INVALID_CURRENCY_PAIR", "NO_SUCH"),
        ({"interval": "2m"}, "INVALID_PARAM_VALUE", "interval"),
        ({"limit": 5, "from_": MIDNIGHT}, "INVALID_PARAM_VALUE", "conflicts"),
        ({"limit": 5, "to": MIDNIGHT}, "INVALID_PARAM_VALUE", "conflicts"),
        ({"limit": 1001}, "INVALID_PARAM_VALUE", "1001"),
        ({"limit": 0}, "INVALID_PARAM_VALUE", "0"),
        ({"from_": "soon"}, "INVALID_PARAM_VALUE", "soon"),
        ({"from_": MIDNIGHT, "to": MIDNIGHT - 7200}, "INVALID_PARAM_VALUE", "later"),
        (
            {"interval": "1m", "from_": MIDNIGHT - 60_000, "to": MIDNIGHT},
            "INVALID_PARAM_VALUE",
            "Maximum 1000 data points",
        ),
        (
            {"interval": "1m", "from_": MIDNIGHT - 600_000, "to": MIDNIGHT - 590_000},
            "INVALID_PARAM_VALUE",
            "too long ago",
        ),
    ],
)
def test_what_the_venue_refuses_is_refused_alike(world: World, query: dict[str, Any], label: str, said: str) -> None:
    refused = candles(world, **query)
    assert refused["label"] == label
    assert said in refused["message"]


def test_one_thousand_points_and_ten_thousand_points_ago_are_just_allowed(world: World) -> None:
    assert len(candles(world, interval="1m", from_=MIDNIGHT - 59_940, to=MIDNIGHT)) == 1000
    oldest = MIDNIGHT - 9_999 * 60
    assert candles(world, interval="1m", from_=oldest, to=oldest)[0][0] == str(oldest)
    assert candles(world, interval="1m", from_=oldest - 60, to=oldest)["label"] == "INVALID_PARAM_VALUE"


def test_days_are_served_back_to_1999(world: World) -> None:
    summer_1999 = 930_787_200  # 1999-07-01
    rows = candles(world, interval="1d", from_=summer_1999, to=summer_1999 + 86_400 * 3)
    assert [int(row[0]) for row in rows] == [summer_1999 + 86_400 * i for i in range(4)]
    assert {row[7] for row in rows} == {"true"}


def test_other_endpoints_are_not_found(world: World) -> None:
    reply = gateio.answer(world, "api/v4/spot/orders", {})
    assert (reply.status, json.loads(reply.body)["label"]) == (404, "URL_NOT_FOUND")
