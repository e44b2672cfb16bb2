"""Idempotent loading of frames: what is there already is not written again, and no past value is lost.

COPY into a temporary table, one look at what is there already, then only what that asks for: old versions to the
revisions table and the update, and the insert. All in the caller's transaction, so that rows and cursor are committed
together. What is there is found by an index lookup a row (LATERAL), whatever the planner believes: after an ANALYZE of
the frame it chose to read a table of three million rows whole, for each frame. Rows of a stretch of keys that holds
nothing yet, as a first load has them, are copied straight into the table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
from psycopg.sql import Literal

from strades_pipelines.database.crash import crash_point

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor


@dataclass(frozen=True)
class Loaded:
    """How many rows of a frame were new, changed, and there already.

    `revised_at` is the recorded_at of the changed rows, where there were any.
    """

    inserted: int
    revised: int
    unchanged: int
    revised_at: datetime | None = field(default=None, compare=False)

    def __add__(self, other: "Loaded") -> "Loaded":
        return Loaded(self.inserted + other.inserted, self.revised + other.revised, self.unchanged + other.unchanged)


NOTHING = Loaded(0, 0, 0)
MOST_STRETCHES = 64
COPIED_AS = {  # other columns are cast, which takes the temporary table
    pa.string(): "text",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.date32(): "date",
    pa.timestamp("us", tz="UTC"): "timestamp with time zone",
}


def load(
    cursor: "Cursor",
    table: str,
    rows: pa.Table,
    *,
    key: Sequence[str],
    now: datetime,
    revisions: str | None = None,
    ignore: Sequence[str] = ("fetch_id", "recorded_at"),
    single_writer: bool = False,
) -> Loaded:
    """Bring `rows` into `table` (`schema.table`); commits nothing.

    Args:
        rows: columns named as the table's; text is cast to the column's type (jsonb, numeric, arrays). A missing
            `recorded_at` is filled with `now`. At most one row a key.
        key: the columns of the primary key.
        now: the time a changed row's old version is marked with. Where an old version was recorded at or after it, the
            changed rows are marked a microsecond after the newest of those: versions of a key are strictly ordered.
        revisions: the table that takes the old versions; it has the same columns and `superseded_at`.
        ignore: columns whose difference alone does not make a row changed.
        single_writer: the caller holds a lock under which nobody else writes the table. Without it rows are
            inserted with ON CONFLICT, at twice the cost.
    """
    if rows.num_rows == 0:
        return NOTHING
    types = column_types(cursor, table)
    rows = _stamped(rows, types, now)
    # What a crash of the server loses is loaded again: the cursor is lost with the rows, and the bodies are stored.
    cursor.execute("SET LOCAL synchronous_commit = off")
    if single_writer and _uncast(rows, types) and _nothing_between(cursor, table, rows, key):
        _copy(cursor, table, rows)
        loaded = Loaded(rows.num_rows, 0, 0)
    else:
        loaded = _merge(cursor, table, rows, types, key, now, revisions, ignore, single_writer=single_writer)
    crash_point("database.rows_written")
    return loaded


def append(cursor: "Cursor", table: str, rows: pa.Table, *, now: datetime) -> None:
    """Copy rows into `table` whose keys the caller knows to be absent, under a lock; commits nothing.

    Args:
        rows, now: as for `load`, with the columns' own types.
    """
    rows = _stamped(rows, column_types(cursor, table), now)
    cursor.execute("SET LOCAL synchronous_commit = off")
    _copy(cursor, table, rows)
    crash_point("database.rows_written")


def _stamped(rows: pa.Table, types: Mapping[str, str], now: datetime) -> pa.Table:
    """The rows with their recorded_at, where the table has one and they do not."""
    if "recorded_at" not in types or "recorded_at" in rows.column_names:
        return rows
    stamp = pa.array([now] * rows.num_rows, pa.timestamp("us", tz="UTC"))
    return rows.append_column("recorded_at", stamp)


def _copy(cursor: "Cursor", table: str, rows: pa.Table) -> None:
    schema, name = table.split(".")
    cursor.adbc_ingest(name, rows, mode="append", db_schema_name=schema)


def reattribute(cursor: "Cursor", table: str, rows: pa.Table, *, key: Sequence[str], ignore: Sequence[str]) -> None:
    """Point stored rows that say the same as `rows` at the fetch in `rows`; commits nothing.

    Args:
        rows: at most one row a key, otherwise as for `load`.
        ignore: the columns that are taken over, but for recorded_at; all others must be equal.
    """
    if rows.num_rows == 0:
        return
    compared = [name for name in rows.column_names if name not in key and name not in ignore]
    taken = ", ".join(f'"{name}" = n."{name}"' for name in ignore if name != "recorded_at")
    cursor.execute(
        f"UPDATE {table} AS t SET {taken} FROM {copy_frame(cursor, table, rows)} "
        f"WHERE {same_key(key)} AND t.fetch_id <> n.fetch_id AND NOT ({differs(compared)})"
    )


def copy_frame(cursor: "Cursor", table: str, rows: pa.Table) -> str:
    """Copy rows of a table into a temporary one; returns SQL for them, as `n`, with the columns' own types."""
    return _frame(cursor, rows, column_types(cursor, table))


def _frame(cursor: "Cursor", rows: pa.Table, types: Mapping[str, str]) -> str:
    """Copy the rows into a temporary table; returns SQL for them, as `n`, with the columns' own types."""
    # Otherwise each DROP of a table that is not there is a notice.
    cursor.execute("SET LOCAL client_min_messages = warning")
    cursor.execute("DROP TABLE IF EXISTS pg_temp.incoming, pg_temp.changed")
    cursor.adbc_ingest("incoming", rows, mode="create", temporary=True)
    casts = ", ".join(f'"{name}"::{types[name]}' for name in rows.column_names)
    return f"(SELECT {casts} FROM pg_temp.incoming) AS n"


def _uncast(rows: pa.Table, types: dict[str, str]) -> bool:
    return all(COPIED_AS.get(field.type) == types[field.name] for field in rows.schema)


def _nothing_between(cursor: "Cursor", table: str, rows: pa.Table, key: Sequence[str]) -> bool:
    """Whether the table holds no key from the least to the greatest of the rows, for each value of its leading columns.

    False also where that is not cheaply known: many stretches, or a text at the end, which Arrow may sort otherwise.
    """
    *leading, last = key
    stretches = rows.group_by(leading).aggregate([(last, "min"), (last, "max")])
    if stretches.num_rows > MOST_STRETCHES or pa.types.is_string(rows[last].type):
        return False
    found = " OR ".join(_found(table, leading, last, stretch) for stretch in stretches.to_pylist())
    cursor.execute(f"SELECT {found}")
    [(there,)] = cursor.fetchall()
    return not there


def _found(table: str, leading: Sequence[str], last: str, stretch: Mapping[str, object]) -> str:
    """SQL: the first stored key from the least on is not beyond the greatest (ORDER BY keeps to the index)."""
    least, greatest = (Literal(stretch[f"{last}_{end}"]).as_string() for end in ("min", "max"))
    same = "".join(f'"{name}" = {Literal(stretch[name]).as_string()} AND ' for name in leading)
    # Where no key follows, the comparison is NULL.
    return f'((SELECT "{last}" FROM {table} WHERE {same}"{last}" >= {least} ORDER BY 1 LIMIT 1) <= {greatest}) IS TRUE'


def _merge(
    cursor: "Cursor",
    table: str,
    rows: pa.Table,
    types: dict[str, str],
    key: Sequence[str],
    now: datetime,
    revisions: str | None,
    ignore: Sequence[str],
    *,
    single_writer: bool,
) -> Loaded:
    """Bring in rows of which some may be there."""
    frame, columns = _frame(cursor, rows, types), rows.column_names
    compared = [name for name in columns if name not in key and name not in ignore]
    timed = "recorded_at" in types
    there, revised, newest = _look(cursor, table, frame, key, compared, timed=timed)
    if revised:
        now = now if newest is None else max(now, newest + timedelta(microseconds=1))
        _keep_changed(cursor, table, frame, key, compared)
        if timed:
            cursor.execute(f"UPDATE pg_temp.changed SET recorded_at = '{now.isoformat()}'")
        if revisions:
            _keep_old_versions(cursor, table, revisions, list(types), key, now)
        _update_changed(cursor, table, columns, key)
    inserted = 0
    if there < rows.num_rows:
        source = f"{frame} {_absent(table, key)}" if there else frame
        inserted = _insert(cursor, table, columns, source, single_writer=single_writer)
    return Loaded(inserted, revised, rows.num_rows - inserted - revised, now if revised else None)


def column_types(cursor: "Cursor", table: str) -> dict[str, str]:
    """The columns of a table (`schema.table`) with their types, in order."""
    cursor.execute(
        f"SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute "
        f"WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    return dict(cursor.fetchall())


def _look(
    cursor: "Cursor", table: str, frame: str, key: Sequence[str], compared: Sequence[str], *, timed: bool
) -> tuple[int, int, datetime | None]:
    """How many rows of the frame are in the table, how many of those differ, and the newest recorded_at of these."""
    changed = f"FILTER (WHERE {differs(compared)})"
    newest = f"max(t.recorded_at) {changed}" if timed else "NULL::timestamptz"
    cursor.execute(f"SELECT count(*), count(*) {changed}, {newest} FROM {frame} {_present(table, key)}")
    [(there, revised, at)] = cursor.fetchall()
    return int(there), int(revised), at


def _keep_changed(cursor: "Cursor", table: str, frame: str, key: Sequence[str], compared: Sequence[str]) -> None:
    """Fill pg_temp.changed with the rows that are there and differ."""
    cursor.execute(
        f"CREATE TEMPORARY TABLE changed AS SELECT n.* FROM {frame} {_present(table, key)} WHERE {differs(compared)}"
    )


def differs(compared: Sequence[str]) -> str:
    """SQL: the stored row `t` and the incoming row `n` differ in one of these columns."""
    return " OR ".join(f't."{name}" IS DISTINCT FROM n."{name}"' for name in compared) or "false"


def _present(table: str, key: Sequence[str]) -> str:
    """Joins to `n` the stored row of its key; LIMIT keeps the planner from any other way than a lookup a row."""
    return f"CROSS JOIN LATERAL (SELECT * FROM {table} AS t WHERE {same_key(key)} LIMIT 1) AS t"


def _absent(table: str, key: Sequence[str]) -> str:
    """Leaves of `n` the rows whose key is not stored."""
    lookup = f"SELECT true AS stored FROM {table} AS t WHERE {same_key(key)} LIMIT 1"
    return f"LEFT JOIN LATERAL ({lookup}) AS t ON true WHERE t.stored IS NULL"


def same_key(key: Sequence[str]) -> str:
    """SQL: the stored row `t` and the incoming row `n` have the same key."""
    return " AND ".join(f't."{name}" = n."{name}"' for name in key)


def _keep_old_versions(
    cursor: "Cursor", table: str, revisions: str, columns: Sequence[str], key: Sequence[str], now: datetime
) -> None:
    old = ", ".join(f't."{name}"' for name in columns)
    cursor.execute(
        f"INSERT INTO {revisions} ({_names(columns)}, superseded_at) SELECT {old}, '{now.isoformat()}'::timestamptz "
        f"FROM {table} AS t JOIN pg_temp.changed AS n ON {same_key(key)}"
    )


def _update_changed(cursor: "Cursor", table: str, columns: Sequence[str], key: Sequence[str]) -> None:
    values = ", ".join(f'"{name}" = n."{name}"' for name in columns if name not in key)
    cursor.execute(f"UPDATE {table} AS t SET {values} FROM pg_temp.changed AS n WHERE {same_key(key)}")


def _insert(cursor: "Cursor", table: str, columns: Sequence[str], source: str, *, single_writer: bool) -> int:
    """Insert the rows of `source` (as `n`); another process may insert too, if not `single_writer`. Returns a count."""
    target, values = _names(columns), ", ".join(f'n."{name}"' for name in columns)
    conflict = "" if single_writer else "ON CONFLICT DO NOTHING"
    cursor.execute(f"INSERT INTO {table} ({target}) SELECT {values} FROM {source} {conflict}")
    return cursor.rowcount


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
