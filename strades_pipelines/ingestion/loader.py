"""Stored bodies to rows of `records`: parse, sanitize, load; rows, rejects and the cursor are committed together.

`records.parses` is the cursor: a fetch is parsed once. A process that dies between two commits leaves fetches unparsed,
never half loaded, and the next load goes on from there to the same rows.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from strades_pipelines.database.bulk import NOTHING, Loaded, load, reattribute
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.ingestion.discrepancies import find_discrepancies
from strades_pipelines.ingestion.excluded_keys import read_excluded_keys, without_excluded
from strades_pipelines.ingestion.keyed_rows import without_keys
from strades_pipelines.ingestion.parse import PARSER_VERSION
from strades_pipelines.ingestion.parse_log import store_parses, store_rejects
from strades_pipelines.ingestion.pending import (
    Choice,
    Window,
    batches,
    costly_refusals,
    read_fetches,
    still_pending,
)
from strades_pipelines.ingestion.precedence import (
    Bodies,
    Settled,
    any_later,
    contested_keys,
    says_the_same,
    settle,
    withdraw,
)
from strades_pipelines.ingestion.record_tables import TARGETS, Target, UnlistedError, versions
from strades_pipelines.ingestion.split_adjustments import TARGET as SPLIT_ADJUSTMENTS
from strades_pipelines.ingestion.split_adjustments import update_split_adjustments
from strades_pipelines.ingestion.stored_rows import Outcome, parse_fetch, read_listings, read_rows
from strades_pipelines.ingestion.vintages import new_vintages, with_newest_last

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

LOAD_LOCK = "SELECT pg_advisory_xact_lock(hashtext('strades.records.load'))"


@dataclass
class Summary:
    """What a load did: bodies parsed, refused and skipped (one line each), rows of each table, rejected rows.

    `withdrawn` counts the stored rows that a body, parsed again, no longer yields; they are in the revisions.
    `excluded` counts the rows that are not stored because a mark leaves their records out. `discrepancies` counts what
    of the stored bars cannot be meant and was not known before.
    """

    parsed: int = 0
    refused: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    rejects: int = 0
    withdrawn: int = 0
    excluded: int = 0
    discrepancies: int = 0
    tables: dict[str, Loaded] = field(default_factory=lambda: defaultdict(lambda: NOTHING))


class LoaderConnections:
    """The two connections of a load: one reads a batch while the other writes the one before."""

    def __init__(self, url: str | None) -> None:
        self.reading, self.writing = adbc_connect(url), adbc_connect(url)

    def close(self) -> None:
        """Close both."""
        with closing(self.reading), closing(self.writing):
            pass


def load_stored(
    *,
    url: str | None = None,
    now: datetime,
    window: Window | None = None,
    fetch_ids: Sequence[int] | None = None,
    reparse: bool = False,
    refusals: Mapping[int, str] | None = None,
    bodies: Bodies | None = None,
    connections: LoaderConnections | None = None,
) -> Summary:
    """Parse and load every stored body that was not parsed yet, in the order they were fetched.

    A refused body is noted in `records.parses` and loads nothing. A body of a symbol without listing is skipped, and
    stays for the next load. A later fetch wins over an earlier one, whenever either is loaded.

    Args:
        url: the database; this world's where None.
        now: recorded_at of new rows, superseded_at of old versions; microseconds later where a version replaces one
            that is as new, and never before what an earlier load used.
        window: only fetches that asked for a part of [from, to), and those without a window.
        fetch_ids: only these.
        reparse: also those parsed by another parser version; with `fetch_ids` those in any case. Rows that a body no
            longer yields go to the revisions.
        refusals: why bodies are refused, by fetch id, where that is known already: they are not parsed.
        bodies: of `read_rows`; what several calls read of the stored bodies, so that each body is read once.
        connections: those of a process that loads often, in place of `url`; to be closed after an exception. Its bars
            are looked through for discrepancies by the next load without them: a stream's batch does not wait for it.
    """
    choice = Choice(PARSER_VERSION, window, None if fetch_ids is None else tuple(fetch_ids), reparse)
    summary = Summary()
    bodies = bodies or Bodies(read_rows)
    # A process with connections of its own is a stream's: its batches come several times a second.
    is_frequent = connections is not None
    with ExitStack() as stack:
        connections = connections or stack.enter_context(closing(LoaderConnections(url)))
        reading, writing = connections.reading, connections.writing
        cursor = stack.enter_context(reading.cursor())
        # One worker: batches are stored in their order, and one transaction at a time.
        storing = stack.enter_context(ThreadPoolExecutor(1))
        stored: Future[None] | None = None
        costly = {} if reparse else costly_refusals(cursor)
        for ids in batches(cursor, choice):  # parsing a batch while the database takes in the one before
            outcomes = _parse_batch(cursor, ids, choice, summary, refusals or {}, costly)
            if stored is not None:
                stored.result()
            stored = storing.submit(_store_batch, writing, outcomes, choice, now, summary, bodies)
        if stored is not None:
            stored.result()
        if not is_frequent:
            summary.discrepancies = find_discrepancies(writing, now=now).found
        reading.rollback()
    return summary


def _parse_batch(
    cursor: "Cursor",
    ids: Sequence[int],
    choice: Choice,
    summary: Summary,
    refusals: Mapping[int, str],
    costly: Mapping[tuple[str, str, bytes], str],
) -> list["Outcome"]:
    listings = read_listings(cursor)
    outcomes = []
    for fetch in read_fetches(cursor, ids, choice):
        refusal = refusals.get(fetch.fetch_id) or costly.get((fetch.source, fetch.protocol, fetch.sha256))
        if refusal is not None:
            outcomes.append(Outcome(fetch, error=refusal))
            continue
        try:
            outcomes.append(parse_fetch(fetch, listings))
        except UnlistedError as error:
            summary.skipped.append(f"{fetch.source} fetch {fetch.fetch_id}: {error}")
    return outcomes


def _store_batch(
    connection: "Connection",
    outcomes: Sequence["Outcome"],
    choice: Choice,
    now: datetime,
    summary: Summary,
    bodies: Bodies,
) -> None:
    """One transaction: a batch's rows, rejects and cursor; what another loader did meanwhile is left out."""
    with connection.cursor() as cursor:
        try:
            # Before `still_pending`: what another loader has stored meanwhile is seen then, and left out.
            cursor.execute(LOAD_LOCK)
            pending = still_pending(cursor, [outcome.fetch.fetch_id for outcome in outcomes], choice)
            wanted = [outcome for outcome in outcomes if outcome.fetch.fetch_id in pending]
            _store(cursor, wanted, choice, now, summary, bodies)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    crash_point("records.fetch_committed")


def _store(
    cursor: "Cursor", outcomes: Sequence[Outcome], choice: Choice, now: datetime, summary: Summary, bodies: Bodies
) -> None:
    """Everything a batch brings, in the caller's transaction."""
    if not outcomes:
        return
    fetches = [outcome.fetch for outcome in outcomes]
    # Where nothing later is stored, these win over all that is there: the costly comparison of bodies is left out.
    in_order = not choice.reparse and not any_later(cursor, fetches)
    now = not_before_earlier_loads(cursor, now, strictly=choice.reparse)
    excluded = read_excluded_keys(cursor)
    stored_before = _rows_written(summary)
    for kind, target in TARGETS.items():
        parts = [outcome.rows[kind] for outcome in outcomes if kind in outcome.rows]
        brought = pa.concat_tables(parts) if parts else None
        rows = without_excluded(brought, excluded.get(kind))
        if brought is not None and rows is not None:
            summary.excluded += brought.num_rows - rows.num_rows
        if kind == "observation" and rows is not None and not choice.reparse:
            rows = with_newest_last(cursor, new_vintages(cursor, rows))
        if choice.reparse and rows is not None and says_the_same(cursor, target, fetches, rows):
            summary.tables[target.table] += Loaded(0, 0, rows.num_rows)
            continue
        contested = None if in_order else contested_keys(cursor, target, fetches, rows)
        keys = without_excluded(contested, excluded.get(kind))
        if rows is not None and rows.num_rows:
            plain = rows if keys is None else without_keys(rows, keys)
            now = _store_versions(cursor, target, versions(plain, target.key, target.ignore), now, summary)
        if keys is not None and keys.num_rows:
            settled = settle(cursor, kind, target, fetches, rows, keys, bodies)
            now = store_settled(cursor, target, settled, now, summary)
    loaded, now = update_split_adjustments(cursor, [fetch.fetch_id for fetch in fetches], now)
    if loaded != NOTHING:
        summary.tables[SPLIT_ADJUSTMENTS.table] += loaded
    crash_point("records.copied")
    # After the rows, in the same transaction: a fetch that stands in `records.parses` is never read again.
    store_rejects(cursor, outcomes, choice, now)
    store_parses(cursor, outcomes, choice, now, changed=_rows_written(summary) > stored_before)
    for outcome in outcomes:
        summary.rejects += len(outcome.rejects)
        if outcome.error is None:
            summary.parsed += 1
        else:
            summary.refused.append(f"{outcome.fetch.source} {outcome.fetch.url}: {outcome.error}")


def store_settled(cursor: "Cursor", target: Target, settled: Settled, now: datetime, summary: Summary) -> datetime:
    """Store what was decided of contested keys; returns the newest time used, `now` or later. Commits nothing."""
    withdrawn, now = withdraw(cursor, target, settled.gone, now)
    summary.withdrawn += withdrawn
    before = settled.before
    if target == TARGETS["observation"]:
        before = [new_vintages(cursor, wave) for wave in before]
    now = _store_versions(cursor, target, before, now, summary)
    reattribute(cursor, target.table, settled.current, key=target.key, ignore=target.ignore)
    # what the same body says of when it was known may have been read wrongly before
    whole = replace(target, ignore=("fetch_id", "recorded_at"))
    return _store_versions(cursor, whole, [settled.current], now, summary)


def _store_versions(
    cursor: "Cursor", target: Target, waves: Sequence[pa.Table], now: datetime, summary: Summary
) -> datetime:
    """Store versions, oldest first, a microsecond apart where they replace each other; returns the newest time used."""
    for wave in waves:
        loaded = load(
            cursor,
            target.table,
            wave,
            key=target.key,
            now=now,
            revisions=target.revisions,
            ignore=target.ignore,
            single_writer=True,
        )  # under the lock of _store_batch, and nothing else writes records
        now = loaded.revised_at or now
        summary.tables[target.table] += loaded
    return now


def not_before_earlier_loads(cursor: "Cursor", now: datetime, *, strictly: bool) -> datetime:
    """The later of `now` and the newest time that a load or exclusion used: the machine's clock may have been set back.

    The lock of the loads is held until the commit, so that times follow the order of the commits.

    Args:
        strictly: after that time, so that whatever is stored can be superseded.
    """
    parsed, marked = "SELECT max(recorded_at) FROM records.parses", "SELECT max(marked_at) FROM records.exclusions"
    cursor.execute(f"SELECT greatest(({parsed}), ({marked}))")
    [(newest,)] = cursor.fetchall()
    # A microsecond later: a version has to be superseded after it was recorded.
    return now if newest is None else max(now, newest + timedelta(microseconds=1 if strictly else 0))


def _rows_written(summary: Summary) -> int:
    tables = summary.tables.values()
    return summary.withdrawn + sum(loaded.inserted + loaded.revised for loaded in tables)
