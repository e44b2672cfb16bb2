"""What tells no trigger its rows is worked out again, and an old row that breaks a new law is told of."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.dbt_project.seeding import candles, days, listing
from tests.dbt_project.test_gaps import fetched

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

CLEANED = (*BUILD, "--select", "staging", "cleaned", "--exclude", "test_type:data")
SESSION_BARS = (*BUILD, "--select", "+session_bars")
VALIDATED = "SELECT convalidated FROM pg_constraint WHERE conname = 'session_bars_are_placed'"


def test_bars_of_candles_that_were_truncated_are_gone(
    database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 3), 10.0))
    run_dbt(database_url, CLEANED)
    assert rows(database_url, "SELECT count(*) FROM cleaned.daily_bars") == [(3,)]
    connection.execute("TRUNCATE records.candles")
    connection.commit()
    run_dbt(database_url, CLEANED)
    assert rows(database_url, "SELECT count(*) FROM cleaned.daily_bars") == [(0,)]


@pytest.mark.parametrize("forgotten", ["DELETE FROM rawsources.fetches", "DELETE FROM records.parses"])
def test_what_is_missing_since_attempts_or_answers_are_gone_has_another_cause(
    forgotten: str, database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    causes = "SELECT DISTINCT cause FROM cleaned.gaps"
    listing(adbc, 1, symbol="A", venue="venue")
    connection.execute("INSERT INTO records.bar_series VALUES (1, '1d', 'venue', '2024-01-01', NULL, 86400, NULL, 60)")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    fetched(connection, (start, start + timedelta(days=5)), start + timedelta(days=6), refused="an error page")
    fetched(connection, (start + timedelta(days=5), start + timedelta(days=6)), start + timedelta(days=7))
    connection.commit()
    candles(adbc, 1, {date(2024, 1, 6): 10.0})
    run_dbt(database_url, CLEANED)
    assert rows(database_url, causes) == [("fetch_failed",)]
    connection.execute(forgotten)
    connection.commit()
    run_dbt(database_url, CLEANED)
    assert rows(database_url, causes) == ([("before_listing_start",)] if "parses" in forgotten else [])


def test_an_old_row_that_breaks_a_new_law_is_told_of_and_stops_no_run(database_url: str, adbc: "Connection") -> None:
    """The table of an older version: it does not have the constraint yet, and a row that breaks it."""
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 3), 10.0))
    run_dbt(database_url, SESSION_BARS)
    assert rows(database_url, VALIDATED) == [(True,)]
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE cleaned.session_bars DROP CONSTRAINT session_bars_are_placed")
        owner.execute("UPDATE cleaned.session_bars SET trust_rank = 0 WHERE session_date = '2024-01-01'")
        candles(adbc, 1, {date(2024, 1, 4): 11.0})
        outcome = run_dbt(database_url, SESSION_BARS)
        assert rows(database_url, "SELECT count(*) FROM cleaned.session_bars") == [(4,)]
        told = [event["data"]["name"] for event in outcome.events if event["data"]["status"] == "warn"]
        assert told == ["session_bars_are_placed"]
        assert not outcome.passed
        assert rows(database_url, VALIDATED) == [(False,)]
        with pytest.raises(psycopg.errors.CheckViolation):
            owner.execute("UPDATE cleaned.session_bars SET trust_rank = 0 WHERE session_date = '2024-01-02'")
        owner.execute("UPDATE cleaned.session_bars SET trust_rank = 1 WHERE session_date = '2024-01-01'")
        assert run_dbt(database_url, SESSION_BARS).passed
        assert rows(database_url, VALIDATED) == [(True,)]
