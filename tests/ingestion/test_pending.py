"""Which stored bodies wait to be parsed, and what it costs to find them."""

from typing import Any

import psycopg
import pytest

from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.pending import Choice, batches
from tests.ingestion.conftest import NOW, Store, gate_body, gate_row

Connection = psycopg.Connection[Any]
FETCHES = """
    INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, fetched_at, outcome,
        error, sha256, run_id)
    SELECT number, 's', 'fred_csv', 'k', 'u', '{}', '2024-01-01', '2024-01-01', of.outcome,
        CASE of.outcome WHEN 'failed' THEN 'late' END, CASE WHEN of.outcome <> 'failed' THEN sha256('x') END, 'r'
    FROM generate_series(%s::int, %s::int) AS number
    CROSS JOIN LATERAL (
        SELECT (ARRAY['stored', 'stored', 'not_modified', 'failed'])[1 + number %% 4] AS outcome
    ) AS of
"""
PARSES = """
    INSERT INTO records.parses
    SELECT fetch_id, '1', 'parsed', NULL, 0, 0 FROM rawsources.fetches WHERE outcome = 'stored' AND NOT is_parsed
"""
READ = """
    SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int FROM pg_stat_user_tables
    WHERE schemaname IN ('rawsources', 'records')
"""


def rows_read(connection: Connection) -> int:
    """Rows of bodies, fetches and records read so far."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.commit()
    return int((connection.execute(READ).fetchone() or (0,))[0])


def test_rows_read_to_find_what_waits_do_not_grow_with_what_was_parsed(
    store: Store, connection: Connection, database_url: str
) -> None:
    """One new body after 10 fetches and after 3,010, of which half are failures and unchanged answers."""
    connection.execute("INSERT INTO rawsources.bodies VALUES (sha256('x'), 1, 'x')")
    read = []
    for first, last in ((1, 10), (11, 3010)):
        connection.execute(FETCHES, [first, last])
        connection.execute(PARSES)
        connection.commit()
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("VACUUM ANALYZE")
        new = store(gate_body(gate_row(first)), request_key=f"{last}")
        before = rows_read(connection)
        with connection.cursor() as cursor:
            assert list(batches(cursor, Choice("1"))) == [[new]]  # type: ignore[arg-type]  # any cursor will do
        read.append(rows_read(connection) - before)
        connection.execute(PARSES)
        connection.commit()
    assert read[1] <= read[0] + 10, read  # a small table is read whole: that counts for the short history


@pytest.mark.parametrize(
    ("forget", "waiting"),
    [("DELETE FROM records.parses WHERE fetch_id IN (SELECT min(fetch_id) FROM records.parses)", 1),
     ("TRUNCATE records.parses", 2)],
)  # fmt: skip
def test_a_body_whose_parse_is_taken_away_waits_again(
    forget: str, waiting: int, store: Store, connection: Connection, database_url: str
) -> None:
    for minute in (1, 2):
        store(gate_body(gate_row(minute)), request_key=f"{minute}")
    assert [load_stored(url=database_url, now=NOW).parsed for _ in range(2)] == [2, 0]
    connection.execute(forget.encode())
    connection.commit()
    assert load_stored(url=database_url, now=NOW).parsed == waiting
