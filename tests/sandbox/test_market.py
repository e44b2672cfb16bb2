"""Laws of the synthetic market: whatever is asked, in whatever order, it is one market."""

import hashlib
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.candles import Bar, combined, final_bars, forming_bar, whole_day
from sandbox.market import BAND, DAY, MINUTE, PAIRS, TRADES_PER_DAY, boundary_price, trades_of_day
from sandbox.tape import trades_newest_first

SEED = 20260101
TODAY = (date(2026, 11, 1) - date(1970, 1, 1)).days
FIRST = (date(1999, 1, 1) - date(1970, 1, 1)).days
SYMBOLS = st.sampled_from(sorted(PAIRS))
DAYS = st.integers(FIRST, TODAY)
HOUR = 60 * MINUTE


def aggregate(symbol: str, start: int, end: int) -> Bar:
    """The bar of the trades with start <= time < end, added up one by one in plain integers."""
    trades = trades_newest_first(SEED, PAIRS[symbol], since=start, until=end - 1, skip=0, count=10**6)[::-1]
    prices = [trade.price for trade in trades]
    quote = sum(trade.price * trade.size for trade in trades)
    return Bar(start, prices[0], max(prices), min(prices), prices[-1], sum(trade.size for trade in trades), quote)


@settings(max_examples=25, deadline=None)
@given(SYMBOLS, DAYS, st.integers(0, 1_439))
def test_a_minute_candle_is_the_aggregate_of_its_trades(symbol: str, day: int, minute: int) -> None:
    start = day * DAY + minute * MINUTE
    assert final_bars(SEED, symbol, interval=MINUTE, first=start, count=1) == [aggregate(symbol, start, start + MINUTE)]


@settings(max_examples=8, deadline=None)
@given(SYMBOLS, DAYS)
def test_a_day_candle_is_the_aggregate_of_its_trades(symbol: str, day: int) -> None:
    assert whole_day(SEED, symbol, day) == aggregate(symbol, day * DAY, (day + 1) * DAY)


@settings(max_examples=10, deadline=None)
@given(SYMBOLS, DAYS, st.integers(0, 23))
def test_longer_candles_are_made_of_shorter_ones(symbol: str, day: int, hour: int) -> None:
    start = day * DAY + hour * HOUR
    minutes = final_bars(SEED, symbol, interval=MINUTE, first=start, count=60)
    assert final_bars(SEED, symbol, interval=HOUR, first=start, count=1) == [combined(minutes)]
    hours = final_bars(SEED, symbol, interval=HOUR, first=day * DAY, count=24)
    assert final_bars(SEED, symbol, interval=DAY, first=day * DAY, count=1) == [combined(hours)]
    week = day // 7 * 7
    days = [whole_day(SEED, symbol, week + i) for i in range(7)]
    assert final_bars(SEED, symbol, interval=7 * DAY, first=week * DAY, count=1) == [combined(days)]


@settings(max_examples=15, deadline=None)
@given(SYMBOLS, DAYS, st.integers(0, 1_439), st.integers(1, 300), st.integers(0, 100), st.integers(0, 100))
def test_a_window_inside_a_larger_one_is_equal(
    symbol: str, day: int, minute: int, count: int, before: int, after: int
) -> None:
    start = day * DAY + minute * MINUTE
    inner = final_bars(SEED, symbol, interval=MINUTE, first=start, count=count)
    outer = final_bars(SEED, symbol, interval=MINUTE, first=start - before * MINUTE, count=before + count + after)
    assert outer[before : before + count] == inner


@settings(max_examples=20, deadline=None)
@given(SYMBOLS, DAYS, st.integers(0, DAY - 1))
def test_a_forming_candle_holds_the_trades_so_far(symbol: str, day: int, into_the_day: int) -> None:
    now = day * DAY + into_the_day
    start = now // MINUTE * MINUTE
    trades = trades_newest_first(SEED, PAIRS[symbol], since=start, until=now, skip=0, count=100)
    bar = forming_bar(SEED, symbol, start=start, now=now)
    if trades:
        assert bar == aggregate(symbol, start, now + 1)
    else:
        (previous,) = final_bars(SEED, symbol, interval=MINUTE, first=start - MINUTE, count=1)
        price = previous.close
        assert bar == Bar(start, price, price, price, price, 0, 0)
    assert forming_bar(SEED, symbol, start=day * DAY, now=day * DAY + DAY - 1) == whole_day(SEED, symbol, day)


@settings(max_examples=15, deadline=None)
@given(
    SYMBOLS, DAYS, st.integers(0, DAY), st.integers(0, 3 * DAY), st.integers(0, 2 * TRADES_PER_DAY), st.integers(1, 50)
)
def test_pages_of_trades_are_slices_of_one_tape(
    symbol: str, day: int, into: int, length: int, skip: int, count: int
) -> None:
    since = day * DAY + into
    span = {"since": since, "until": since + length}
    everything = trades_newest_first(SEED, PAIRS[symbol], **span, skip=0, count=10**6)
    assert trades_newest_first(SEED, PAIRS[symbol], **span, skip=skip, count=count) == everything[skip : skip + count]
    numbers = [trade.number for trade in everything]
    times = [trade.time for trade in everything]
    assert numbers == sorted(set(numbers), reverse=True)
    assert times == sorted(set(times), reverse=True)
    assert all(span["since"] <= time <= span["until"] for time in times)


@pytest.mark.parametrize("symbol", sorted(PAIRS))
def test_the_price_stays_in_its_band_for_27_years(symbol: str) -> None:
    anchor = PAIRS[symbol].anchor
    boundaries = np.array([boundary_price(SEED, symbol, day) for day in range(FIRST, TODAY)])
    assert anchor / BAND < boundaries.min() < 0.6 * anchor  # it does move
    assert anchor * BAND > boundaries.max() > 1.6 * anchor
    days = [whole_day(SEED, symbol, day) for day in range(FIRST, TODAY, 7)]
    assert anchor / BAND <= min(bar.low for bar in days)
    assert anchor * BAND >= max(bar.high for bar in days)


def test_returns_look_like_a_market_and_not_like_a_pattern() -> None:
    bars = final_bars(SEED, "BTC_USDT", interval=MINUTE, first=(TODAY - 60) * DAY, count=50 * 1_440)
    returns = np.diff(np.log([bar.close for bar in bars]))
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 0.02
    assert 0.3 < returns.std() / (PAIRS["BTC_USDT"].daily_deviation / 1_440**0.5) < 2
    opens, closes = np.array([bar.open for bar in bars]), np.array([bar.close for bar in bars])
    assert np.abs(opens[1:] / closes[:-1] - 1).max() < 0.005  # no jump between two minutes, nor between two days


def test_another_seed_or_pair_is_another_market() -> None:
    one = trades_of_day(SEED, "BTC_USDT", TODAY).prices
    assert not np.array_equal(one, trades_of_day(SEED + 1, "BTC_USDT", TODAY).prices)
    assert not np.array_equal(one, trades_of_day(SEED, "ETH_USDT", TODAY).prices)


def test_the_market_is_the_same_on_every_machine_and_in_every_version() -> None:
    trades = trades_of_day(SEED, "BTC_USDT", TODAY)
    arrays = (trades.prices, trades.sizes, trades.times())
    digest = hashlib.sha256(b"".join(array.astype("<i8").tobytes() for array in arrays)).hexdigest()
    assert digest == "2316475763100664116c7d906f7a100353701a5a583c13b3f809b23d9d1484e5"
