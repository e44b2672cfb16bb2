"""features.daily: written where it changed, the same however the window is cut."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import psycopg
import pytest

from strades_pipelines.database.bulk import Loaded
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.formulas import SESSIONS
from tests.predictor.made import FIRST, NOW, Market, made_bars, store_bars

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 4, 1, tzinfo=UTC)
TABLE = "SELECT * FROM features.daily ORDER BY listing_id, session_date"


def write(market: Market, start: datetime = START, end: datetime = END, now: datetime = NOW) -> Loaded:
    """Write the features of a window."""
    return write_features(market.url, start=start, end=end, now=now)


def test_rerun_writes_nothing(market: Market) -> None:
    assert write(market) == Loaded(840, 0, 0)
    before = market.rows("SELECT ctid::text, xmin::text FROM features.daily ORDER BY ctid")
    assert write(market, now=NOW + timedelta(days=1)) == Loaded(0, 0, 840)
    assert market.rows("SELECT ctid::text, xmin::text FROM features.daily ORDER BY ctid") == before


def test_12_months_in_any_order_give_the_table_of_one_go(market: Market) -> None:
    write(market)
    at_once = market.rows(TABLE)
    market.execute("TRUNCATE features.daily")
    months = [datetime(2020 + number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in range(16)]
    for number in np.random.default_rng(3).permutation(15):
        write(market, months[number], months[number + 1])
    assert market.rows(TABLE) == at_once


def test_hole_in_the_history_is_counted_in_sessions_not_days(market: Market) -> None:
    market.execute(
        "DELETE FROM cleaned.daily_bars WHERE listing_id = 1 AND session_date BETWEEN '2020-04-01' AND '2020-09-30'"
    )
    write(market)
    at_once = market.rows(TABLE)
    market.execute("TRUNCATE features.daily")
    split = datetime(2020, 10, 15, tzinfo=UTC)
    write(market, split, END)
    write(market, START, split)
    assert market.rows(TABLE) == at_once


def test_only_the_window_is_written(market: Market) -> None:
    write(market, datetime(2020, 3, 1, tzinfo=UTC), datetime(2020, 3, 11, tzinfo=UTC))
    days = market.rows("SELECT DISTINCT session_date FROM features.daily ORDER BY 1")
    assert days == [(date(2020, 3, day),) for day in range(1, 11)]


def test_bar_not_known_yet_has_no_row(market: Market) -> None:
    write(market, now=datetime(2020, 3, 1, 12, tzinfo=UTC))
    assert market.rows("SELECT max(decision_time) FROM features.daily") == [(datetime(2020, 3, 1, tzinfo=UTC),)]


def test_changed_bar_changes_the_rows_that_saw_it_and_a_gone_bar_takes_its_row(market: Market) -> None:
    write(market)
    bars = made_bars(420, seed=1)
    close = bars.close.copy()
    close[200] *= 1.001
    store_bars(market.url, 1, replace(bars, close=close))
    # A window of its own rows, and of its peer's those that were compared with a return of it.
    assert write(market) == Loaded(0, SESSIONS + 21, 840 - SESSIONS - 21)
    last = FIRST + timedelta(days=419)
    market.execute("DELETE FROM cleaned.daily_bars WHERE listing_id = 1 AND session_date = %s", last)
    assert write(market) == Loaded(0, 1, 838)  # its peer has none to be compared with
    assert market.rows("SELECT count(*) FROM features.daily WHERE listing_id = 1") == [(419,)]


def test_database_refuses_a_row_that_knew_too_much(market: Market) -> None:
    write(market)
    with pytest.raises(psycopg.errors.CheckViolation):
        market.execute("UPDATE features.daily SET max_knowledge_time = decision_time + interval '1 second'")


def test_empty_window_writes_nothing(market: Market) -> None:
    assert write(market, datetime(2010, 1, 1, tzinfo=UTC), datetime(2010, 2, 1, tzinfo=UTC)) == Loaded(0, 0, 0)
