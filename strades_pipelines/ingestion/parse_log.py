"""What became of each body: `records.parses`, by which a fetch is parsed once, and `records.rejects`."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from strades_pipelines.database.bulk import load
from strades_pipelines.ingestion.pending import Choice, any_of
from strades_pipelines.ingestion.stored_rows import Outcome

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

REJECTS = pa.schema([("fetch_id", pa.int64()), *((name, pa.string()) for name in ("location", "reason", "raw"))])
PARSES = pa.schema(
    [
        ("fetch_id", pa.int64()),
        ("parser_version", pa.string()),
        ("outcome", pa.string()),
        ("error", pa.string()),
        ("records", pa.int32()),
        ("rejects", pa.int32()),
    ]
)


def store_rejects(cursor: "Cursor", outcomes: Iterable[Outcome], choice: Choice, now: datetime) -> None:
    """Store the records that were rejected; a body that is parsed again loses its former rejects. Commits nothing."""
    outcomes = list(outcomes)
    if choice.reparse:
        ids = any_of([outcome.fetch.fetch_id for outcome in outcomes])
        cursor.execute(f"DELETE FROM records.rejects WHERE fetch_id = {ids}")
    rows = [
        {"fetch_id": outcome.fetch.fetch_id, "location": item.where, "reason": item.reason, "raw": item.raw}
        for outcome in outcomes
        for item in outcome.rejects
    ]
    table = pa.Table.from_pylist(rows, schema=REJECTS)
    load(cursor, "records.rejects", table, key=("fetch_id", "location", "reason"), now=now)


def store_parses(
    cursor: "Cursor", outcomes: Iterable[Outcome], choice: Choice, now: datetime, *, changed: bool
) -> None:
    """Store what became of each body: the cursor of the loads. Commits nothing.

    Args:
        changed: the batch stored rows; a body that was parsed before then has the new time.
    """
    rows = [
        {
            "fetch_id": outcome.fetch.fetch_id,
            "parser_version": choice.parser_version,
            "outcome": "parsed" if outcome.error is None else "refused",
            "error": outcome.error,
            "records": outcome.records,
            "rejects": len(outcome.rejects),
        }
        for outcome in outcomes
    ]
    ignore = () if changed else ("recorded_at",)
    load(
        cursor,
        "records.parses",
        pa.Table.from_pylist(rows, schema=PARSES),
        key=("fetch_id",),
        now=now,
        ignore=ignore,
        single_writer=True,
    )  # under the lock of the loads
