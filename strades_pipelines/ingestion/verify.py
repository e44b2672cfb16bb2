"""Stored rows against stored bytes: what a fetch's bytes say must be what is stored under its id."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol
from strades_pipelines.ingestion.bodies import BodyCorrupt, unpack
from strades_pipelines.ingestion.bounded_parse import parse_bounded
from strades_pipelines.ingestion.record_tables import TARGETS
from strades_pipelines.ingestion.verdicts import BodyRefused
from strades_pipelines.market.records import SCHEMAS

Row = dict[str, Any]
KEYS = (
    "symbol",
    "interval",
    "series",
    "open_time",
    "trade_id",
    "quote_id",
    "event_time",
    "ex_date",
    "action",
    "article_id",
    "document_id",
)


@dataclass(frozen=True)
class Verification:
    """How many stored rows the bytes of a fetch still say, and one line for each that they do not."""

    fetch_id: int
    sha256: str
    rows: int
    faults: tuple[str, ...]


def stored_body(cursor: psycopg.Cursor[Any], fetch_id: int) -> bytes:
    """The bytes that a fetch brought, checked against their hash.

    Raises:
        BodyCorrupt: they are not those that came; names the SHA-256.
        LookupError: there is no such fetch, or it brought no body.
    """
    found = cursor.execute(
        "SELECT sha256, size, body FROM rawsources.fetches "
        "INNER JOIN rawsources.bodies USING (sha256) WHERE fetch_id = %s",
        [fetch_id],
    ).fetchone()
    if found is None:
        raise LookupError(f"expected a fetch with a body, was none of id {fetch_id}")
    sha256, size, packed = found.values() if isinstance(found, dict) else found
    return unpack(bytes(sha256), size, bytes(packed))


def rows_from_fetch(cursor: psycopg.Cursor[Any], fetch_id: int) -> dict[str, list[Row]]:
    """The stored rows of a fetch by kind, as canonical records (final bars; without `is_final`) with their venue."""
    found: dict[str, list[Row]] = {}
    with cursor.connection.cursor(row_factory=dict_row) as rows:
        for kind, target in TARGETS.items():
            listed = "INNER JOIN records.listings AS l USING (listing_id)" if target.listed else ""
            names = [name for name in SCHEMAS[kind].names if name not in ("is_final", "symbol")]
            columns = ", ".join(
                [*(["l.venue", "l.symbol"] if target.listed else []), *(f't."{name}"' for name in names)]
            )
            rows.execute(f"SELECT {columns} FROM {target.table} AS t {listed} WHERE t.fetch_id = %s", [fetch_id])
            found[kind] = rows.fetchall()
    return {kind: rows_ for kind, rows_ in found.items() if rows_}


def verify_fetch(cursor: psycopg.Cursor[Any], fetch_id: int) -> Verification:
    """Parse a fetch's stored bytes again and look for every row that is stored under its id.

    Raises:
        LookupError: there is no such fetch, or it brought no body.
    """
    with cursor.connection.cursor(row_factory=dict_row) as rows:
        fetch = rows.execute(
            "SELECT protocol, given, fetched_at, answered_at, encode(sha256, 'hex') AS sha256 "
            "FROM rawsources.fetches WHERE fetch_id = %s",
            [fetch_id],
        ).fetchone()
    if fetch is None or fetch["sha256"] is None:
        raise LookupError(f"expected a fetch with a body, was none of id {fetch_id}")
    stored = rows_from_fetch(cursor, fetch_id)
    count = sum(map(len, stored.values()))
    try:
        body = stored_body(cursor, fetch_id)
        asked = {name: fetch[name] for name in ("given", "fetched_at", "answered_at")}
        parsed = parse_bounded(load_protocol(fetch["protocol"]), body, **asked)
    except (BodyCorrupt, BodyRefused, ProtocolError) as error:
        return Verification(fetch_id, fetch["sha256"], count, (f"fetch {fetch_id}: {error}",))
    faults = []
    for kind, rows_ in stored.items():
        said = {_said(row, kind) for row in parsed.tables[kind].to_pylist()} if kind in parsed.tables else set()
        faults += [
            f"fetch {fetch_id}, body {fetch['sha256']}: expected the stored {kind} {_name(row)} in its bytes, was not"
            for row in rows_
            if _said(row, kind) not in said
        ]
    return Verification(fetch_id, fetch["sha256"], count, tuple(faults))


def _said(row: Row, kind: str) -> tuple[object, ...]:
    return tuple(_comparable(row[name]) for name in SCHEMAS[kind].names if name != "is_final")


def _comparable(value: object) -> object:
    if isinstance(value, list):
        # Lists of a row are not hashable, and rows are compared as members of a set.
        return tuple(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _name(row: Row) -> str:
    return " ".join(str(row[name]) for name in KEYS if row.get(name))
