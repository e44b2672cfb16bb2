"""Move a month of trades, quotes or frames from the database into the cold store, and back.

In this order: the month gets a partition of its own, where it has none; its rows go into a file by one snapshot; the
file into the store; the stored file is read whole, by hash; then, in one transaction with the note of the month, the
partition is dropped, if its rows still are those of the file. A process that is killed before the commit leaves all
rows where they are and a file that the next try writes again.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.bulk import column_types, differs, same_key
from strades_pipelines.database.cold_store import (
    ColdMonth,
    ContentHash,
    Written,
    cold_months,
    read_months,
    stage_rows,
    upload,
    verify_month,
    write_parquet,
)
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.monthly_tables import MonthlyTable, month_after
from strades_pipelines.ingestion.loader import LOAD_LOCK
from strades_pipelines.ingestion.month_partitions import create_month

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

YOUNGEST = timedelta(days=31)  # since its end: until then streams complete their trades, and bars are built of them
IS_REVISED = "EXISTS (SELECT FROM {revisions} AS r WHERE {same})"
NOTE = """
    INSERT INTO records.cold_months (relation, month, path, row_count, size, sha256, content_sha256, archived_at)
    VALUES ('{relation}', '{month}', $1, {row_count}, {size}, '{sha256}', '{content_sha256}', '{now}')
"""
# The rows are where they were to whoever reads as of a time: no input of a decision changed, nothing is to be redone.
QUIETLY = "ALTER TABLE {table} {action} TRIGGER USER"
# In this order, by the same rules as database/asof.py reads a cold month.
SAME = "DELETE FROM {table} AS t USING pg_temp.cold_rows AS n WHERE {same} AND NOT ({differs}) AND NOT {is_revised}"
NEWER = """
    INSERT INTO {revisions} ({columns}, superseded_at)
    SELECT {of_cold}, later.first FROM pg_temp.cold_rows AS n CROSS JOIN LATERAL (
        SELECT min(every.recorded_at) AS first FROM (
            SELECT t.recorded_at FROM {table} AS t WHERE {same}
            UNION ALL SELECT t.recorded_at FROM {revisions} AS t WHERE {same}
        ) AS every
    ) AS later
    WHERE n.recorded_at < later.first
"""
# A row that was loaded again and left out since has old versions alone: it stays left out.
RESTORE = """
    INSERT INTO {table} ({columns}) SELECT {of_cold} FROM pg_temp.cold_rows AS n
    WHERE NOT EXISTS (SELECT FROM {revisions} AS t WHERE {same}) ON CONFLICT DO NOTHING
"""
RESTORE_UNREVISED = """
    INSERT INTO {table} ({columns}) SELECT {of_cold} FROM pg_temp.cold_rows AS n ON CONFLICT DO NOTHING
"""
# Of a month one process at a time, from its first look to its last word; at the latest ends with the connection.
MONTH_LOCK = "SELECT pg_try_advisory_lock(hashtext('strades.archive {table}'), {number})"
MONTH_UNLOCK = "SELECT pg_advisory_unlock(hashtext('strades.archive {table}'), {number})"
WRITERS_OUT = "LOCK TABLE {partition} IN SHARE MODE"
# Whoever asked which months are cold holds ACCESS SHARE until it has read the rows: those must not go in between.
READERS_OUT = "LOCK TABLE records.cold_months IN ACCESS EXCLUSIVE MODE"
READERS_WAIT = "SET LOCAL lock_timeout = '10s'"  # as long as new readers wait for the old ones
# No lock in time, a deadlock with a reader, or a row of the month that came while it got its partition.
BUSY = ("55P03", "40P01", "23514")


def archive_month(
    table: MonthlyTable, month: date, *, url: str | None = None, now: datetime, progress: Callable[[str], None]
) -> ColdMonth | None:
    """Move a month's rows of a table into the cold store; None where it has none that can go. Idempotent.

    Rows with old versions stay in the database, and so do those that come for the month afterwards.

    Raises:
        BadInput: the month is not over for 31 days, another process moves it, or there is no store.
        ColdStoreError: the store does not give back what was written; nothing is deleted then.
        RuntimeError: rows of the month changed meanwhile, or somebody goes on reading; nothing is deleted, try again.
    """
    if month.day != 1 or month >= (now - YOUNGEST).date() or month_after(month) > (now - YOUNGEST).date():
        raise BadInput(f"MONTH: expected one that is over for {YOUNGEST.days} days, was {month:%Y-%m}")
    with (
        adbc_connect(url) as connection,
        connection.cursor() as cursor,
        _month_locked(connection, cursor, table, month),
    ):
        known = _known(cursor, table, month)
        connection.rollback()
        if known is not None:
            return known
        query = _query(cursor, table, month)
        cursor.execute(f"SELECT EXISTS ({query})")
        if cursor.fetchall() == [(False,)]:
            return None
        with _committed(connection, table, month):
            create_month(cursor, table, month)
        crash_point("archive.partitioned")
        with tempfile.TemporaryFile() as file:
            cursor.execute(query)
            reader = cursor.fetch_record_batch()
            written = write_parquet(reader, reader.schema, file)
            # Ended before the upload, which may take minutes: a snapshot that is open holds back vacuum.
            connection.rollback()
            progress(f"{written.row_count:,} {table.title} of {month:%Y-%m}: {written.size / 1e6:.1f} MB")
            path = f"{table.name}/{month:%Y-%m}/{written.sha256}.parquet"
            crash_point("archive.written")
            # The hash is part of the path: two processes, or two tries, never write over a file that is noted.
            upload(file, path, written.sha256)
        crash_point("archive.uploaded")
        # Read back whole before anything is deleted: the store may have kept less than it was sent.
        verify_month(written, path)
        crash_point("archive.verified")
        with _committed(connection, table, month):
            _drop(cursor, table, month, written, path, query, now)
        crash_point("archive.committed")
        return _known(cursor, table, month)


def restore_month(table: MonthlyTable, month: date, *, url: str | None = None) -> int:
    """Put a cold month's rows back into the database; how many its file has. The file stays in the store.

    Raises:
        BadInput: the month is not cold, or another process moves it.
        ColdStoreError: its file is not what was written; nothing changes then.
        RuntimeError: somebody goes on reading; nothing changes, try again.
    """
    with (
        adbc_connect(url) as connection,
        connection.cursor() as cursor,
        _month_locked(connection, cursor, table, month),
    ):
        known = _known(cursor, table, month)
        if known is None:
            raise BadInput(
                f"MONTH: expected a cold month of {table.title}, was {month:%Y-%m}; `strades archive` lists them"
            )
        verify_month(known, known.path)
        rows = read_months([known])
        with _committed(connection, table, month):
            create_month(cursor, table, month)
            stage_rows(cursor, rows)
            for statement in _restore_statements(table, rows.column_names):
                cursor.execute(statement)
            cursor.execute(f"DELETE FROM records.cold_months WHERE relation = '{table.name}' AND month = '{month}'")
            crash_point("archive.restored")
    return int(rows.num_rows)


def _restore_statements(table: MonthlyTable, columns: list[str]) -> list[str]:
    words = {
        "table": table.name,
        "columns": ", ".join(columns),
        "of_cold": ", ".join(f"n.{name}" for name in columns),
        "same": same_key(table.key),
        "differs": differs(table.values),
        "revisions": table.revisions,
        "is_revised": _is_revised(table),
    }
    if table.revisions is None:
        return [RESTORE_UNREVISED.format(**words)]
    quietly = [QUIETLY.format(table=table.name, action=action) for action in ("DISABLE", "ENABLE")]
    return [quietly[0], *(each.format(**words) for each in (SAME, NEWER, RESTORE)), quietly[1]]


def _is_revised(table: MonthlyTable) -> str:
    """SQL: the row `t` has old versions."""
    if table.revisions is None:
        return "false"
    return IS_REVISED.format(revisions=table.revisions, same=" AND ".join(f"r.{name} = t.{name}" for name in table.key))


def _query(cursor: "Cursor", table: MonthlyTable, month: date) -> str:
    """SQL: the rows of a month that can go, in the order of its file."""
    return (
        f"SELECT {', '.join(column_types(cursor, table.name))} FROM {table.name} AS t "
        f"WHERE {table.of_month(month)} AND NOT {_is_revised(table)} ORDER BY {', '.join(table.key)}"
    )


@contextmanager
def _month_locked(connection: "Connection", cursor: "Cursor", table: MonthlyTable, month: date) -> Iterator[None]:
    """Keep other processes from moving the month.

    The lock is given back, not left to the end of the session: that comes some milliseconds after its connection is
    closed, and what is done next would be refused.
    """
    words = {"table": table.name, "number": 12 * month.year + month.month}
    cursor.execute(MONTH_LOCK.format(**words))
    [(is_locked,)] = cursor.fetchall()
    if not is_locked:
        raise BadInput(f"MONTH: expected one that no other process archives or restores, was {month:%Y-%m}")
    try:
        yield
    finally:
        connection.rollback()
        cursor.execute(MONTH_UNLOCK.format(**words))
        cursor.fetchall()


@contextmanager
def _committed(connection: "Connection", table: MonthlyTable, month: date) -> Iterator[None]:
    """Commit what is done within, or roll it back; one line where somebody was in the way."""
    from adbc_driver_manager import Error

    try:
        yield
        connection.commit()
    except BaseException as error:
        connection.rollback()
        if isinstance(error, Error) and error.sqlstate in BUSY:
            raise RuntimeError(
                f"somebody has been reading or writing {table.title} for too long (a backup, a replay): nothing of "
                f"{month:%Y-%m} was moved, try again"
            ) from None
        raise


def _known(cursor: "Cursor", table: MonthlyTable, month: date) -> ColdMonth | None:
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    found = cold_months(cursor, table.name, (start, start + timedelta(days=1)))
    return found[0] if found else None


def _drop(
    cursor: "Cursor", table: MonthlyTable, month: date, written: Written, path: str, query: str, now: datetime
) -> None:
    """Note the month and drop its partition, if its rows are those of the file; commits nothing."""
    partition = table.partition(month)
    cursor.execute(LOAD_LOCK)
    cursor.execute(READERS_WAIT)
    cursor.execute(WRITERS_OUT.format(partition=partition))
    # The same query a second time, now under the lock: rows that changed since the first have to stay.
    cursor.execute(query)
    content = ContentHash()
    for batch in cursor.fetch_record_batch():
        content.add(batch)
    if content.hexdigest() != written.content_sha256:
        raise RuntimeError(
            f"{table.title} of {month:%Y-%m} changed while they were archived; nothing was deleted, try again"
        )
    note = NOTE.format(
        relation=table.name,
        month=month,
        row_count=written.row_count,
        size=written.size,
        sha256=written.sha256,
        content_sha256=written.content_sha256,
        now=now.isoformat(),
    )
    cursor.execute(note, (path,))
    cursor.execute(READERS_OUT)
    cursor.execute(f"ALTER TABLE {table.name} DETACH PARTITION {partition}")
    cursor.execute(f"SELECT count(*) FROM {partition} AS t WHERE NOT {_is_revised(table)}")
    [(gone,)] = cursor.fetchall()
    if gone != written.row_count:
        raise RuntimeError(f"expected {written.row_count} {table.title} to go, were {gone}; nothing was deleted")
    # Not through the table, whose triggers would say that inputs of decisions changed.
    cursor.execute(f"INSERT INTO {table.default} SELECT * FROM {partition} AS t WHERE {_is_revised(table)}")
    cursor.execute(f"DROP TABLE {partition}")
    crash_point("archive.deleted")
