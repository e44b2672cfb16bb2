"""The fetch log: what counts as an answer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from strades_pipelines.datamanager.fetch_log import read_fetch_log

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Connection = psycopg.Connection[Any]
Put = Callable[..., None]


@pytest.fixture
def put(connection: Connection) -> Put:
    """`put(fetch_id, key, ...)`: a fetch, its body and its parse."""

    def written(
        fetch_id: int,
        key: str,
        *,
        body: int = 1,
        outcome: str = "stored",
        parse: str | None = None,
        run: str = "a",
        source: str = "s",
    ) -> None:
        sha256 = bytes([body]) * 32
        connection.execute("INSERT INTO rawsources.bodies VALUES (%s, 1, '') ON CONFLICT DO NOTHING", [sha256])
        failed = outcome == "failed"
        connection.execute(
            "INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, etag,"
            " fetched_at, outcome, error, sha256, run_id)"
            " VALUES (%s, %s, 'p', %s, %s, '{}', '2026-11-01', %s, %s, %s, %s, %s, %s)",
            [
                fetch_id,
                source,
                key,
                f"https://x/{key}",
                f"e{fetch_id}",
                NOW + timedelta(seconds=fetch_id),
                outcome,
                "late" if failed else None,
                None if failed else sha256,
                run,
            ],
        )
        if parse:
            error = "html" if parse == "refused" else None
            connection.execute("INSERT INTO records.parses VALUES (%s, '1', %s, %s, 0, 0)", [fetch_id, parse, error])

    return written


def seen(connection: Connection) -> dict[str, str | None]:
    """The etag of the newest answer of source s to each of three questions."""
    return {key: answer.etag for key, answer in read_fetch_log(connection, "s", ["k", "l", "other"]).items()}


def test_the_newest_answer_counts_with_its_url(connection: Connection, put: Put) -> None:
    put(2, "k", body=2)
    put(1, "k", outcome="not_modified")
    put(3, "other", source="t")
    assert seen(connection) == {"k": "e2"}
    answer = read_fetch_log(connection, "s", ["k"])["k"]
    assert (answer.url, answer.fetched_at) == ("https://x/k", NOW + timedelta(seconds=2))


def test_questions_that_are_not_planned_are_not_read(connection: Connection, put: Put) -> None:
    put(1, "k")
    assert read_fetch_log(connection, "s", ["l"]) == read_fetch_log(connection, "s", []) == {}


def test_failure_is_no_answer(connection: Connection, put: Put) -> None:
    put(1, "k", outcome="failed")
    assert seen(connection) == {}


def test_parsed_and_not_yet_parsed_bodies_are_answers(connection: Connection, put: Put) -> None:
    put(1, "k", parse="parsed")
    put(2, "l", body=2)
    assert seen(connection) == {"k": "e1", "l": "e2"}


def test_refused_body_is_no_answer_whenever_it_comes(connection: Connection, put: Put) -> None:
    put(1, "k", parse="refused")
    put(2, "k", outcome="not_modified", run="b")
    put(3, "l", run="b")
    assert seen(connection) == {}


def test_one_refused_page_leaves_the_whole_question_of_its_run_open(connection: Connection, put: Put) -> None:
    put(1, "k", body=1, parse="parsed", run="a")
    put(2, "k", body=2, parse="refused", run="a")
    put(3, "k", body=3, parse="parsed", run="b")
    put(4, "l", body=4, parse="parsed", run="a")
    assert seen(connection) == {"k": "e3", "l": "e4"}


def test_an_answer_of_before_a_refused_one_is_the_newest_good_one(connection: Connection, put: Put) -> None:
    put(1, "k", body=1, parse="parsed", run="a")
    put(2, "k", body=2, parse="refused", run="b")
    put(3, "k", outcome="failed", run="c")
    assert seen(connection) == {"k": "e1"}


def test_rows_read_for_a_plan_do_not_grow_with_the_log(connection: Connection, database_url: str) -> None:
    """A question that was asked 10 times and one that was asked 3,000 times, with 3,000 others beside it."""

    def answers(first: int, last: int) -> None:
        connection.execute(
            """
            INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, fetched_at,
                outcome, sha256, run_id)
            SELECT 2 * number + other, 's', 'p', CASE other WHEN 0 THEN 'k' ELSE 'other ' || number END, 'u', '{}',
                '2024-01-01', '2024-01-01'::timestamptz + number * interval '1 hour', 'stored', sha256('x'),
                number::text
            FROM generate_series(%s::int, %s::int) AS number CROSS JOIN generate_series(0, 1) AS other
            """,
            [first, last],
        )
        connection.commit()
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE rawsources.fetches")

    def rows_read() -> int:
        connection.execute("SELECT pg_stat_force_next_flush()")
        connection.commit()
        query = (
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'rawsources.fetches'::regclass"
        )
        return int((connection.execute(query).fetchone() or (0,))[0])

    connection.execute("INSERT INTO rawsources.bodies VALUES (sha256('x'), 1, 'x')")
    read = []
    for first, last in ((1, 10), (11, 3000)):
        answers(first, last)
        before = rows_read()
        newest = read_fetch_log(connection, "s", ["k"])["k"]
        read.append(rows_read() - before)
        assert newest.fetched_at == datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=last)
    assert read[1] <= read[0] + 10, read  # a small table is read whole: that counts for the short log
