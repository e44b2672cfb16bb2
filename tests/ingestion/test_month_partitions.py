"""Rows lie in the partition of their month, whoever makes it and when; readers of a month read no other."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES
from strades_pipelines.ingestion import month_partitions
from strades_pipelines.ingestion.archiving import archive_month
from strades_pipelines.ingestion.month_partitions import create_months
from strades_pipelines.ingestion.streams.bars_of_trades import TRADES
from strades_pipelines.supervision import metric_definitions
from tests.ingestion.conftest import NOW
from tests.ingestion.test_archiving import BTC, JANUARY, TRADES_TABLE, market

__all__ = ["market"]
Connection = psycopg.Connection[Any]
AHEAD = ["2026_11", "2026_12"]
PARTS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1"
MISPLACED = """
    SELECT count(*) FROM records.trades
    WHERE tableoid::regclass::text <> 'records.trades_' || to_char(event_time, 'YYYY_MM')
"""
FRAMES = """
    INSERT INTO rawsources.frames SELECT 1, n, 's', '2026-01-31 23:00Z'::timestamptz + n * interval '1 minute', 1,
        '\\x00' FROM generate_series(0, 119) AS n
"""


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a hundred rows have a partition of their own."""
    monkeypatch.setattr(month_partitions, "CROWDED", 100)


@pytest.fixture
def filled(market: Connection) -> Connection:
    """Trades from December (144) to February, and an hour of frames on either side of a month's end."""
    market.execute(FRAMES)
    market.commit()
    return market


def parts(connection: Connection, table: str) -> list[str]:
    """The partitions of a table by what follows its name."""
    found = [name.removeprefix(f"{table}_") for (name,) in connection.execute(PARTS, [table])]
    connection.rollback()
    return found


def test_months_are_made_ahead_and_those_with_rows_get_theirs_once(filled: Connection, database_url: str) -> None:
    before = table_hashes(database_url)
    frames = filled.execute("SELECT * FROM rawsources.frames ORDER BY sequence").fetchall()
    filled.commit()
    filled.execute("DELETE FROM trading.input_changes")
    filled.commit()
    made = create_months(filled, NOW)
    assert (len(made.made), made.postponed) == (3 * 2 + 3, [])
    assert parts(filled, "records.trades") == ["2025_12", "2026_01", "2026_02", *AHEAD, "default"]
    assert parts(filled, "records.quotes") == parts(filled, "rawsources.frames") == [*AHEAD, "default"]
    assert filled.execute(MISPLACED).fetchone() == (0,)
    assert filled.execute("SELECT count(*) FROM records.trades_default").fetchone() == (0,)
    assert filled.execute("SELECT count(*) FROM trading.input_changes").fetchone() == (0,)
    assert create_months(filled, NOW).made == []
    assert table_hashes(database_url) == before
    assert filled.execute("SELECT * FROM rawsources.frames ORDER BY sequence").fetchall() == frames


def test_the_size_of_a_table_is_that_of_all_its_partitions(filled: Connection) -> None:
    create_months(filled, NOW)
    sizes = dict(filled.execute(metric_definitions.TABLES.encode()).fetchall())
    every = "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'records.trades'::regclass"
    assert filled.execute(every).fetchone() == (sizes["records.trades"],)
    assert [name for name in sizes if name.startswith("records.trades_")] == []
    filled.rollback()


def test_frames_that_got_a_partition_are_append_only_too(filled: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(month_partitions, "CROWDED", 60)
    create_months(filled, NOW)
    assert parts(filled, "rawsources.frames") == ["2026_01", "2026_02", *AHEAD, "default"]
    for change in ("DELETE FROM rawsources.frames", "UPDATE rawsources.frames SET frame = ''"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            filled.execute(change)
        filled.rollback()


def test_processes_at_once_make_each_partition_once(filled: Connection, database_url: str) -> None:
    def make(_number: int) -> list[str]:
        with connect(database_url) as connection:
            return create_months(connection, NOW).made

    with ThreadPoolExecutor() as pool:
        made = [name for names in pool.map(make, range(3)) for name in names]
    assert sorted(made) == sorted(set(made))
    assert len(made) == 9


def test_while_somebody_reads_the_default_partition_its_month_waits_for_another_time(
    filled: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(month_partitions, "WAIT", "SET LOCAL lock_timeout = '50ms'")
    before = table_hashes(database_url)
    with connect(database_url) as reader:
        reader.execute("SELECT FROM records.trades LIMIT 1")
        found = create_months(filled, NOW)
        assert (len(found.made), len(found.postponed)) == (4, 5)
        assert parts(filled, "records.trades") == ["default"]
    assert table_hashes(database_url) == before
    assert len(create_months(filled, NOW).made) == 5


def test_a_row_of_a_month_without_a_partition_is_stored_and_a_cold_month_gets_none(
    filled: Connection, database_url: str
) -> None:
    create_months(filled, NOW)
    archive_month(TRADES_TABLE, JANUARY, url=database_url, now=NOW, progress=lambda _line: None)
    late = """
        INSERT INTO records.trades SELECT %s, 'late' || n, %s::timestamptz + n * interval '1 second', 1, 1, 'buy',
            now(), 'stated', 1, now() FROM generate_series(1, 200) AS n
    """
    for first in ("2026-01-05Z", "1999-01-05Z"):
        filled.execute(late, [BTC, first])
    filled.commit()
    assert create_months(filled, NOW).made == ["records.trades_1999_01"]
    assert filled.execute("SELECT count(*) FROM records.trades_default").fetchone() == (200,)


def test_a_read_of_a_month_reads_no_other_partition(filled: Connection, database_url: str) -> None:
    create_months(filled, NOW)
    start, end = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 11, tzinfo=UTC)
    queries = [TRADES.format(listing=BTC, start=start.isoformat(), end=end.isoformat())]

    class Recording:
        """A cursor that keeps what it was asked."""

        def __init__(self, cursor: Any) -> None:
            self.cursor = cursor

        def execute(self, query: str, *values: Any) -> None:
            queries.append(query)
            self.cursor.execute(query, *values)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.cursor, name)

    where = f"listing_id = {BTC} AND event_time >= '{start}' AND event_time < '{end}'"
    with adbc_connect(database_url) as adbc, adbc.cursor() as cursor:
        for table, column in (("records.trades", "price"), ("records.heard_trades", "price")):
            recording: Any = Recording(cursor)
            found = read_as_of(recording, table, [column], known_at=NOW, where=where, span=(start, end))
            assert found.num_rows == 72
    read = [query for query in queries if "records.cold_months" not in query]
    assert len(read) == 3
    for query in read:
        [plan] = filled.execute(f"EXPLAIN (FORMAT JSON) {query}".encode()).fetchone() or [None]
        names = set(relations(plan[0]["Plan"]))
        assert {name for name in names if name.startswith("trades")} == {"trades_2026_01"}, json.dumps(plan)
    filled.rollback()


def relations(plan: dict[str, Any]) -> Iterator[str]:
    """The names of the tables that a plan reads, parts that it leaves out at its start not among them."""
    if "Relation Name" in plan:
        yield plan["Relation Name"]
    for below in plan.get("Plans", []):
        yield from relations(below)


def test_the_current_month_is_that_of_the_world_s_clock(connection: Connection) -> None:
    create_months(connection, datetime(2027, 12, 31, 23, 59, tzinfo=UTC))
    for table in MONTHLY_TABLES.values():
        assert parts(connection, table.name) == ["2027_12", "2028_01", "default"]
