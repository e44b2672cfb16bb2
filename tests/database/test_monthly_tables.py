"""A released database becomes one with partitions without losing a row, and is held to what it was held to."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from strades_pipelines.database import migrate as migrate_module
from strades_pipelines.database.connection import connect
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.migrate import MIGRATIONS, migrate
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES, month_after

AT = datetime(2026, 3, 31, 23, 59, 59, 999999, tzinfo=UTC)
FILL = """
    INSERT INTO records.listings VALUES (1, 'v', 's', 'USD', 0.1, 0.1, 'raw', '24/7');
    INSERT INTO records.trades SELECT 1, n::text, %(at)s - n * '9 days'::interval, 1, 1, NULL, %(at)s, 'stated', 1,
        %(at)s FROM generate_series(0, 99) AS n;
    INSERT INTO records.quotes SELECT 1, n::text, %(at)s - n * '9 days'::interval, 1, 1, 2, NULL, %(at)s,
        'stated', 1, %(at)s FROM generate_series(0, 99) AS n;
    INSERT INTO rawsources.frames SELECT 1, n, 's', %(at)s - n * '9 days'::interval, 1, '\\x00'
    FROM generate_series(0, 99) AS n
"""
DEFINITIONS = """
    SELECT 'constraint', regexp_replace(pg_get_constraintdef(oid), ', received_at\\)', ')') FROM pg_constraint
    WHERE conrelid = %(table)s::regclass AND contype <> 'n'
    UNION ALL
    SELECT 'trigger', replace(pg_get_triggerdef(oid), '_default', '') FROM pg_trigger
    WHERE tgrelid = %(table)s::regclass AND NOT tgisinternal
    UNION ALL
    SELECT 'index', regexp_replace(pg_get_indexdef(indexrelid), '^.* USING |, received_at\\)', '', 'g') FROM pg_index
    WHERE indrelid = %(table)s::regclass AND NOT indisprimary
    UNION ALL SELECT 'comment', obj_description(%(table)s::regclass, 'pg_class')
    UNION ALL SELECT 'reader', r FROM unnest('{strades_dashboard,strades_dbt}'::text[]) AS r
    WHERE has_table_privilege(r, %(table)s, 'SELECT') ORDER BY 1, 2
"""


@pytest.fixture
def released(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a database as the last release before the partitions made it."""
    for path in MIGRATIONS.glob("*.sql"):
        if path.name < "0091":
            shutil.copy(path, tmp_path)
    url = urlunsplit(urlsplit(database_url)._replace(path="/released"))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE released")
        with monkeypatch.context() as patch:
            patch.setattr(migrate_module, "MIGRATIONS", tmp_path)
            migrate(url, world="sandbox")
        yield url
        connection.execute("DROP DATABASE released WITH (FORCE)")


def definitions(connection: psycopg.Connection[Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Constraints, triggers, indexes, comments and readers of each table."""
    return {table: connection.execute(DEFINITIONS, {"table": table}).fetchall() for table in MONTHLY_TABLES}


def test_a_released_table_keeps_every_row_and_what_holds_them(released: str) -> None:
    with connect(released) as connection:
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(FILL, {"at": AT})
        connection.commit()
        before = definitions(connection)
        files = "SELECT relname, relfilenode FROM pg_class WHERE relname ~ '^(trades|quotes)(_default)?$' ORDER BY 1"
        stored = [number for _, number in connection.execute(files)]
        connection.commit()
        hashes = table_hashes(released)
        migrate(released, world="sandbox")
        assert table_hashes(released) == hashes
        assert definitions(connection) == before
        # No row of trades and quotes was written again: their files are those of before.
        assert [number for _, number in connection.execute(files) if number] == stored
        frames = connection.execute("SELECT count(*) FROM rawsources.frames_default WHERE sequence < 100").fetchone()
        assert frames == (100,)


def test_months_are_bounded_in_utc_and_the_last_of_a_year_ends_with_it() -> None:
    table = MONTHLY_TABLES["rawsources.frames"]
    december = date(2026, 12, 1)
    assert (month_after(december), month_after(date(2024, 2, 1))) == (date(2027, 1, 1), date(2024, 3, 1))
    assert (table.title, table.default, table.partition(december)) == (
        "frames",
        "rawsources.frames_default",
        "rawsources.frames_2026_12",
    )
    assert table.bounds(december) == "FOR VALUES FROM ('2026-12-01 00:00:00+00') TO ('2027-01-01 00:00:00+00')"
