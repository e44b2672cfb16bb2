"""Frames into the database as they came: rows of rawsources.frames, and a fetch for what is parsed, in one transaction.

The frames of an instrument in a batch are one fetch: its body is those frames, so that everything that holds for a
fetched body (parsed once, rejects, revisions, verified by its hash) holds for a stream.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from strades_pipelines.database.body_store import keep_body
from strades_pipelines.database.crash import crash_point
from strades_pipelines.datamanager.planning import given_of
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import STREAM_SUFFIX
from strades_pipelines.datamanager.request_windows import month_start
from strades_pipelines.datamanager.sources import Instrument, Website
from strades_pipelines.ingestion.frame_reader import join_frames
from strades_pipelines.market.ids import int63

INSERT_FETCH = """
    INSERT INTO rawsources.fetches (
        fetch_id, source, protocol, request_key, method, url, given, month, fetched_at, answered_at, outcome, sha256,
        run_id
    ) VALUES (%s, %s, %s, %s, 'STREAM', %s, %s, %s, %s, %s, 'stored', %s, %s)
    ON CONFLICT DO NOTHING
"""
COPY_FRAMES = "COPY rawsources.frames (connection, sequence, source, received_at, fetch_id, frame) FROM STDIN BINARY"
STORED = "SELECT max(sequence) FROM rawsources.frames WHERE connection = %s"
UNPARSED = (
    "SELECT fetch_id FROM rawsources.fetches WHERE source = %s AND run_id = %s AND NOT is_parsed ORDER BY fetched_at"
)
UNREADABLE = "unreadable"  # in the place of an instrument, for frames of which nobody can tell


class Frame(NamedTuple):
    """A message as it came. `instrument`: the id of what it has records of, `SEVERAL`, `UNREADABLE`, or None for none.

    `times` are those that its records state: the instrument's id, and microseconds since the epoch.
    """

    connection: int
    sequence: int
    received_at: datetime
    data: bytes
    instrument: str | None
    times: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class StreamSource:
    """A website whose protocol has a stream, and the instruments that it is asked for."""

    website: Website
    protocol: Protocol
    instruments: Mapping[str, Instrument]
    url: str


def store_frames(connection: psycopg.Connection[Any], source: StreamSource, frames: Sequence[Frame]) -> list[int]:
    """Store a batch of one connection, in a transaction; returns the fetches that are to be parsed.

    A frame that is there already, as of a batch whose commit was not answered, is not stored again.
    """
    connection_id = frames[0].connection
    with connection.cursor() as cursor:
        # By sequence, not by content: two equal frames of a venue are two messages.
        [newest] = cursor.execute(STORED, [connection_id]).fetchone() or [None]
        new = [frame for frame in frames if newest is None or frame.sequence > newest]
        by_instrument: dict[str, list[Frame]] = {}
        for frame in new:
            if frame.instrument is not None:
                by_instrument.setdefault(frame.instrument, []).append(frame)
        fetch_ids = {each: _store_fetch(cursor, source, each, own) for each, own in by_instrument.items()}
        with cursor.copy(COPY_FRAMES) as copy:
            copy.set_types(["int8", "int8", "text", "timestamptz", "int8", "bytea"])
            for frame in new:
                fetch_id = None if frame.instrument is None else fetch_ids[frame.instrument]
                row = (connection_id, frame.sequence, source.website.name, frame.received_at, fetch_id, frame.data)
                copy.write_row(row)
        crash_point("streams.frames_written")
        # Also those of earlier batches, whose parse may have failed.
        unparsed = cursor.execute(UNPARSED, [source.website.name, run_id_of(connection_id)]).fetchall()
    return [fetch_id for (fetch_id,) in unparsed]


def _store_fetch(cursor: psycopg.Cursor[Any], source: StreamSource, instrument: str, frames: Sequence[Frame]) -> int:
    first, last = frames[0], frames[-1]
    sha256 = keep_body(cursor, join_frames(frame.data for frame in frames))
    key = f"{first.connection} {first.sequence}-{last.sequence} {instrument}"
    # No time in the id: a batch that is stored again after a lost answer has the same fetch.
    fetch_id = int63(source.website.name, key)
    asked = source.instruments.get(instrument)
    given = given_of(source.website, source.protocol, asked) if asked else {"venue": source.website.venue}
    cursor.execute(
        INSERT_FETCH,
        [
            fetch_id,
            source.website.name,
            source.protocol.name + STREAM_SUFFIX,
            key,
            source.url,
            Jsonb(given),
            f"{month_start(last.received_at):%Y-%m-%d}",
            last.received_at,
            last.received_at,
            sha256,
            run_id_of(first.connection),
        ],
    )
    return fetch_id


def run_id_of(connection: int) -> str:
    """The run under which a connection's fetches are stored, and those that repair it."""
    return f"stream {connection}"
