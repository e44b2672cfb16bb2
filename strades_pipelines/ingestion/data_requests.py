"""Carry out what people ask for in the dashboard: files, records by hand, corrections; rows of ops.data_requests.

The bytes are stored first, as a fetch, then parsed and loaded as any fetched body is. A process that is killed anywhere
leaves a request that still waits; carrying it out again stores and loads nothing twice. `strades up` runs this module
as a process of its own: a reader that dies of somebody's bytes takes nothing else with it.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from adbc_driver_manager import Error as AdbcError

from strades_pipelines.database.connection import connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol
from strades_pipelines.datamanager.sources import Sources, SourcesError, load_sources
from strades_pipelines.datamanager.strict_json import JsonError, loads
from strades_pipelines.ingestion.bars import GivenError
from strades_pipelines.ingestion.exclusions import EXCLUSION, RESTORATION, ExclusionRefused, mark_record, parse_mark
from strades_pipelines.ingestion.files import UserFile, dry_run, file_of_source, store_files
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.ingestion.repairs import is_outdated
from strades_pipelines.ingestion.stored_rows import read_listings
from strades_pipelines.ingestion.verdicts import BodyRefused, one_line
from strades_pipelines.settings import settings
from strades_pipelines.system.processes import die_with_parent

# The source of what a person wrote; no website of Sources.json has the name.
MANUAL_SOURCE = "manual"
MANUAL_PROTOCOLS: Mapping[str, str] = {"candle": "manual_candle", "observation": "manual_observation"}
CORRECTION = "correction"
DONE, NOT_DONE = "done", "not done"
OUTDATED = "the bars changed after the repair was proposed; what is still wrong is proposed anew"
MOST_TIME = timedelta(minutes=15)  # a process that takes longer for a request is ended
WAITING = """
    SELECT r.request_id FROM ops.data_requests AS r INNER JOIN ops.data_verdicts AS v USING (request_id)
    WHERE r.outcome IS NULL AND v.is_accepted ORDER BY r.request_id
"""
REQUEST = """
    SELECT kind, requested_by, reason, protocol, source, given, file_name, body FROM ops.data_requests
    WHERE request_id = %s
"""
# The bytes are in rawsources.bodies where they were taken in: kept once.
FINISH = """
    UPDATE ops.data_requests
    SET outcome = %(outcome)s, finished_at = %(now)s, fetch_id = %(fetch_id)s,
        body = CASE WHEN %(fetch_id)s::bigint IS NULL THEN body ELSE '' END
    WHERE request_id = %(request_id)s AND outcome IS NULL
"""
# Of the same bytes, where a process that was killed had stored them.
STORED_LAG = """
    SELECT given ->> 'lag_days' FROM rawsources.fetches
    WHERE source = %s AND protocol = %s AND sha256 = %s ORDER BY fetched_at LIMIT 1
"""
REFUSED = "SELECT error FROM records.parses WHERE fetch_id = %s AND outcome = 'refused'"
REFUSALS = (BodyRefused, ExclusionRefused, GivenError, ProtocolError, SourcesError)


@dataclass(frozen=True)
class DataRequest:
    """What is to be taken in: bytes, and how they are read; or which record is left out (`given`), and why."""

    request_id: int
    kind: str
    requested_by: str
    reason: str
    protocol: str
    source: str | None
    given: Mapping[str, str]
    file_name: str
    body: bytes


def waiting_requests(connection: psycopg.Connection[Any]) -> list[int]:
    """The ids of the requests that were accepted and not carried out, oldest first."""
    return [request_id for (request_id,) in connection.execute(WAITING)]


def carry_out_requests(
    url: str | None, sources: Sources, *, clock: Callable[[], datetime], only: int | None = None
) -> dict[int, str]:
    """Carry out the requests that wait, oldest first; returns what became of each, by its id.

    Args:
        url: the database; this world's where None.
        clock: the world's time, UTC.
        only: the id of the request that is carried out; None for all.
    """
    outcomes = {}
    with connect(url) as connection:
        for request_id in waiting_requests(connection):
            if only in (None, request_id):
                request = _read_request(connection, request_id)
                # No transaction is open while the bytes are parsed.
                connection.rollback()
                outcomes[request_id] = _carry_out(connection, request, sources, url, clock())
    return outcomes


def give_up(connection: psycopg.Connection[Any], request_id: int, reason: str, *, now: datetime) -> None:
    """Say of a request why it is not carried out. Commits."""
    _finish(connection, request_id, f"{NOT_DONE}: {reason}", None, now)


def _read_request(connection: psycopg.Connection[Any], request_id: int) -> DataRequest:
    row = connection.execute(REQUEST, [request_id]).fetchone()
    assert row is not None, "requests are never deleted"
    return DataRequest(request_id, *row)


def _carry_out(
    connection: psycopg.Connection[Any], request: DataRequest, sources: Sources, url: str | None, now: datetime
) -> str:
    if is_outdated(connection, request.request_id):
        outcome = f"{NOT_DONE}: {OUTDATED}"
        _finish(connection, request.request_id, outcome, None, now)
        return outcome
    if request.kind in (EXCLUSION, RESTORATION):
        outcome = _mark(request, url, now)
        _finish(connection, request.request_id, outcome, None, now)
        return outcome
    fetch_id: int | None = None
    try:
        fetch_id = stored = _store(connection, request, sources, url, now)
    except (OSError, psycopg.OperationalError):
        raise  # the database or the disk is away: the request goes on to wait
    except Exception as error:  # it would fail again, and keep those behind it from their turn
        connection.rollback()
        outcome = f"{NOT_DONE}: {_reason(error)}"
    else:
        outcome = _load(connection, stored, url, now)
    _finish(connection, request.request_id, outcome, fetch_id, now)
    crash_point("records.request_finished")
    return outcome


def _mark(request: DataRequest, url: str | None, now: datetime) -> str:
    """Leave a record out or take it in again; the outcome. What the database's drivers raise is passed on."""
    try:
        mark = parse_mark(
            request.kind,
            request.given,
            by=request.requested_by,
            reason=request.reason,
            request_id=request.request_id,
        )
        return f"{DONE}: {mark_record(url, mark, now=now)}"
    except ExclusionRefused as error:
        return f"{NOT_DONE}: {_reason(error)}"


def _reason(error: Exception) -> str:
    said = one_line(str(error))
    return said if isinstance(error, REFUSALS) else f"{type(error).__name__}: {said}"


def _store(
    connection: psycopg.Connection[Any], request: DataRequest, sources: Sources, url: str | None, now: datetime
) -> int:
    """Look the bytes through and store them; the fetch that they are. Commits.

    Raises:
        BodyRefused, GivenError, ProtocolError, SourcesError: they cannot be taken in; nothing is stored then.
    """
    protocol = load_protocol(request.protocol)
    # The correction of an article is an answer of its own source: ids are a source's own.
    is_by_hand = request.source == MANUAL_SOURCE or request.kind == CORRECTION
    if is_by_hand:
        source = request.source or MANUAL_SOURCE
        file = UserFile(request.file_name, request.body, source, _given_by_hand(connection, request, now))
    else:
        file = file_of_source(request.file_name, request.body, protocol, request.given, sources, request.source)
    sync_listings(sources, url=url, now=now)
    with connection.cursor() as cursor:
        listings = read_listings(cursor)
    # First without storing: what would be refused leaves no fetch behind.
    count, rejects = dry_run(file, protocol, listings, now)
    if is_by_hand and count == 0:
        why = f"{rejects[0].reason} in {rejects[0].where}" if rejects else "a bar is stored once it has closed"
        raise BodyRefused(f"expected a record, was none that can be stored: {why}")
    connection.commit()
    [kept] = store_files(connection, [file], protocol, now)
    connection.commit()
    # Between the commit of the bytes and their load a killed process leaves both in order: the next one finds the bytes
    # by their hash.
    crash_point("records.request_kept")
    return kept.fetch_id


def _given_by_hand(connection: psycopg.Connection[Any], request: DataRequest, now: datetime) -> dict[str, str]:
    """What a record by hand does not say: a value is known from the day after it is taken in, where nobody said when.

    What was proposed and accepted days later was not known in between. A process that was killed may have stored the
    bytes a day before: it counts.
    """
    given = dict(request.given)
    if request.protocol != MANUAL_PROTOCOLS["observation"] or "lag_days" in given:
        return given
    sha256 = hashlib.sha256(request.body).digest()
    stored = connection.execute(STORED_LAG, [MANUAL_SOURCE, request.protocol, sha256]).fetchone()
    # MOST_TIME ahead: carried out just before midnight, it may be loaded after it.
    known_on = (now + MOST_TIME).date() + timedelta(days=1)
    return given | {"lag_days": stored[0] if stored else str((known_on - _first_day(request.body)).days)}


def _first_day(body: bytes) -> date:
    """The first day that values by hand are about."""
    try:
        return min(date.fromisoformat(record["event_time"]) for record in loads(body)["records"])
    except (JsonError, LookupError, TypeError, ValueError):
        raise BodyRefused("expected records with the day that each is about, was another document") from None


def _load(connection: psycopg.Connection[Any], fetch_id: int, url: str | None, now: datetime) -> str:
    """Load the stored bytes; the outcome.

    What the database's drivers raise is passed on: the request waits, since the bytes may take effect later.
    """
    try:
        loaded = load_stored(url=url, now=now, fetch_ids=[fetch_id])
    except (OSError, psycopg.Error, AdbcError):
        raise
    except Exception as error:
        return f"{NOT_DONE}: {_reason(error)}; the bytes are stored"
    if loaded.skipped:
        return f"{NOT_DONE}: {one_line(loaded.skipped[0])}; the bytes are stored, and loaded once that is mended"
    refused = connection.execute(REFUSED, [fetch_id]).fetchone()  # now, or by whoever loaded it before
    if refused is not None:
        return f"{NOT_DONE}: {one_line(refused[0])}; the bytes are stored"
    if loaded.excluded and not any(rows.inserted or rows.revised or rows.unchanged for rows in loaded.tables.values()):
        return f"{NOT_DONE}: what it says is left out by a mark; undo that (Left out now); the bytes are stored"
    rows = [f"{table}: {rows.inserted} new, {rows.revised} revised" for table, rows in loaded.tables.items()]
    counts = "; ".join(rows) or "nothing that was not there"
    rejects = f"; {loaded.rejects} rows rejected" if loaded.rejects else ""
    left_out = f"; {loaded.excluded} rows left out by marks" if loaded.excluded else ""
    return f"{DONE}: {counts}{rejects}{left_out}"


def _finish(
    connection: psycopg.Connection[Any], request_id: int, outcome: str, fetch_id: int | None, now: datetime
) -> None:
    connection.execute(FINISH, {"request_id": request_id, "outcome": outcome, "fetch_id": fetch_id, "now": now})
    connection.commit()


def _carry_out_for_parent() -> None:
    """Carry out a request of the database whose URL is on standard input, where no other process can read it."""
    die_with_parent(int(sys.argv[1]))
    os.nice(5)  # what serves comes first
    url, sources = sys.stdin.readline().strip(), load_sources(settings().sources)
    carry_out_requests(url, sources, clock=settings().now, only=int(sys.argv[2]))


if __name__ == "__main__":
    _carry_out_for_parent()
