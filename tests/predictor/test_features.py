"""features.daily: written where it changed, the same however the window is cut."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pytest

from strades_pipelines.database.bulk import Loaded
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.predictor import features
from strades_pipelines.predictor.features import blocks, write_features
from strades_pipelines.predictor.formulas import SESSIONS
from tests.database.table_counters import read_counters
from tests.predictor.made import FIRST, NOW, Market, made_bars, make_market, store_bars

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

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


def test_blocks_and_tables_of_any_size_give_the_same_rows(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    write(market)
    at_once = market.rows(TABLE)
    market.execute("TRUNCATE features.daily")
    monkeypatch.setattr(features, "BLOCK_ROWS", 100)
    monkeypatch.setattr(features, "TABLE_ROWS", 7)
    assert write(market) == Loaded(840, 0, 0)
    assert market.rows(TABLE) == at_once


def test_blocks_are_whole_months_that_cover_the_window(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two listings of 31 + 29 bars are 120; with March's 62 they would be 182.
    monkeypatch.setattr(features, "BLOCK_ROWS", 130)
    window = datetime(2019, 12, 15, tzinfo=UTC), datetime(2020, 4, 10, tzinfo=UTC)
    with adbc_connect(market.url) as connection, connection.cursor() as cursor:
        found = list(blocks(cursor, *window))
        assert list(blocks(cursor, window[0], datetime(2019, 12, 16, tzinfo=UTC))) == [
            (window[0], datetime(2019, 12, 16, tzinfo=UTC))
        ]
    border = datetime(2020, 3, 1, tzinfo=UTC)
    assert found == [(window[0], border), (border, window[1])]


def test_late_bar_before_a_window_does_not_make_the_windows_lead_in_shorter(market: Market) -> None:
    bars = made_bars(420, seed=1)
    known = bars.knowledge_time.copy()
    known[[150, 170]] += np.timedelta64(40 * 24 + 1, "h")
    store_bars(market.url, 1, replace(bars, knowledge_time=known))
    write(market)
    at_once = market.rows(TABLE)
    market.execute("TRUNCATE features.daily")
    for start, end in pairwise([START, *(datetime(2020, month, 1, tzinfo=UTC) for month in range(2, 13)), END]):
        write(market, start, end)
    assert market.rows(TABLE) == at_once


def test_of_bars_that_became_known_at_one_time_the_newest_has_the_row(market: Market) -> None:
    bars = made_bars(420, seed=1)
    known = bars.knowledge_time.copy()
    known[140:150] = known[170] = known[180]  # in May and June, and in one answer with 29 June's
    store_bars(market.url, 1, replace(bars, knowledge_time=known))
    months = [datetime(2020, 7, 1, tzinfo=UTC), datetime(2020, 6, 1, tzinfo=UTC), datetime(2020, 5, 1, tzinfo=UTC)]
    for month in (*months, *reversed(months), *months):
        write(market, month, month + timedelta(days=30))
    found = market.rows("SELECT session_date FROM features.daily WHERE listing_id = 1 AND decision_time = '2020-06-30'")
    assert found == [(date(2020, 6, 29),)]
    assert write(market, months[1], months[0]) == Loaded(0, 0, 60)


# What PostgreSQL counted of rows read and written, by table.
TOUCHED = """
    SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0), n_tup_ins, n_tup_upd, n_tup_del
    FROM pg_stat_user_tables WHERE schemaname IN ('cleaned', 'features', 'records') ORDER BY relname
"""


def touched_by_one_more_day(market: Market) -> dict[object, list[int]]:
    """Rows read and written by the month's run after its last day was added, of tables that have any."""
    last = FIRST + timedelta(days=SESSIONS_OF_FIVE_YEARS - 1)
    market.execute("TRUNCATE features.daily")
    market.execute("ANALYZE")
    write(market, FIRST_INSTANT, datetime(2026, 1, 1, tzinfo=UTC))
    market.execute("DELETE FROM features.daily WHERE session_date = %s", last)
    before = counted(market)
    assert write(market, datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)).inserted == 2
    after = counted(market)
    return {name: [new - old for new, old in zip(after[name], before[name], strict=True)] for name in after}


def counted(market: Market) -> dict[object, list[int]]:
    """The counters, once the sessions that wrote have reported."""
    return {name: counts for name, *counts in read_counters(market.url, TOUCHED)}


SESSIONS_OF_FIVE_YEARS = 1827  # 2020 to 2024
FIRST_INSTANT = datetime(2020, 1, 1, tzinfo=UTC)


def test_one_more_day_reads_and_writes_the_same_rows_with_one_and_with_five_years_of_history(
    database_url: str, adbc: "Connection"
) -> None:
    market = make_market(database_url, adbc, sessions=SESSIONS_OF_FIVE_YEARS)
    adbc.close()
    name = market.rows("SELECT quote_ident(current_database())")[0][0]
    market.execute(f"ALTER DATABASE {name} SET enable_seqscan = off")  # so small a table is read whole otherwise
    market.execute("DELETE FROM cleaned.daily_bars WHERE session_date < '2024-01-01'")
    market.execute("DELETE FROM records.observations WHERE event_time < '2023-12-01'")
    one_year = touched_by_one_more_day(market)
    for listing in (1, 2):
        store_bars(market.url, listing, made_bars(SESSIONS_OF_FIVE_YEARS, seed=listing))
    five_years = touched_by_one_more_day(market)
    assert five_years == one_year
    assert one_year["daily"][1:] == [2, 0, 0]
    # A month and its lead-in of two listings, some of it looked up more than once.
    assert 2 * (31 + SESSIONS - 1) <= one_year["daily_bars"][0] < 6 * 2 * (31 + SESSIONS - 1)


def test_database_refuses_a_row_that_knew_too_much(market: Market) -> None:
    write(market)
    with pytest.raises(psycopg.errors.CheckViolation):
        market.execute("UPDATE features.daily SET max_knowledge_time = decision_time + interval '1 second'")


def test_empty_window_writes_nothing(market: Market) -> None:
    assert write(market, datetime(2010, 1, 1, tzinfo=UTC), datetime(2010, 2, 1, tzinfo=UTC)) == Loaded(0, 0, 0)
