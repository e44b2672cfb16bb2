"""Bars of the database are those that were loaded, seen when they were known."""

from datetime import UTC, datetime, timedelta

import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.research.stored_bars import stored_bars
from strades_pipelines.strategy.events import microseconds, moment
from tests.brokerage.conftest import START, AddCandles, add_candles, add_days, market

__all__ = ["add_candles", "add_days", "market"]


def test_daily_bars_by_symbol_in_a_range(add_days: AddCandles, database_url: str) -> None:
    add_days([10.0, 11.0, 12.0, 13.0])
    start, end = microseconds(START + timedelta(days=1)), microseconds(START + timedelta(days=3))
    for name in ("AAPL", "yahoo:AAPL"):
        [bars] = stored_bars([name], "1d", start, end, multiplier=2.0, lot=1.0, url=database_url)
        assert bars.name == "yahoo:AAPL"
        assert bars.prices.tolist() == [[11.0, 12.0]] * 4 + [[0.0, 0.0]]
        assert [moment(at) for at in bars.open_time] == [datetime(2024, 1, day, 14, 30, tzinfo=UTC) for day in (3, 4)]
        assert [moment(at) for at in bars.time] == [datetime(2024, 1, day, 21, tzinfo=UTC) for day in (3, 4)]
        assert (bars.multiplier, bars.lot) == (2.0, 1.0)


def test_minutes_of_two_instruments(add_candles: AddCandles, database_url: str) -> None:
    add_candles([1.0, 2.0])
    add_candles([5.0, 7.0, 6.0], listing=12)
    one, two = stored_bars(["ETH_USDT", "BTC_USDT"], "1m", None, None, url=database_url)
    assert (one.name, two.name) == ("gateio:ETH_USDT", "gateio:BTC_USDT")
    assert (one.prices[3].tolist(), two.prices[3].tolist()) == ([5.0, 7.0, 6.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("names", "interval", "told"),
    [
        (["MSFT"], "1d", "expected one of gateio:BTC_USDT, gateio:ETH_USDT, yahoo:AAPL, yahoo:IBM; found 'MSFT'"),
        (["AAPL"], "1d", "--instrument yahoo:AAPL: expected bars of 1d in the range, found none"),
        (["AAPL", "yahoo:AAPL"], "1d", "expected each instrument once"),
    ],
)
def test_what_is_not_there_is_refused(
    names: list[str], interval: str, told: str, market: object, database_url: str
) -> None:
    with pytest.raises(BadInput, match=told):
        stored_bars(names, interval, None, None, url=database_url)
