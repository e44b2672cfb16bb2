"""Fetches and the bytes that they brought."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.gateway.reading import domain_connection, read, read_one

COLUMNS = """
    SELECT f.fetch_id, f.source, f.protocol, f.method, f.url, f.fetched_at, f.status, f.outcome, f.error, f.run_id,
        f.window_start, f.window_end, encode(f.sha256, 'hex') AS sha256, b.size,
        p.outcome AS parse_outcome, p.error AS parse_error, p.parser_version, p.records, p.rejects
    FROM rawsources.fetches AS f
    LEFT JOIN rawsources.bodies AS b ON b.sha256 = f.sha256
    LEFT JOIN records.parses AS p ON p.fetch_id = f.fetch_id
"""
SHOWN_BYTES = 16_384
# Larger ones are downloaded; a page neither unpacks nor hashes them.
LARGEST_CHECKED = 32 * 2**20


@dataclass(frozen=True)
class Fetch:
    """One attempt at a source; without a body where it failed. `sha256` in hex, `size` in bytes, unpacked."""

    fetch_id: int
    source: str
    protocol: str
    method: str
    url: str
    fetched_at: datetime
    status: int | None
    outcome: str
    error: str | None
    run_id: str
    window_start: datetime | None
    window_end: datetime | None
    sha256: str | None
    size: int | None
    parse_outcome: str | None
    parse_error: str | None
    parser_version: str | None
    records: int | None
    rejects: int | None


@dataclass(frozen=True)
class Preview:
    """The beginning of a body as text, and whether that is all; `holds`: it still has its hash (None: too large)."""

    text: str
    is_whole: bool
    holds: bool | None
    fault: str | None


def read_fetch(fetch_id: int) -> Fetch | None:
    """One fetch, or None."""
    return read_one(Fetch, COLUMNS + "WHERE f.fetch_id = %(fetch_id)s", fetch_id=fetch_id)


def read_fetches(fetch_ids: Collection[int], *, most: int) -> list[Fetch]:
    """The newest of these fetches. One query."""
    query = COLUMNS + "WHERE f.fetch_id = ANY(%(ids)s) ORDER BY f.fetched_at DESC, f.fetch_id LIMIT %(most)s"
    return read(Fetch, query, ids=list(fetch_ids), most=most)


def read_body(fetch_id: int) -> bytes:
    """The bytes of a fetch, checked against their hash.

    Raises:
        LookupError: it brought none.
        BodyCorrupt: they are not those that came.
    """
    from strades_pipelines.ingestion.verify import stored_body  # loads the parsers, which no other page needs

    with domain_connection() as connection, connection.cursor() as cursor:
        return stored_body(cursor, fetch_id)


def preview(fetch: Fetch) -> Preview | None:
    """The beginning of a body; None where there is none."""
    from strades_pipelines.ingestion.bodies import BodyCorrupt

    if fetch.sha256 is None or fetch.size is None:
        return None
    if fetch.size > LARGEST_CHECKED:
        return Preview("", is_whole=False, holds=None, fault=None)
    try:
        body = read_body(fetch.fetch_id)
    except BodyCorrupt as error:
        return Preview("", is_whole=False, holds=False, fault=str(error))
    text = body[:SHOWN_BYTES].decode("utf-8", errors="replace").replace("\0", "\N{SYMBOL FOR NULL}")
    return Preview(text, is_whole=len(body) <= SHOWN_BYTES, holds=True, fault=None)


def describe(row: dict[str, Any]) -> list[tuple[str, Any]]:
    """The columns of a row that are set, for a table of two columns."""
    return [(name, value) for name, value in row.items() if value is not None]
