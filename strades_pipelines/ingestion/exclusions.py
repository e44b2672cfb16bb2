"""Leave a record out, or take it in again: a mark in `records.exclusions`, which later loads respect.

A record that is left out is moved to the revisions of its table: whatever reads current records is without it, and what
was read before can still be read as of then. No bytes are touched. Undoing a mark stores what a load of all bodies in
fetch order would have left.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
from adbc_driver_manager import Error as AdbcError

from strades_pipelines.database.bulk import column_types, copy_frame, same_key
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.ingestion.excluded_keys import KINDS, typed_key
from strades_pipelines.ingestion.loader import LOAD_LOCK, Summary, not_before_earlier_loads, store_settled
from strades_pipelines.ingestion.precedence import Bodies, is_overruled_before, settle, withdraw
from strades_pipelines.ingestion.record_tables import TARGETS, Target
from strades_pipelines.ingestion.split_adjustments import update_split_adjustments
from strades_pipelines.ingestion.stored_rows import read_rows

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

EXCLUSION, RESTORATION = "exclusion", "restoration"
IS_MARKED = "SELECT EXISTS (SELECT FROM records.exclusions WHERE request_id = $1)"
EXCLUDED_FROM = """
    SELECT max(spans.excluded_from) FROM {frame} INNER JOIN records.exclusion_spans AS spans ON spans.key = {key}
    WHERE spans.relation = '{relation}' AND spans.excluded_until IS NULL
"""
ADD_MARK = """
    INSERT INTO records.exclusions (relation, key, is_excluded, marked_at, marked_by, reason, request_id)
    SELECT '{relation}', {key}, {is_excluded}, '{at}'::timestamptz, $1, $2, $3 FROM {frame}
"""
# The version that stood when the record was left out.
LAST_VERSION = """
    SELECT {columns} FROM {frame} INNER JOIN {revisions} AS t ON {same_key}
    ORDER BY t.superseded_at DESC, t.recorded_at DESC LIMIT 1
"""
INVALID_TEXT = "22"  # SQLSTATE class: a value that its type does not have


class ExclusionRefused(ValueError):
    """A mark that would change nothing: no such record, or one that has the mark already. One line."""


@dataclass(frozen=True)
class Mark:
    """That a record is left out, or counts again.

    Args:
        relation: the table of `records`, without its schema.
        key: the primary key as texts, as PostgreSQL writes them in UTC.
        request_id: of `ops.data_requests`; a request makes one mark, however often it is carried out.
    """

    relation: str
    key: Sequence[str]
    is_excluded: bool
    by: str
    reason: str
    request_id: int


def parse_mark(kind: str, given: Mapping[str, str], *, by: str, reason: str, request_id: int) -> Mark:
    """The mark that a request asks for: `given` has its `table` and, as JSON, its `key`.

    Raises:
        ExclusionRefused: there is no such table, or the key is not one of it.
    """
    relation = given.get("table", "")
    try:
        key = json.loads(given.get("key", ""))
    except (ValueError, RecursionError):
        key = None
    if relation not in KINDS or not isinstance(key, list) or len(key) != len(TARGETS[KINDS[relation]].key):
        raise ExclusionRefused("expected a table of records and the key of a row in it, was another request")
    if not all(isinstance(part, str) and "\0" not in part for part in key):
        raise ExclusionRefused("expected a key of texts, was another one")
    return Mark(relation, tuple(key), kind == EXCLUSION, by, reason, request_id)


def mark_record(url: str | None, mark: Mark, *, now: datetime) -> str:
    """Leave a record out or take it in again, in one transaction; what was done, in a line.

    Idempotent: a request that made its mark makes no second one.

    Args:
        url: the database; this world's where None.
        now: from when on the mark is known, UTC; later where a load used a later time.

    Raises:
        ExclusionRefused: there is nothing to mark.
    """
    done = f"records.{mark.relation}: 1 row {'left out' if mark.is_excluded else 'taken in again'}"
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        try:
            # The lock of the loads: a load that runs would store the row again that is left out here.
            cursor.execute(LOAD_LOCK)
            cursor.execute(IS_MARKED, (mark.request_id,))
            [(is_marked,)] = cursor.fetchall()
            if not is_marked:
                _change(cursor, mark, not_before_earlier_loads(cursor, now, strictly=True))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    crash_point("records.exclusion_committed")
    return done


def _change(cursor: "Cursor", mark: Mark, now: datetime) -> None:
    kind = KINDS[mark.relation]
    target = TARGETS[kind]
    keys = _read_key(cursor, target, mark.key)
    frame, key = copy_frame(cursor, target.table, keys), _key_text(target)
    cursor.execute(EXCLUDED_FROM.format(frame=frame, key=key, relation=mark.relation))
    [(excluded_from,)] = cursor.fetchall()
    cursor.execute(f"SELECT t.fetch_id FROM {frame} INNER JOIN {target.table} AS t ON {same_key(target.key)}")
    fetch_ids = [fetch_id for (fetch_id,) in cursor.fetchall()]
    if mark.is_excluded and (excluded_from is not None or not fetch_ids):
        raise ExclusionRefused("expected a record that counts, was none of that key")
    if not mark.is_excluded and excluded_from is None:
        raise ExclusionRefused("expected a record that is left out, was none of that key")
    if mark.is_excluded:
        _, now = withdraw(cursor, target, keys, now)
    else:
        fetch_ids = _restore(cursor, kind, target, keys, now, since=excluded_from)
    frame = copy_frame(cursor, target.table, keys)
    query = ADD_MARK.format(
        relation=mark.relation, key=key, frame=frame, is_excluded=mark.is_excluded, at=now.isoformat()
    )
    cursor.execute(query, (mark.by, mark.reason, mark.request_id))
    update_split_adjustments(cursor, fetch_ids, now)


def _restore(
    cursor: "Cursor", kind: str, target: Target, keys: pa.Table, now: datetime, *, since: datetime
) -> list[int]:
    """Store the version that stood, then what bodies that were loaded since say; the fetch that it is of.

    Older bodies are read only where the version's own one, parsed again, holds it no more, or where one of them came
    after what a body says that was loaded since: it may have repeated the version. All loads wait meanwhile.
    """
    names = list(column_types(cursor, target.table))
    columns = ", ".join(
        f"'{now.isoformat()}'::timestamptz" if name == "recorded_at" else f't."{name}"' for name in names
    )
    frame = copy_frame(cursor, target.table, keys)
    last = LAST_VERSION.format(columns=columns, frame=frame, revisions=target.revisions, same_key=same_key(target.key))
    quoted = ", ".join(f'"{name}"' for name in names)
    cursor.execute(f"INSERT INTO {target.table} ({quoted}) {last}")
    frame = copy_frame(cursor, target.table, keys)
    cursor.execute(f"SELECT t.fetch_id FROM {frame} INNER JOIN {target.table} AS t ON {same_key(target.key)}")
    fetch_ids = [fetch_id for (fetch_id,) in cursor.fetchall()]
    for fetch, rows in read_rows(cursor, fetch_ids, kind):
        settled = settle(cursor, kind, target, [fetch], rows, keys, Bodies(read_rows), since=since)
        told = settled.current["fetch_id"].to_pylist() if settled.current.num_rows else []
        # Only in this rare case are older bodies read: each is unpacked and parsed again.
        if not told or is_overruled_before(cursor, kind, target, [fetch], told[0], since=since):
            settled = settle(cursor, kind, target, [fetch], rows, keys, Bodies(read_rows))
        if not settled.gone.num_rows:  # bodies that are not kept any more say nothing against it
            store_settled(cursor, target, settled, now, Summary())
    return fetch_ids


def _read_key(cursor: "Cursor", target: Target, key: Sequence[str]) -> pa.Table:
    """The key as a row with the columns' types.

    Raises:
        ExclusionRefused: a part of it is no value of its column.
    """
    try:
        cursor.execute(f"SELECT {typed_key(cursor, target, '${}::text')}", tuple(key))
        return cursor.fetch_arrow_table()
    # By SQLSTATE: the words of an error are in the server's language.
    except AdbcError as error:
        if (error.sqlstate or "").startswith(INVALID_TEXT):
            raise ExclusionRefused("expected the key of a record, was a value that its column does not have") from None
        raise


def _key_text(target: Target) -> str:
    """SQL: the key of the row `n` as texts."""
    return "ARRAY[" + ", ".join(f'n."{name}"::text' for name in target.key) + "]"
