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
    changed, inserted = _keep_changed(cursor, table, rows.column_names, types, key, compared)
    if changed:
        if revisions and changed > inserted:
            _keep_old_versions(cursor, table, revisions, list(types), key, now)
        _upsert(cursor, table, rows.column_names, key)
    crash_point("database.rows_written")
    return Loaded(inserted, changed - inserted, rows.num_rows - changed)


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
) -> tuple[int, int]:
    """Fill pg_temp.changed with the rows that are new or differ; returns (all of them, the new ones)."""
    casts = ", ".join(f'"{name}"::{types[name]} AS "{name}"' for name in columns)
    join = " AND ".join(f't."{name}" = n."{name}"' for name in key)
    absent = f't."{key[0]}" IS NULL'
    differs = " OR ".join(f't."{name}" IS DISTINCT FROM n."{name}"' for name in compared)
    cursor.execute(
        f"CREATE TEMPORARY TABLE changed AS SELECT n.*, {absent} AS is_new "
        f"FROM (SELECT {casts} FROM pg_temp.incoming) AS n LEFT JOIN {table} AS t ON {join} "
        f"WHERE {' OR '.join(filter(None, [absent, differs]))}"
    )
    cursor.execute("SELECT count(*), count(*) FILTER (WHERE is_new) FROM pg_temp.changed")
    [(changed, inserted)] = cursor.fetchall()
    return int(changed), int(inserted)


def _keep_old_versions(
    cursor: "Cursor", table: str, revisions: str, columns: Sequence[str], key: Sequence[str], now: datetime
) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    old = ", ".join(f't."{name}"' for name in columns)
    join = " AND ".join(f't."{name}" = n."{name}"' for name in key)
    cursor.execute(
        f"INSERT INTO {revisions} ({names}, superseded_at) SELECT {old}, '{now.isoformat()}'::timestamptz "
        f"FROM {table} AS t JOIN pg_temp.changed AS n ON {join} ON CONFLICT DO NOTHING"
    )


def _upsert(cursor: "Cursor", table: str, columns: Sequence[str], key: Sequence[str]) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    updates = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in columns if name not in key)
    action = f"DO UPDATE SET {updates}" if updates else "DO NOTHING"
    keys = ", ".join(f'"{name}"' for name in key)
    cursor.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM pg_temp.changed ON CONFLICT ({keys}) {action}")
