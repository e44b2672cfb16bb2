"""What one more day costs does not depend on the history before it: counted in rows that are read and written."""

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from strades_pipelines.database.connection import connect
from tests.database.table_counters import read_counters
from tests.dbt_project.building import BUILD, run_dbt
from tests.dbt_project.seeding import dividend, listing, load_rows, sessions

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

pytestmark = pytest.mark.slow
CLEANED = (*BUILD, "--select", "staging", "cleaned", "marts.fct_coverage")
STOCKS = 20
LAST = 2024
LARGE = ("records.candles", "cleaned.session_bars", "cleaned.daily_bars")
ROWS_A_STOCK = 100  # a day is looked up some dozens of times, with its neighbours
COUNTED = """
    SELECT schemaname || '.' || relname, seq_tup_read + coalesce(idx_tup_fetch, 0), n_tup_ins + n_tup_upd + n_tup_del
    FROM pg_stat_user_tables WHERE schemaname IN ('records', 'cleaned', 'marts')
"""


def bars(span: list[tuple[Any, tuple[Any, Any]]], adbc: "Connection") -> None:
    """A bar of each stock in each session."""
    opens, closes = zip(*(times for _, times in span), strict=True)
    price = 100 + np.arange(len(span)) % 7
    for number in range(1, STOCKS + 1):
        frame = pd.DataFrame({"open_time": opens, "close_time": closes, "knowledge_time": closes})
        frame = frame.assign(open=price, high=price + 1.0, low=price - 1.0, close=price, volume=1e6, interval="1d")
        frame = frame.astype(dict.fromkeys(("open", "high", "low", "close"), float))
        frame = frame.assign(listing_id=number, knowledge_basis="assumed", fetch_id=1)
        load_rows(adbc, "records.candles", frame, ["listing_id", "interval", "open_time"])


def work_of_one_more_day(day: Any, url: str, adbc: "Connection") -> dict[str, tuple[int, int]]:
    """Rows read and written of each table when one more day comes, and the database knows how large its tables are."""
    with connect(url) as connection:
        connection.autocommit = True
        connection.execute("ANALYZE")
    before = counted(url, adbc)
    bars([day], adbc)
    run_dbt(url, CLEANED, min_date=f"{LAST}-12-01", max_date=f"{LAST + 1}-01-01")
    after = counted(url, adbc)
    return {name: (after[name][0] - before[name][0], after[name][1] - before[name][1]) for name in after}


def counted(url: str, adbc: "Connection") -> dict[str, tuple[int, int]]:
    """Rows read and written of each table so far."""
    return {name: (read, written) for name, read, written in read_counters(url, COUNTED, adbc)}


def test_rows_read_and_written_for_one_more_day_are_those_of_a_short_history(
    database_url: str, adbc: "Connection"
) -> None:
    years = {year: list(sessions(adbc, "XNYS", year).items()) for year in range(LAST - 2, LAST + 1)}
    for number in range(1, STOCKS + 1):
        listing(adbc, number, symbol=f"S{number}", calendar="XNYS")
        for year in years:
            dividend(adbc, number, ex_date=date(year, 5, 15), amount=1.0)
    *newest, first_day, second_day = years.pop(LAST)
    bars(newest, adbc)
    run_dbt(database_url, CLEANED)
    short = work_of_one_more_day(first_day, database_url, adbc)
    for earlier in years.values():
        bars(earlier, adbc)
    run_dbt(database_url, CLEANED)
    long = work_of_one_more_day(second_day, database_url, adbc)
    for name in ("cleaned.session_bars", "cleaned.daily_bars", "marts.fct_coverage"):
        assert long[name][1] == short[name][1] > 0, name
    for name in LARGE:  # the planner reads a small table whole: that counts for the short history
        assert long[name][0] <= max(1.1 * short[name][0], ROWS_A_STOCK * STOCKS), f"{name}: {short[name]}, {long[name]}"
    assert sum(read for read, _ in long.values()) <= 1.3 * sum(read for read, _ in short.values())
