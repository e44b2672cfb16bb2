"""Parse stored bodies again with the current parser and load them: a backfill without a network."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

from strades_pipelines.database.bulk import NOTHING
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.ingestion.loader import Summary, load_stored
from strades_pipelines.ingestion.parse import PARSER_VERSION
from strades_pipelines.ingestion.precedence import Bodies
from strades_pipelines.ingestion.stored_rows import read_rows

BODIES_AT_ONCE = 200
CHOSEN = """
    SELECT fetch_id FROM rawsources.fetches
    WHERE sha256 IS NOT NULL AND (%(protocol)s::text IS NULL OR protocol = %(protocol)s)
        AND (%(start)s::timestamptz IS NULL OR coalesce(window_end, fetched_at) > %(start)s)
        AND (%(end)s::timestamptz IS NULL OR coalesce(window_start, fetched_at) < %(end)s)
    ORDER BY fetched_at, fetch_id
"""


def reparse(
    connection: psycopg.Connection[Any],
    protocol: str | None,
    stretch: tuple[datetime | None, datetime | None],
    *,
    now: datetime,
    url: str | None = None,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Parse stored bodies again, whichever parser version read them, in the order they were fetched.

    Args:
        protocol: only bodies of this one; None is every one.
        stretch: only bodies asked for a part of [from, to), UTC; one without a window counts by when it was fetched.
        now: superseded_at of what changes.

    Returns:
        The document of `summary_document`, with the parser's version.

    Raises:
        ProtocolError: there is no such protocol.
    """
    if protocol is not None:
        load_protocol(protocol)
    asked = {"protocol": protocol, "start": stretch[0], "end": stretch[1]}
    ids = [fetch_id for (fetch_id,) in connection.execute(CHOSEN, asked)]
    connection.rollback()  # nothing is held open while the bodies are worked through
    summary, bodies = Summary(), Bodies(read_rows)
    for first in range(0, len(ids), BODIES_AT_ONCE):
        chosen = ids[first : first + BODIES_AT_ONCE]
        _add(summary, load_stored(url=url, now=now, fetch_ids=chosen, reparse=True, bodies=bodies))
        progress(f"parsed {min(first + BODIES_AT_ONCE, len(ids)):,} of {len(ids):,} bodies")
    return {"parser_version": PARSER_VERSION, **summary_document(summary)}


def _add(summary: Summary, more: Summary) -> None:
    summary.parsed += more.parsed
    summary.rejects += more.rejects
    summary.withdrawn += more.withdrawn
    summary.refused += more.refused
    summary.skipped += more.skipped
    summary.discrepancies += more.discrepancies
    for table, loaded in more.tables.items():
        summary.tables[table] += loaded


def summary_document(summary: Summary) -> dict[str, Any]:
    """`{"bodies", "rejects", "withdrawn", "discrepancies", "rows": {table: {inserted, revised, unchanged}}, ...}`.

    And `refused` and `skipped`: one line for each such body. `withdrawn` rows are in no body any more; `discrepancies`
    are new ones (`strades discrepancies`).
    """
    counts = "inserted", "revised", "unchanged"
    rows = {
        table: {name: getattr(loaded, name) for name in counts}
        for table, loaded in summary.tables.items()
        if loaded != NOTHING
    }
    return {
        "bodies": summary.parsed,
        "rejects": summary.rejects,
        "withdrawn": summary.withdrawn,
        "discrepancies": summary.discrepancies,
        "rows": rows,
        "refused": summary.refused,
        "skipped": summary.skipped,
    }
