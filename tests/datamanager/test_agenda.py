from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.datamanager.agenda import (
    Run,
    Schedule,
    Tick,
    runs_since,
    write_runs,
    write_schedules,
    write_ticks,
)
from strades_pipelines.datamanager.cron import ticks
from strades_pipelines.datamanager.event_log import record_new_events, write_platforms
from tests.dying import Died, die_at

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOURLY = Schedule("yahoo_schedule", "schedule", "0 * * * *", "RUNNING")
Connection = psycopg.Connection[Any]


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 21 * * 1-5", ["2026-11-20T21:30", "2026-11-23T21:30"]),
        ("0 0 1 * *", ["2026-12-01T00:00"]),
        ("15 6 22 * 1", ["2026-11-22T06:15", "2026-11-23T06:15", "2026-11-30T06:15"]),
        ("0 */8 21 11 *", ["2026-11-21T00:00", "2026-11-21T08:00", "2026-11-21T16:00"]),
    ],
)
def test_a_schedule_ticks_when_crontab_says(cron: str, expected: list[str]) -> None:
    end = datetime(2026, 12, 2, tzinfo=UTC) if len(expected) != 2 else datetime(2026, 11, 24, tzinfo=UTC)
    assert [f"{at:%Y-%m-%dT%H:%M}" for at in ticks(cron, NOW, end)] == expected


def test_planned_ticks_become_what_they_were_and_those_of_a_stopped_schedule_go(connection: Connection) -> None:
    write_ticks(connection, [HOURLY], [], now=NOW)
    assert rows(connection, "SELECT count(*), min(tick_at), max(tick_at) FROM ops.ticks") == [
        (48, NOW, NOW + 47 * HOUR)
    ]
    stopped = Schedule("yahoo_schedule", "schedule", "0 * * * *", "STOPPED")
    write_ticks(connection, [stopped], [Tick("yahoo_schedule", NOW, "SUCCESS", "r")], now=NOW + HOUR / 2)
    assert rows(connection, "SELECT tick_at, status, run_id FROM ops.ticks") == [(NOW, "SUCCESS", "r")]


def test_the_agenda_says_which_planned_tick_was_missed(connection: Connection) -> None:
    long_ago = datetime(2020, 1, 6, 11, 59, tzinfo=UTC)
    far_off = datetime(2120, 1, 6, 11, 59, tzinfo=UTC)
    statistics = Schedule("ecb_schedule", "schedule", "0 12 * * *", "RUNNING", releases=True)
    for now in (long_ago, far_off):
        write_ticks(connection, [statistics], [], now=now)
    found = rows(connection, "SELECT kind, what, state FROM ops.agenda ORDER BY starts_at")
    assert found == [("release", "ecb_schedule", "missed")] * 2 + [("release", "ecb_schedule", "planned")] * 2


def test_a_run_is_followed_to_its_end_and_told_once(connection: Connection) -> None:
    write_platforms(connection, ())
    begun = Run("a", "fetch_yahoo_job", "STARTED", "2026-11-01", NOW, None)
    write_runs(connection, [begun])
    assert record_new_events(connection) == 0
    assert runs_since(connection) == NOW
    ended = Run("a", "fetch_yahoo_job", "FAILURE", "2026-11-01", NOW, NOW + HOUR)
    write_runs(connection, [ended])
    assert (record_new_events(connection), record_new_events(connection)) == (1, 0)
    ((kind, user, platform, value, at),) = rows(
        connection, "SELECT event_type_id, user_id, platform_id, value, timestamp FROM ops.events"
    )
    assert (kind, user, platform, at) == ("run_failed", "strades", "strades", NOW + HOUR)
    assert value == {"job": "fetch_yahoo_job", "months": "2026-11-01", "status": "FAILURE"}


def test_a_schedule_that_changed_is_an_event_and_one_that_did_not_is_none(connection: Connection) -> None:
    write_schedules(connection, [HOURLY], now=NOW)
    write_schedules(connection, [HOURLY], now=NOW + HOUR)
    other = Schedule("yahoo_schedule", "schedule", "30 * * * *", "RUNNING")
    write_schedules(connection, [other], now=NOW + 2 * HOUR)
    stopped = Schedule("yahoo_schedule", "schedule", "30 * * * *", "STOPPED")
    write_schedules(connection, [stopped], now=NOW + 3 * HOUR)
    found = rows(connection, "SELECT event_type_id, timestamp FROM ops.events ORDER BY timestamp")
    assert found == [
        ("schedule_started", NOW),
        ("schedule_changed", NOW + 2 * HOUR),
        ("schedule_stopped", NOW + 3 * HOUR),
    ]


def test_a_video_is_told_apart_from_an_article(connection: Connection) -> None:
    write_platforms(connection, ())
    connection.execute("INSERT INTO ops.platforms VALUES ('channel', 'A channel', NULL)")
    for number, url in enumerate(["https://www.youtube.com/watch?v=1", "https://example.org/youtube.com/"]):
        connection.execute(
            "INSERT INTO records.articles (source, article_id, url, title, authors, categories, published_at,"
            " knowledge_time, knowledge_basis, fetch_id, recorded_at)"
            " VALUES ('channel', %s, %s, 'A title', '{Someone}', '{}', %s, %s, 'stated', 1, %s)",
            [str(number), url, NOW, NOW, NOW],
        )
    assert (record_new_events(connection), record_new_events(connection)) == (2, 0)
    found = rows(connection, "SELECT id_event, user_id, event_type_id FROM ops.events ORDER BY 1 DESC")
    assert found == [
        ("video_posted:channel:0", "Someone", "video_posted"),
        ("article_posted:channel:1", "Someone", "article_posted"),
    ]


def test_events_that_were_not_committed_are_recorded_the_next_time(connection: Connection, database_url: str) -> None:
    write_platforms(connection, ())
    write_runs(connection, [Run("a", "job", "SUCCESS", None, NOW, NOW + HOUR)])
    connection.commit()
    with die_at("ops.events_written"), pytest.raises(Died), connect(database_url) as theirs:
        record_new_events(theirs)
    assert rows(connection, "SELECT count(*) FROM ops.events") == [(0,)]
    assert record_new_events(connection) == 1


def test_recording_one_more_event_reads_no_row_that_was_recorded_before(
    connection: Connection, database_url: str
) -> None:
    """Counted: rows of articles, runs and events that are read, with 10 and with 2,010 of each before."""
    write_platforms(connection, ())
    connection.execute("INSERT INTO ops.platforms VALUES ('channel', 'A channel', NULL)")

    def happen(first: int, last: int) -> None:
        connection.execute(
            "INSERT INTO records.articles (source, article_id, title, authors, categories, published_at,"
            " knowledge_time, knowledge_basis, fetch_id, recorded_at)"
            " SELECT 'channel', number::text, 'A title', '{}', '{}', %(now)s, %(now)s, 'stated', 1, %(now)s"
            " FROM generate_series(%(first)s::int, %(last)s::int) AS number",
            {"now": NOW, "first": first, "last": last},
        )
        write_runs(
            connection, [Run(str(number), "job", "SUCCESS", None, NOW, NOW) for number in range(first, last + 1)]
        )

    def rows_read() -> int:
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.commit()
        query = """
            SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int FROM pg_stat_user_tables
            WHERE schemaname || '.' || relname IN ('records.articles', 'ops.runs', 'ops.events', 'ops.changed_rows')
        """
        return int(rows(connection, query)[0][0])

    read = []
    for first, last in ((1, 10), (1001, 3000)):
        happen(first, last)
        record_new_events(connection)
        connection.commit()
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE")
        start = rows_read()
        happen(last + 1, last + 1)
        assert record_new_events(connection) == 2
        runs_since(connection)
        read.append(rows_read() - start)
    assert read[1] <= read[0] + 10, read  # a small table is read whole: that counts for the short history


def test_an_article_of_a_source_without_platform_is_recorded_once_there_is_one(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO records.articles (source, article_id, title, authors, categories, published_at,"
        " knowledge_time, knowledge_basis, fetch_id, recorded_at)"
        " VALUES ('channel', '1', 'A title', '{}', '{}', %(now)s, %(now)s, 'stated', 1, %(now)s)",
        {"now": NOW},
    )
    assert record_new_events(connection) == 0
    connection.execute("INSERT INTO ops.platforms VALUES ('channel', 'A channel', NULL)")
    assert (record_new_events(connection), record_new_events(connection)) == (1, 0)


def test_events_are_no_data_that_runs_are_compared_by(database_url: str) -> None:
    assert not [table for table in table_hashes(database_url) if table.startswith("ops.")]
