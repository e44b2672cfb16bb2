"""Carry out what people ask for in the dashboard: files, records by hand, corrections; rows of ops.data_requests.

The bytes are stored first, as a fetch, then parsed and loaded as any fetched body is. A process that is killed anywhere
leaves a request that still waits; carrying it out again stores and loads nothing twice. `strades up` runs this module
as a process of its own: a reader that dies of somebody's bytes takes nothing else with it.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from strades_pipelines.database.connection import connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol
from strades_pipelines.datamanager.sources import Sources, SourcesError, load_sources
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.files import OwnFile, file_of_source, keep_files, look_through
from strades_pipelines.ingestion.loader import load_stored, read_listings
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line
from strades_pipelines.processes import die_with_parent
from strades_pipelines.settings import settings

# The source of what a person wrote; no website of Sources.json has the name.
MANUAL_SOURCE = "manual"
MANUAL_PROTOCOLS: Mapping[str, str] = {"candle": "manual_candle", "observation": "manual_observation"}
DONE = "done"
WAITING = """
    SELECT r.request_id FROM ops.data_requests AS r INNER JOIN ops.data_verdicts AS v USING (request_id)
    WHERE r.outcome IS NULL AND v.is_accepted ORDER BY r.request_id
"""
REQUEST = "SELECT protocol, source, given, file_name, body FROM ops.data_requests WHERE request_id = %s"
# The bytes are in rawsources.bodies where they were taken in: kept once.
FINISH = """
    UPDATE ops.data_requests
    SET outcome = %(outcome)s, finished_at = %(now)s, fetch_id = %(fetch_id)s,
        body = CASE WHEN %(fetch_id)s::bigint IS NULL THEN body ELSE '' END
    WHERE request_id = %(request_id)s AND outcome IS NULL
"""
REFUSALS = (BodyRefused, GivenError, ProtocolError, SourcesError)


@dataclass(frozen=True)
class DataRequest:
    """What is to be taken in: bytes, and how they are read."""

    request_id: int
    protocol: str
    source: str | None
    given: Mapping[str, str]
    file_name: str
    body: bytes


def waiting_requests(connection: psycopg.Connection[Any]) -> list[int]:
    """The ids of the requests that were accepted and not carried out, oldest first."""
    return [request_id for (request_id,) in connection.execute(WAITING)]


def carry_out_requests(url: str | None, sources: Sources, *, clock: Callable[[], datetime]) -> dict[int, str]:
    """Carry out the requests that wait, oldest first; returns what became of each, by its id.

    Args:
        url: the database; this world's where None.
        clock: the world's time, UTC.
    """
    outcomes = {}
    with connect(url) as connection:
        for request_id in waiting_requests(connection):
            request = _read_request(connection, request_id)
            connection.rollback()
            outcomes[request_id] = _carry_out(connection, request, sources, url, clock())
    return outcomes


def give_up(connection: psycopg.Connection[Any], request_id: int, reason: str, *, now: datetime) -> None:
    """Say of a request why it is not carried out. Commits."""
    _finish(connection, request_id, f"not done: {reason}", None, now)


def _read_request(connection: psycopg.Connection[Any], request_id: int) -> DataRequest:
    row = connection.execute(REQUEST, [request_id]).fetchone()
    assert row is not None, "requests are never deleted"
    return DataRequest(request_id, *row)


def _carry_out(
    connection: psycopg.Connection[Any], request: DataRequest, sources: Sources, url: str | None, now: datetime
) -> str:
    try:
        outcome, fetch_id = _take_in(connection, request, sources, url, now)
    except (OSError, psycopg.OperationalError):
        raise  # the database or the disk is away: the request goes on to wait
    except REFUSALS as error:
        connection.rollback()
        outcome, fetch_id = f"not done: {one_line(str(error))}", None
    except Exception as error:  # it would fail again, and keep those behind it from their turn
        connection.rollback()
        outcome, fetch_id = f"not done: {type(error).__name__}: {one_line(str(error))}", None
    _finish(connection, request.request_id, outcome, fetch_id, now)
    crash_point("records.request_finished")
    return outcome


def _take_in(
    connection: psycopg.Connection[Any], request: DataRequest, sources: Sources, url: str | None, now: datetime
) -> tuple[str, int]:
    """Look the bytes through, store them, load them; the outcome and the fetch that they are.

    Raises:
        BodyRefused, GivenError, ProtocolError, SourcesError: they cannot be taken in; nothing is stored then.
    """
    protocol = load_protocol(request.protocol)
    if request.source == MANUAL_SOURCE:
        file = OwnFile(request.file_name, request.body, MANUAL_SOURCE, dict(request.given))
    else:
        file = file_of_source(request.file_name, request.body, protocol, request.given, sources, request.source)
    sync_listings(sources, url=url, now=now)
    with connection.cursor() as cursor:
        listings = read_listings(cursor)
    look_through(file, protocol, listings, now)
    connection.commit()
    [kept] = keep_files(connection, [file], protocol, now)
    connection.commit()
    crash_point("records.request_kept")
    loaded = load_stored(url=url, now=now, fetch_ids=[kept.fetch_id])
    if loaded.skipped:
        raise BodyRefused(loaded.skipped[0])
    rows = [f"{table}: {rows.inserted} new, {rows.revised} revised" for table, rows in loaded.tables.items()]
    counts = "; ".join(rows) or "nothing that was not there"
    rejects = f"; {loaded.rejects} rows rejected" if loaded.rejects else ""
    return f"{DONE}: {counts}{rejects}", kept.fetch_id


def _finish(
    connection: psycopg.Connection[Any], request_id: int, outcome: str, fetch_id: int | None, now: datetime
) -> None:
    connection.execute(FINISH, {"request_id": request_id, "outcome": outcome, "fetch_id": fetch_id, "now": now})
    connection.commit()


def _carry_out_for_parent() -> None:
    """Carry out what waits in the database whose URL is on standard input, where no other process can read it."""
    die_with_parent(int(sys.argv[1]))
    os.nice(5)  # what serves comes first
    carry_out_requests(sys.stdin.readline().strip(), load_sources(settings().sources), clock=settings().now)


if __name__ == "__main__":
    _carry_out_for_parent()
