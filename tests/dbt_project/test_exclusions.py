"""What is left out is gone from the clean tables at their next build, is a gap with its own cause, and comes back."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg

from strades_pipelines.database.connection import connect
from strades_pipelines.ingestion.exclusions import Mark, mark_record
from tests.dbt_project.building import BUILD, rows, run_dbt
from tests.dbt_project.seeding import NOW, candles, listing, load_rows, midnight
from tests.dbt_project.test_gaps import fetched

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

CLEANED = (*BUILD, "--select", "staging", "cleaned", "--exclude", "test_type:data")
FIRST = date(2024, 1, 1)
CLOSES = {FIRST + timedelta(days=n): 100.0 + n for n in range(5)}
NOON = timedelta(hours=12)
BARS = "SELECT session_date, close FROM cleaned.daily_bars ORDER BY 1"
GAPS = "SELECT cause, gap_start::date, missing FROM cleaned.gaps"
VALUES = """
    SELECT session_date, value FROM cleaned.observations_by_session
    WHERE calendar = '24/7' AND session_date < '2024-01-06' ORDER BY 1
"""
NEWS = "SELECT article_id FROM cleaned.news"
# Of a table that was made before bars could be left out.
OLD_LAW = """
    ALTER TABLE cleaned.gaps
        DROP CONSTRAINT gaps_are_stretches_with_a_known_cause,
        ADD CONSTRAINT gaps_are_stretches_with_a_cause CHECK (cause IN ('no_trades', 'not_fetched'))
"""
LAWS = "SELECT conname FROM pg_constraint WHERE conrelid = 'cleaned.gaps'::regclass AND contype = 'c'"
# A sandbox's clock goes its own way: a mark of its time may lie ahead of the machine's.
AHEAD = datetime(2100, 1, 1, tzinfo=UTC)
LEFT_OUT = {
    "candles": ["1", "1d", "2024-01-03 00:00:00+00"],
    "observations": ["CPI", "2024-01-03 00:00:00+00"],
    "articles": ["s", "1"],
}


def test_marks_drive_the_next_build(database_url: str, adbc: "Connection", connection: psycopg.Connection[Any]) -> None:
    seed(adbc, connection)
    run_dbt(database_url, CLEANED)
    before = state(database_url)
    assert before[0] == list(CLOSES.items())
    for relation, key in LEFT_OUT.items():
        change(database_url, connection, relation, key, is_excluded=True)
    with connect(database_url, role="strades_dbt") as owner:
        owner.execute(OLD_LAW)
    run_dbt(database_url, CLEANED)
    assert rows(database_url, LAWS) == [("gaps_are_stretches_with_a_known_cause",)]
    without = date(2024, 1, 3)
    assert state(database_url) == (
        [(day, close) for day, close in CLOSES.items() if day != without],
        [("excluded", without, 1)],
        [(day, 1.0) for day in CLOSES],
        [],
    )
    assert before[2] == [(day, 1.0 if day < without else 2.0) for day in CLOSES]
    for relation, key in LEFT_OUT.items():
        change(database_url, connection, relation, key, is_excluded=False)
    run_dbt(database_url, CLEANED)
    assert state(database_url) == before


def seed(adbc: "Connection", connection: psycopg.Connection[Any]) -> None:
    """Five days of a coin, two values of a series, an article about the coin."""
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, CLOSES)
    connection.execute("INSERT INTO records.bar_series VALUES (1, '1d', 'venue', '2024-01-01', NULL, 86400, NULL, 60)")
    connection.commit()
    fetched(
        connection, (midnight(FIRST), midnight(FIRST + timedelta(days=5))), midnight(date(2024, 1, 6)), symbol="BTC"
    )
    shared = {"series": "CPI", "unit": "percent", "knowledge_basis": "stated", "fetch_id": 1}
    values = [
        {"event_time": midnight(day), "value": value, "knowledge_time": midnight(day) + NOON, **shared}
        for day, value in ((FIRST, 1.0), (date(2024, 1, 3), 2.0))
    ]
    load_rows(adbc, "records.observations", values, ["series", "event_time"])
    connection.execute(
        """
        INSERT INTO records.articles
        VALUES ('s', '1', NULL, 'BTC rises', NULL, NULL, '{}', 'en', '{}', '2024-01-02Z', '2024-01-02Z', 'stated', 1,
            now())
        """
    )
    connection.commit()


def state(url: str) -> tuple[list[Any], ...]:
    """Bars, gaps, the values of each session, articles."""
    return tuple(rows(url, query) for query in (BARS, GAPS, VALUES, NEWS))


def change(url: str, connection: psycopg.Connection[Any], relation: str, key: list[str], *, is_excluded: bool) -> None:
    """Leave a record out, or take it in again."""
    [request_id] = connection.execute(
        """
        INSERT INTO ops.data_requests (
            request_key, kind, requested_by, requested_at, reason, protocol, given, file_name, body
        ) VALUES (%s, 'exclusion', 'ada', %s, 'wrong', 'exclusion', '{}', '', '') RETURNING request_id
        """,
        [uuid4(), NOW],
    ).fetchone() or [0]
    connection.commit()
    mark = Mark(relation, key, is_excluded, "ada", "wrong", request_id)
    assert "1 row" in mark_record(url, mark, now=AHEAD if relation == "observations" else NOW)
