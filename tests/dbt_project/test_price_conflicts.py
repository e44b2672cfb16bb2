"""Two venues that quote one market: every error planted in one is found, and the clean bars are those without it."""

from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from sandbox.pages import planted_errors
from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.dbt_project.seeding import another_venue, real_stocks

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

BARS = (*BUILD, "--select", "+daily_bars")
CLEAN = """
    SELECT listing_id, session_date, open, high, low, close, volume, knowledge_time, total_return_factor
    FROM cleaned.daily_bars ORDER BY 1, 2
"""


def plant(connection: psycopg.Connection[Any], listing_id: int, day: date, cells: str) -> None:
    """Change cells of one stored bar."""
    changed = connection.execute(
        f"UPDATE records.candles SET {cells} WHERE listing_id = %s AND cast(open_time AS date) = %s", [listing_id, day]
    )
    assert changed.rowcount == 1
    connection.commit()


@pytest.mark.slow
def test_planted_errors_are_the_conflicts_and_the_clean_bars_are_the_good_ones(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    real_stocks(adbc)
    run_dbt(database_url, BARS)
    before = rows(database_url, CLEAN)
    another_venue(adbc, 1, symbol="AAPL", venue="w")
    another_venue(adbc, 4, symbol="IBM", venue="w")
    plant(connection, 101, date(2005, 3, 1), "close = close * 1.01, high = high * 1.02")
    plant(connection, 101, date(2008, 9, 15), "open = open * 100, high = high * 100")
    plant(connection, 104, date(2010, 5, 6), "low = low / 100")
    plant(connection, 4, date(2011, 6, 1), "close = close * 100, high = high * 100")
    connection.execute("DELETE FROM records.candles WHERE listing_id = 1 AND cast(open_time AS date) = '2012-02-02'")
    connection.commit()
    run_dbt(database_url, BARS)
    found = rows(
        database_url,
        "SELECT symbol, session_date, cell, loser, round(ratio::numeric, 2)::float, reason "
        "FROM cleaned.price_conflicts ORDER BY 1, 2, 3",
    )
    assert found == [
        ("AAPL", date(2005, 3, 1), "close", "w", 1.01, "less_trusted"),
        ("AAPL", date(2005, 3, 1), "high", "w", 1.02, "less_trusted"),
        ("AAPL", date(2008, 9, 15), "high", "w", 100.0, "implausible"),
        ("AAPL", date(2008, 9, 15), "open", "w", 100.0, "implausible"),
        ("IBM", date(2010, 5, 6), "low", "w", 0.01, "implausible"),
        ("IBM", date(2011, 6, 1), "close", "v", 100.0, "implausible"),
        ("IBM", date(2011, 6, 1), "high", "v", 100.0, "implausible"),
    ]
    after = rows(database_url, CLEAN)
    repaired = "SELECT listing_id, session_date, quoted_venue, replaced_cells, replacement_fetch_ids"
    repaired += " FROM cleaned.daily_bars WHERE quoted_venue <> venue OR replaced_cells IS NOT NULL ORDER BY 2"
    assert rows(database_url, repaired) == [
        (4, date(2011, 6, 1), "v", ["close", "high"], [9]),
        (1, date(2012, 2, 2), "w", None, None),
    ]
    assert len(after) == len(before)
    for old, new in zip(before, after, strict=True):
        if old != new:
            assert old[:2] in {(4, date(2011, 6, 1)), (1, date(2012, 2, 2))} or old[:7] == new[:7]
            assert new[2:6] == pytest.approx(old[2:6], abs=0.011)
            assert new[7] >= old[7]
            assert new[8] == pytest.approx(old[8], rel=1e-4)


@pytest.mark.slow
def test_every_mistake_of_the_sandboxs_page_is_found_and_nothing_else(database_url: str, adbc: "Connection") -> None:
    real_stocks(adbc)
    mistakes = planted_errors("MSFT")
    another_venue(adbc, 5, symbol="MSFT", venue="w", factors=mistakes)
    run_dbt(database_url, (*BUILD, "--select", "+price_conflicts", "--exclude", "test_type:data"))
    query = "SELECT session_date, cell, round(ratio::numeric, 1)::float, reason FROM cleaned.price_conflicts"
    assert set(rows(database_url, query)) == {
        (day, cell, round(factor, 1), "implausible" if factor == 100 else "less_trusted")
        for day, factor in mistakes.items()
        for cell in ("open", "high", "low", "close")
    }
    assert len(mistakes) > 50
