"""The rows that stored bodies yield: each body parsed, refused with its reason, or of a symbol without a listing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol
from strades_pipelines.ingestion.bodies import BodyCorrupt, unpack
from strades_pipelines.ingestion.bounded_parse import parse_bounded
from strades_pipelines.ingestion.parse import PARSER_VERSION
from strades_pipelines.ingestion.pending import (
    BATCH_FETCHES,
    Choice,
    Fetch,
    read_fetches,
)
from strades_pipelines.ingestion.record_tables import UnlistedError, rows_of
from strades_pipelines.ingestion.verdicts import BodyRefused, Reject, one_line

if TYPE_CHECKING:
    import psycopg
    from adbc_driver_manager.dbapi import Cursor

Listings = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Outcome:
    """One body's parse: its rows by kind, its rejects, or why it was refused; `records` counts forming bars too."""

    fetch: Fetch
    rows: Mapping[str, pa.Table] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    records: int = 0
    error: str | None = None


def parse_fetch(fetch: Fetch, listings: Listings) -> Outcome:
    """Parse one stored body; a refusal is an outcome, not an error.

    Raises:
        UnlistedError: it has records of a symbol without listing.
    """
    try:
        body = unpack(fetch.sha256, fetch.size, fetch.packed)
        parsed = parse_bounded(
            load_protocol(fetch.protocol),
            body,
            given=fetch.given,
            fetched_at=fetch.fetched_at,
            answered_at=fetch.answered_at,
        )
    except (BodyRefused, BodyCorrupt, ProtocolError) as error:
        # Recorded and not raised: one bad body must not stop the others of its batch.
        return Outcome(fetch, error=one_line(str(error)))
    venue = fetch.given.get("venue", fetch.source)
    rows = {
        kind: rows_of(kind, table, fetch_id=fetch.fetch_id, source=fetch.source, venue=venue, listings=listings)
        for kind, table in parsed.tables.items()
    }
    return Outcome(fetch, rows, parsed.rejects, sum(table.num_rows for table in parsed.tables.values()))


def read_rows(cursor: "Cursor", ids: Sequence[int], kind: str) -> Iterator[tuple[Fetch, pa.Table | None]]:
    """The rows of a kind that stored bodies yield, a few bodies at a time; None where one yields none."""
    listings = read_listings(cursor)
    for first in range(0, len(ids), BATCH_FETCHES):
        batch = tuple(ids[first : first + BATCH_FETCHES])
        for fetch in read_fetches(cursor, batch, Choice(PARSER_VERSION, fetch_ids=batch, reparse=True)):
            try:
                yield fetch, parse_fetch(fetch, listings).rows.get(kind)
            except UnlistedError:
                yield fetch, None


def read_listings(cursor: "Cursor | psycopg.Cursor[Any]") -> Listings:
    """The ids of the listings by venue and symbol."""
    cursor.execute("SELECT venue, symbol, listing_id FROM records.listings")
    return {(venue, symbol): listing_id for venue, symbol, listing_id in cursor.fetchall()}
