"""Bars of trades: of a time, and of a number of trades, a volume or money; laws that hold whatever the trades are."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.bars.trade_bars import parse_every
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.parse import parse
from strades_pipelines.ingestion.streams.bars_of_trades import bars_of_size, bars_of_trades

DAY, MINUTE = 86_400_000_000, 60_000_000
Trades = list[tuple[int, int, int]]  # time, price, size
# Whole numbers, whose sums are exact, around two midnights.
TRADES = st.lists(
    st.tuples(st.integers(-3, 4).map(lambda n: 20_000 * DAY + n * DAY // 3), st.integers(1, 9), st.integers(0, 9)),
    max_size=40,
).map(lambda trades: sorted(trades, key=lambda trade: trade[0]))
SIZES = st.sampled_from(["1ticks", "3ticks", "7volume", "20volume", "1notional", "50notional"])


def columns(trades: Trades) -> tuple[Any, Any, Any]:
    """Times, prices and sizes."""
    times = np.array([trade[0] for trade in trades], np.int64)
    prices, sizes = (np.array([trade[at] for trade in trades], float) for at in (1, 2))
    return times, prices, sizes


def plain_loop(trades: Trades, spec: str) -> list[tuple[float, ...]]:
    """The bars by a loop over trades: first and last time, open, high, low, close, volume, notional, count, full."""
    every = parse_every(spec)
    bars: list[tuple[float, ...]] = []
    held: Trades = []

    def close(full: bool) -> None:
        prices = [price for _, price, _ in held]
        sums = sum(size for _, _, size in held), sum(price * size for _, price, size in held)
        ends = held[0][0], held[-1][0]
        bars.append((*ends, prices[0], max(prices), min(prices), prices[-1], *sums, len(held), full))
        held.clear()

    for trade in trades:
        if held and held[-1][0] // DAY != trade[0] // DAY:
            close(False)
        held.append(trade)
        filled = {
            "ticks": len(held),
            "volume": sum(size for _, _, size in held),
            "notional": sum(price * size for _, price, size in held),
        }
        if filled[every.unit] >= every.size:
            close(True)
    if held:
        close(False)
    return bars


def rows(table: pa.Table) -> list[tuple[float, ...]]:
    """The rows of bars, times in microseconds."""
    times = [table[name].cast(pa.int64()) for name in ("open_time", "close_time")]
    names = ("open", "high", "low", "close", "volume", "quote_volume", "trade_count", "is_full")
    return list(zip(*(column.to_pylist() for column in (*times, *(table[name] for name in names))), strict=True))


@given(TRADES, SIZES)
def test_bars_of_a_size_are_those_of_a_plain_loop(trades: Trades, spec: str) -> None:
    assert rows(bars_of_size(*columns(trades), parse_every(spec))) == plain_loop(trades, spec)


@given(TRADES, SIZES)
def test_no_trade_is_lost_and_sums_are_kept(trades: Trades, spec: str) -> None:
    bars = bars_of_size(*columns(trades), parse_every(spec))
    assert sum(bars["trade_count"].to_pylist()) == len(trades)
    assert sum(bars["volume"].to_pylist()) == sum(size for _, _, size in trades)
    assert sum(bars["quote_volume"].to_pylist()) == sum(price * size for _, price, size in trades)


@given(TRADES, SIZES, st.integers(0, 40))
def test_full_bars_of_a_part_are_those_of_the_whole_and_days_do_not_know_of_each_other(
    trades: Trades, spec: str, cut: int
) -> None:
    every = parse_every(spec)
    whole = rows(bars_of_size(*columns(trades), every))
    begun = rows(bars_of_size(*columns(trades[:cut]), every))
    settled = begun[:-1] + [bar for bar in begun[-1:] if bar[-1]]
    assert whole[: len(settled)] == settled
    days = sorted({time // DAY for time, _, _ in trades})
    by_day = [columns([trade for trade in trades if trade[0] // DAY == day]) for day in days]
    assert [bar for own in by_day for bar in rows(bars_of_size(*own, every))] == whole


@pytest.mark.parametrize("spec", ["0ticks", "1.5ticks", "ticks", "5money", "5volume,skip-empty"])
def test_another_size_is_refused(spec: str) -> None:
    with pytest.raises(ValueError, match="--every: expected"):
        parse_every(spec)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 50), st.integers(1, 9)), max_size=60))
def test_bars_are_those_of_a_plain_loop(trades: list[tuple[int, int, int]]) -> None:
    trades = sorted(trades, key=lambda trade: trade[0])
    times = np.array([trade[0] for trade in trades], np.int64)
    paid, sizes = (np.array([trade[i] for trade in trades], float) for i in (1, 2))
    made = bars_of_trades(times, paid, sizes, 60).to_pylist()
    expected = []
    for cell in sorted({time // 60 for time, _, _ in trades}):
        own = [(price, size) for time, price, size in trades if time // 60 == cell]
        prices = [price for price, _ in own]
        expected.append((prices[0], max(prices), min(prices), prices[-1], sum(size for _, size in own), len(own)))
    names = ("open", "high", "low", "close", "volume", "trade_count")
    assert [tuple(bar[name] for name in names) for bar in made] == expected


def test_bars_of_krakens_recorded_trades_are_krakens_own(shared_data: Path) -> None:
    folder = shared_data / "payloads/kraken/rest_nautilus"
    given = {"symbol": "XBTUSDT", "interval": "1m"}

    def read(name: str, file: str, kind: str) -> pa.Table:
        body = (folder / f"http_{file}.json").read_bytes()
        return parse(load_protocol(name), body, given=given, fetched_at=datetime(2025, 11, 12, tzinfo=UTC)).tables[kind]

    trades = read("kraken_trades", "trades", "trade")
    length = pc.utf8_length(trades["trade_id"])
    by = [(name, "ascending") for name in ("event_time", "length", "trade_id")]
    trades = trades.append_column("length", length).sort_by(by)
    times = trades["event_time"].cast(pa.int64()).to_numpy()
    made = bars_of_trades(times, trades["price"].to_numpy(), trades["size"].to_numpy(), MINUTE).to_pylist()
    whole = {bar["open_time"]: bar for bar in made[1:-1]}  # the first and the last are of a part of their minute
    venue = [
        bar
        for bar in read("kraken_candles", "ohlc", "candle").to_pylist()
        if made[0]["open_time"] < bar["open_time"] < made[-1]["open_time"]
    ]
    assert len(venue) == 409
    assert {bar["open_time"] for bar in venue if bar["trade_count"]} == set(whole)
    for bar in filter(lambda bar: bar["trade_count"], venue):
        ours = whole[bar["open_time"]]
        names = ("open", "high", "low", "close", "trade_count")
        assert [ours[name] for name in names] == [bar[name] for name in names]
        assert ours["volume"] == pytest.approx(bar["volume"], abs=1e-8)
