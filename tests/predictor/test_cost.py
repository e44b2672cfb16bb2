"""What predictions cost does not depend on the history before: counted in rows that are read and written."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.scores import write_scores
from strades_pipelines.predictor.track_record import write_standings
from strades_pipelines.predictor.walk_forward import train_models
from tests.database.table_counters import read_counters
from tests.dbt_project.seeding import listing
from tests.predictor.histories import store_history
from tests.predictor.made import Market, make_cleaned

pytestmark = pytest.mark.slow
STOCKS = 8
LAST_YEAR = 2024
DAY = date(LAST_YEAR, 12, 16)  # with half of its month before it
KINDS_MADE = {"ridge": KINDS["ridge"]}
COUNTED = """
    SELECT schemaname || '.' || relname, seq_tup_read + coalesce(idx_tup_fetch, 0), n_tup_ins + n_tup_upd + n_tup_del
    FROM pg_stat_user_tables WHERE schemaname IN ('cleaned', 'features', 'predictions', 'ops')
"""
LARGE = ("cleaned.daily_bars", "features.daily", "predictions.forecasts", "predictions.scores")
Work = dict[str, tuple[int, int]]


@pytest.fixture
def market(database_url: str) -> Market:
    """The tables, and listings without a session."""
    make_cleaned(database_url)
    with adbc_connect(database_url) as adbc:
        for number in range(1, STOCKS + 1):
            listing(adbc, number, symbol=str(number))
    return Market(database_url)


def closed(day: date) -> datetime:
    """The midnight that ends a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def store(market: Market, first: date, end: date) -> None:
    """Bars and features of every listing on the weekdays of [first, end)."""
    every = [first + timedelta(days=number) for number in range((end - first).days)]
    days = [day for day in every if day.weekday() < 5]
    for number in range(1, STOCKS + 1):
        store_history(market.url, number, days, [closed(day) for day in days], seed=first.toordinal(), missing=0)


def run(market: Market, first: date, day: date) -> None:
    """A run of the layer over the months from `first` to that of a day, when that day has closed."""
    start = datetime(first.year, first.month, 1, tzinfo=UTC)
    end = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
    now = closed(day) + timedelta(hours=1)
    train_models(market.url, start=start, end=end, now=now, kinds=KINDS_MADE)
    write_forecasts(market.url, start=start, end=end, now=now, kinds=KINDS_MADE)
    write_scores(market.url, start=start, end=end, now=now)
    write_standings(market.url, start=start, end=end, now=now)


def work(market: Market, day: date, *, is_new: bool) -> Work:
    """Rows read and written of each table by a run over a day's month, when its bars have come, or nothing has."""
    if is_new:
        store(market, day, day + timedelta(days=1))
    with psycopg.connect(market.url, autocommit=True) as connection:
        connection.execute("ANALYZE")
    before = counted(market)
    run(market, day, day)
    after = counted(market)
    return {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}


def counted(market: Market) -> Work:
    """Rows read and written of each table so far."""
    return {name: (read, written) for name, read, written in read_counters(market.url, COUNTED)}


def work_of_one_more_day(market: Market, years: int) -> Work:
    """That of the day DAY after some years of history, from empty tables on."""
    market.execute(
        "TRUNCATE cleaned.daily_bars, features.daily, predictions.models, predictions.forecasts, predictions.standings,"
        " ops.month_models, ops.artifacts, ops.stale CASCADE"
    )
    first = date(DAY.year - years, DAY.month, 1)
    store(market, first, DAY)
    run(market, first, DAY - timedelta(days=1))
    return work(market, DAY, is_new=True)


def test_rows_read_and_written_for_one_more_day_are_those_of_a_short_history(market: Market) -> None:
    short, long = work_of_one_more_day(market, 1), work_of_one_more_day(market, 3)
    assert {name: written for name, (_, written) in long.items()} == {
        name: written for name, (_, written) in short.items()
    }
    assert long["predictions.forecasts"][1] == long["predictions.scores"][1] == STOCKS
    assert long["predictions.models"][1] == long["ops.month_models"][1] == 0
    for name in LARGE:
        assert 0 < long[name][0] + long[name][1] <= 1.1 * sum(short[name]), f"{name}: {short[name]}, {long[name]}"


def test_run_with_nothing_new_reads_no_training_rows_and_writes_nothing(market: Market) -> None:
    store(market, date(LAST_YEAR - 1, 6, 1), DAY)
    run(market, date(LAST_YEAR - 1, 6, 1), DAY)
    run(market, date(LAST_YEAR, 11, 1), DAY)
    again = work(market, DAY, is_new=False)
    assert {name: written for name, (_, written) in again.items() if written} == {}
    sessions = STOCKS * len([day for day in range(1, DAY.day) if date(LAST_YEAR, 12, day).weekday() < 5])
    # The month's rows are counted, and looked through for new ones.
    assert again["features.daily"][0] <= 2.1 * sessions
    assert again["cleaned.daily_bars"][0] <= STOCKS  # bars of the forecasts that wait
