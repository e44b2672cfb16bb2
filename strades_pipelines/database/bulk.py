"""Idempotent loading of frames: what is there already is not written again, and no past value is lost.

COPY into a temporary table, unchanged rows removed first, old versions to the revisions table, then the upsert: all in
the caller's transaction, so that rows and cursor are committed together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from strades_pipelines.database.crash import crash_point

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor


@dataclass(frozen=True)
class Loaded:
    """How many rows of a frame were new, changed, and there already."""

    inserted: int
    revised: int
    unchanged: int

    def __add__(self, other: "Loaded") -> "Loaded":
        return Loaded(self.inserted + other.inserted, self.revised + other.revised, self.unchanged + other.unchanged)


NOTHING = Loaded(0, 0, 0)


def load(
    cursor: "Cursor",
    table: str,
    rows: pa.Table,
    *,
    key: Sequence[str],
    now: datetime,
    revisions: str | None = None,
    ignore: Sequence[str] = ("fetch_id", "recorded_at"),
) -> Loaded:
    """Bring `rows` into `table` (`schema.table`); commits nothing.

    Args:
        rows: columns named as the table's; text is cast to the column's type (jsonb, numeric, arrays). A missing
            `recorded_at` is filled with `now`. At most one row a key.
        key: the columns of the primary key.
        now: the time a changed row's old version is marked with.
        revisions: the table that takes the old versions; it has the same columns and `superseded_at`.
        ignore: columns whose difference alone does not make a row changed.
    """
    if rows.num_rows == 0:
        return NOTHING
    types = _column_types(cursor, table)
    if "recorded_at" in types and "recorded_at" not in rows.column_names:
        stamp = pa.array([now] * rows.num_rows, pa.timestamp("us", tz="UTC"))
        rows = rows.append_column("recorded_at", stamp)
    cursor.execute("SET LOCAL synchronous_commit = off")
    cursor.execute("SET LOCAL client_min_messages = warning")
    cursor.execute("DROP TABLE IF EXISTS pg_temp.incoming, pg_temp.changed")
    cursor.adbc_ingest("incoming", rows, mode="create", temporary=True)
    cursor.execute("ANALYZE pg_temp.incoming")
    compared = [name for name in rows.column_names if name not in key and name not in ignore]
    revised = _keep_changed(cursor, table, rows.column_names, types, key, compared)
    if revised:
        if revisions:
            _keep_old_versions(cursor, table, revisions, list(types), key, now)
        _update_changed(cursor, table, rows.column_names, key)
    inserted = _insert_new(cursor, table, rows.column_names, types, key)
    crash_point("database.rows_written")
    return Loaded(inserted, revised, rows.num_rows - inserted - revised)


def _column_types(cursor: "Cursor", table: str) -> dict[str, str]:
    cursor.execute(
        f"SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    return dict(cursor.fetchall())


def _keep_changed(
    cursor: "Cursor",
    table: str,
    columns: Sequence[str],
    types: dict[str, str],
    key: Sequence[str],
    compared: Sequence[str],
) -> int:
    """Fill pg_temp.changed with the rows that are there and differ; returns how many."""
    if not compared:
        return 0
    differs = " OR ".join(f't."{name}" IS DISTINCT FROM n."{name}"' for name in compared)
    cursor.execute(
        f"CREATE TEMPORARY TABLE changed AS SELECT n.* FROM ({_incoming(columns, types)}) AS n "
        f"JOIN {table} AS t ON {_same(key)} WHERE {differs}"
    )
    return _number(cursor, "SELECT count(*) FROM pg_temp.changed")


def _incoming(columns: Sequence[str], types: dict[str, str]) -> str:
    """The frame with the table's types."""
    casts = ", ".join(f'"{name}"::{types[name]}' for name in columns)
    return f"SELECT {casts} FROM pg_temp.incoming"


def _same(key: Sequence[str]) -> str:
    return " AND ".join(f't."{name}" = n."{name}"' for name in key)


def _number(cursor: "Cursor", query: str) -> int:
    cursor.execute(query)
    [(number,)] = cursor.fetchall()
    return int(number)


def _keep_old_versions(
    cursor: "Cursor", table: str, revisions: str, columns: Sequence[str], key: Sequence[str], now: datetime
) -> None:
    old = ", ".join(f't."{name}"' for name in columns)
    cursor.execute(
        f"INSERT INTO {revisions} ({_names(columns)}, superseded_at) SELECT {old}, '{now.isoformat()}'::timestamptz "
        f"FROM {table} AS t JOIN pg_temp.changed AS n ON {_same(key)} ON CONFLICT DO NOTHING"
    )


def _update_changed(cursor: "Cursor", table: str, columns: Sequence[str], key: Sequence[str]) -> None:
    values = ", ".join(f'"{name}" = n."{name}"' for name in columns if name not in key)
    cursor.execute(f"UPDATE {table} AS t SET {values} FROM pg_temp.changed AS n WHERE {_same(key)}")


def _insert_new(cursor: "Cursor", table: str, columns: Sequence[str], types: dict[str, str], key: Sequence[str]) -> int:
    """Insert the rows whose key is not there; another process may be at it too. Returns how many."""
    names = _names(columns)
    return _number(
        cursor,
        f"WITH inserted AS (INSERT INTO {table} ({names}) SELECT {names} FROM ({_incoming(columns, types)}) AS n "
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {_same(key)}) ON CONFLICT DO NOTHING RETURNING 1) "
        "SELECT count(*) FROM inserted",
    )


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
