"""Move a month of trades from the database into the cold store, and back.

In this order: the rows into a file by one snapshot; the file into the store; the stored file read whole, by hash; then,
in one transaction with the note of the month, the rows deleted, if they still are those of the file. A process that is
killed before the commit leaves all rows where they are and a file that the next try writes again.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.bulk import column_types
from strades_pipelines.database.cold_store import (
    ColdMonth,
    ContentHash,
    Written,
    cold_months,
    month_after,
    read_months,
    stage_rows,
    upload,
    verify_month,
    write_parquet,
)
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.ingestion.loader import LOAD_LOCK

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

TABLE = "records.trades"
YOUNGEST = timedelta(days=31)  # since its end: until then streams complete their trades, and bars are built of them
# A trade that was revised stays beside its old versions.
OF_MONTH = """
    FROM records.trades AS t WHERE t.event_time >= '{first}'::date AND t.event_time < '{end}'::date
        AND NOT EXISTS (
            SELECT FROM records.trade_revisions AS r
            WHERE (r.listing_id, r.trade_id, r.event_time) = (t.listing_id, t.trade_id, t.event_time)
        )
"""
NOTE = """
    INSERT INTO records.cold_months (relation, month, path, row_count, size, sha256, content_sha256, archived_at)
    VALUES ('{relation}', '{month}', $1, {row_count}, {size}, '{sha256}', '{content_sha256}', '{now}')
"""
# The rows are where they were to whoever reads as of a time: no input of a decision changed, nothing is to be redone.
QUIETLY = "ALTER TABLE records.trades {} TRIGGER USER"
# In this order, by the same rules as database/asof.py reads a cold month.
SAME = """
    DELETE FROM records.trades AS t USING pg_temp.cold_rows AS n
    WHERE (t.listing_id, t.trade_id, t.event_time) = (n.listing_id, n.trade_id, n.event_time)
        AND (t.price, t.size, t.side) IS NOT DISTINCT FROM (n.price, n.size, n.side)
        AND NOT EXISTS (
            SELECT FROM records.trade_revisions AS r
            WHERE (r.listing_id, r.trade_id, r.event_time) = (t.listing_id, t.trade_id, t.event_time)
        )
"""
NEWER = """
    INSERT INTO records.trade_revisions ({columns}, superseded_at)
    SELECT {of_cold}, later.first FROM pg_temp.cold_rows AS n CROSS JOIN LATERAL (
        SELECT min(every.recorded_at) AS first FROM (
            SELECT t.recorded_at FROM records.trades AS t
            WHERE (t.listing_id, t.trade_id, t.event_time) = (n.listing_id, n.trade_id, n.event_time)
            UNION ALL SELECT r.recorded_at FROM records.trade_revisions AS r
            WHERE (r.listing_id, r.trade_id, r.event_time) = (n.listing_id, n.trade_id, n.event_time)
        ) AS every
    ) AS later
    WHERE n.recorded_at < later.first
"""
# A trade that was loaded again and left out since has old versions alone: it stays left out.
RESTORE = """
    INSERT INTO records.trades ({columns}) SELECT {of_cold} FROM pg_temp.cold_rows AS n
    WHERE NOT EXISTS (
        SELECT FROM records.trade_revisions AS r
        WHERE (r.listing_id, r.trade_id, r.event_time) = (n.listing_id, n.trade_id, n.event_time)
    )
    ON CONFLICT DO NOTHING
"""
# Of a month one process at a time, from its first look to its last word; at the latest ends with the connection.
MONTH_LOCK = "SELECT pg_try_advisory_lock(hashtext('strades.archive'), {number})"
MONTH_UNLOCK = "SELECT pg_advisory_unlock(hashtext('strades.archive'), {number})"
# Whoever asked which months are cold holds ACCESS SHARE until it has read the rows: those must not go in between.
READERS_OUT = "LOCK TABLE records.cold_months IN ACCESS EXCLUSIVE MODE"
READERS_WAIT = "SET LOCAL lock_timeout = '10s'"  # as long as new readers wait for the old ones
LOCK_NOT_AVAILABLE = "55P03"


def archive_month(
    month: date, *, url: str | None = None, now: datetime, progress: Callable[[str], None]
) -> ColdMonth | None:
    """Move the trades of a month into the cold store; None where it has none that can go. Idempotent.

    Trades that come for the month afterwards stay in the database.

    Raises:
        BadInput: the month is not over for 31 days, another process moves it, or there is no store.
        ColdStoreError: the store does not give back what was written; nothing is deleted then.
        RuntimeError: rows of the month changed meanwhile, or somebody goes on reading; nothing is deleted, try again.
    """
    if month.day != 1 or month >= (now - YOUNGEST).date() or month_after(month) > (now - YOUNGEST).date():
        raise BadInput(f"MONTH: expected one that is over for {YOUNGEST.days} days, was {month:%Y-%m}")
    first, end = month, month_after(month)
    with adbc_connect(url) as connection, connection.cursor() as cursor, _month_locked(connection, cursor, month):
        known = _known(cursor, month)
        connection.rollback()
        if known is not None:
            return known
        names = list(column_types(cursor, TABLE))
        rows = OF_MONTH.format(first=first, end=end)
        query = f"SELECT {', '.join(names)} {rows} ORDER BY listing_id, event_time, trade_id"
        with tempfile.TemporaryFile() as file:
            cursor.execute(query)
            reader = cursor.fetch_record_batch()
            written = write_parquet(reader, reader.schema, file)
            # Ended before the upload, which may take minutes: a snapshot that is open holds back vacuum.
            connection.rollback()
            if not written.row_count:
                return None
            progress(f"{written.row_count:,} trades of {month:%Y-%m}: {written.size / 1e6:.1f} MB")
            path = f"{TABLE}/{month:%Y-%m}/{written.sha256}.parquet"
            crash_point("archive.written")
            # The hash is part of the path: two processes, or two tries, never write over a file that is noted.
            upload(file, path, written.sha256)
        crash_point("archive.uploaded")
        # Read back whole before anything is deleted: the store may have kept less than it was sent.
        verify_month(written, path)
        crash_point("archive.verified")
        try:
            _drop(cursor, month, written, path, query, rows, now)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        crash_point("archive.committed")
        return _known(cursor, month)


def restore_month(month: date, *, url: str | None = None) -> int:
    """Put the trades of a cold month back into the database; how many its file has. The file stays in the store.

    Raises:
        BadInput: the month is not cold, or another process moves it.
        ColdStoreError: its file is not what was written; nothing changes then.
    """
    with adbc_connect(url) as connection, connection.cursor() as cursor, _month_locked(connection, cursor, month):
        known = _known(cursor, month)
        if known is None:
            raise BadInput(f"MONTH: expected a cold month, was {month:%Y-%m}; `strades archive` lists them")
        verify_month(known, known.path)
        rows = read_months([known])
        names = ", ".join(rows.column_names)
        of_cold = ", ".join(f"n.{name}" for name in rows.column_names)
        try:
            cursor.execute(LOAD_LOCK)
            stage_rows(cursor, rows)
            cursor.execute(QUIETLY.format("DISABLE"))
            cursor.execute(SAME)
            cursor.execute(NEWER.format(columns=names, of_cold=of_cold))
            cursor.execute(RESTORE.format(columns=names, of_cold=of_cold))
            cursor.execute(QUIETLY.format("ENABLE"))
            cursor.execute(f"DELETE FROM records.cold_months WHERE relation = '{TABLE}' AND month = '{month}'")
            crash_point("archive.restored")
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    return int(rows.num_rows)


@contextmanager
def _month_locked(connection: "Connection", cursor: "Cursor", month: date) -> Iterator[None]:
    """Keep other processes from moving the month.

    The lock is given back, not left to the end of the session: that comes some milliseconds after its connection is
    closed, and what is done next would be refused.
    """
    number = 12 * month.year + month.month
    cursor.execute(MONTH_LOCK.format(number=number))
    [(is_locked,)] = cursor.fetchall()
    if not is_locked:
        raise BadInput(f"MONTH: expected one that no other process archives or restores, was {month:%Y-%m}")
    try:
        yield
    finally:
        connection.rollback()
        cursor.execute(MONTH_UNLOCK.format(number=number))
        cursor.fetchall()


def _known(cursor: "Cursor", month: date) -> ColdMonth | None:
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    found = cold_months(cursor, TABLE, (start, start + timedelta(days=1)))
    return found[0] if found else None


def _drop(cursor: "Cursor", month: date, written: Written, path: str, query: str, rows: str, now: datetime) -> None:
    """Note the month and delete its rows, if they are those of the file; commits nothing."""
    cursor.execute(LOAD_LOCK)
    cursor.execute(query)
    content = ContentHash()
    for batch in cursor.fetch_record_batch():
        content.add(batch)
    if content.hexdigest() != written.content_sha256:
        raise RuntimeError(f"trades of {month:%Y-%m} changed while they were archived; nothing was deleted, try again")
    note = NOTE.format(
        relation=TABLE,
        month=month,
        row_count=written.row_count,
        size=written.size,
        sha256=written.sha256,
        content_sha256=written.content_sha256,
        now=now.isoformat(),
    )
    cursor.execute(note, (path,))
    cursor.execute(QUIETLY.format("DISABLE"))
    cursor.execute(f"WITH gone AS (DELETE {rows} RETURNING 1) SELECT count(*) FROM gone")
    [(gone,)] = cursor.fetchall()
    cursor.execute(QUIETLY.format("ENABLE"))
    if gone != written.row_count:
        raise RuntimeError(f"expected {written.row_count} trades to delete, were {gone}; nothing was deleted")
    _wait_for_readers(cursor, month)
    crash_point("archive.deleted")


def _wait_for_readers(cursor: "Cursor", month: date) -> None:
    from adbc_driver_manager import Error

    cursor.execute(READERS_WAIT)
    try:
        cursor.execute(READERS_OUT)
    except Error as error:
        if error.sqlstate != LOCK_NOT_AVAILABLE:
            raise
        raise RuntimeError(
            f"somebody has been reading trades for too long (a backup, a replay): nothing of {month:%Y-%m} was "
            "deleted, try again"
        ) from None
