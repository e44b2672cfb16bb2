from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.feed import StoredFeed, read_feed
from strades_pipelines.brokerage.prices import find_listings
from strades_pipelines.engine.event_steps import events_of
from strades_pipelines.strategy.events import Bar, Prediction, microseconds
from tests.brokerage.conftest import AAPL, BTC, ETH, IBM, MINUTE, START, AddCandles, Connection

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

COINS = ["gateio:ETH_USDT", "gateio:BTC_USDT"]


def events(feed: StoredFeed) -> list[Any]:
    return [event for event, _ in events_of(feed.columns)]


def named(feed: StoredFeed, event: Any) -> int:
    return int(feed.listings[event.i].listing_id)


def read(adbc: "AdbcConnection", names: list[str], *, minutes: int, **changes: Any) -> StoredFeed:
    given: dict[str, Any] = {"interval": "1m", "opened_at": START, "end": START + minutes * MINUTE, "lookback": 0}
    with adbc.cursor() as cursor:
        feed = read_feed(cursor, find_listings(cursor, names), **(given | changes))
    adbc.rollback()
    return feed


def test_bars_come_at_their_close_listing_by_listing(adbc: "AdbcConnection", add_candles: AddCandles) -> None:
    add_candles([1, 2, 3])
    add_candles([10, 20, 30], listing=ETH)
    feed = read(adbc, COINS, minutes=3)
    first, second = (microseconds(START + n * MINUTE) for n in (1, 2))
    assert [(e.i, named(feed, e), e.close, e.time) for e in events(feed)] == [
        (1, BTC, 1.0, first),
        (0, ETH, 10.0, first),
        (1, BTC, 2.0, second),
        (0, ETH, 20.0, second),
    ]


def test_the_warm_up_is_the_last_bars_of_each_listing(adbc: "AdbcConnection", add_candles: AddCandles) -> None:
    add_candles(list(range(1, 21)), start=START - 20 * MINUTE)
    add_candles([7], listing=ETH, start=START - MINUTE * 30)
    feed = read(adbc, COINS, minutes=1, lookback=3)
    # The bar that closes with the opening belongs to the window.
    assert [(named(feed, e), e.close) for e in events(feed) if isinstance(e, Bar)] == [
        (ETH, 7.0),
        (BTC, 17.0),
        (BTC, 18.0),
        (BTC, 19.0),
        (BTC, 20.0),
    ]


def test_daily_bars_are_the_cleaned_ones(adbc: "AdbcConnection", add_days: AddCandles) -> None:
    add_days([100, 101])
    add_days([200], listing=IBM)
    feed = read(adbc, ["yahoo:AAPL", "yahoo:IBM"], minutes=0, interval="1d", end=START + timedelta(days=2))
    closes = [(named(feed, event), event.close) for event in events(feed)]
    assert closes == [(AAPL, 100), (IBM, 200), (AAPL, 101)]


def forecast(connection: Connection, prediction_id: str, value: float | None, recorded_at: datetime) -> None:
    connection.execute(
        """
        INSERT INTO predictions.models (model_id, name, month, trained_at, train_from, train_to, train_rows,
            max_label_known_at, parameters, data_hash, fitted_hash, metrics, recorded_at)
        VALUES ('m', 'ridge', '2024-01-01', %(t)s, %(t)s, %(t)s, 1, %(t)s, '{}', '', '', '{}', %(t)s)
        ON CONFLICT DO NOTHING
        """,
        {"t": START},
    )
    connection.execute(
        "INSERT INTO predictions.forecasts VALUES (%s, 'ridge', %s, %s, %s, %s, %s, %s, 'h', %s)",
        [
            prediction_id,
            BTC,
            START.date(),
            START + MINUTE,
            None if value is None else "m",
            value,
            "no_features" if value is None else "predicted",
            recorded_at,
        ],
    )
    connection.commit()


def test_the_newest_forecast_of_an_instant_counts(
    adbc: "AdbcConnection", market: Connection, add_candles: AddCandles
) -> None:
    add_candles([1, 2])
    forecast(market, "OLD", 0.1, START)
    forecast(market, "NEW", 0.2, START + MINUTE)
    feed = read(adbc, COINS, minutes=5, models=["ridge"])
    (found,) = [e for e in events(feed) if isinstance(e, Prediction)]
    assert found.value == 0.2
    assert feed.prediction_ids == {(1, microseconds(START + MINUTE), 0): "NEW"}
    assert feed.as_of == START + MINUTE
    other = read(adbc, COINS, minutes=5, models=["other"])
    assert [type(event) for event in events(other)] == [Bar, Bar]


def test_no_prediction_is_no_event(adbc: "AdbcConnection", market: Connection) -> None:
    forecast(market, "NONE", None, START)
    assert events(read(adbc, COINS, minutes=5, models=["ridge"])) == []


def test_the_hash_follows_the_values_alone(adbc: "AdbcConnection", market: Connection, add_candles: AddCandles) -> None:
    add_candles([1, 2])
    before = read(adbc, COINS, minutes=5)
    market.execute("UPDATE records.candles SET recorded_at = recorded_at + interval '1 day'")
    market.commit()
    later = read(adbc, COINS, minutes=5)
    assert later.inputs_hash == before.inputs_hash
    assert later.as_of == START + timedelta(days=1)
    market.execute("UPDATE records.candles SET high = high + 1 WHERE close = 2")
    market.commit()
    assert read(adbc, COINS, minutes=5).inputs_hash != before.inputs_hash


def test_an_unknown_instrument_is_named(adbc: "AdbcConnection", market: Connection) -> None:
    with pytest.raises(LookupError, match="was 'gateio:DOGE_USDT'"):
        read(adbc, ["gateio:DOGE_USDT"], minutes=1)
