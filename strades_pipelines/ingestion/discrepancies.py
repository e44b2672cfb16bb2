"""Look through bars that changed for prices that cannot be meant, and propose repairs: `records.discrepancies`.

A repair is a request of `ops.data_requests` that nobody carries out before a person accepts it; then it is taken in as
any correction is, as a new version of the record. What a look costs follows what changed: triggers mark it.
"""

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from strades_pipelines.datamanager.calendars import ALWAYS_OPEN
from strades_pipelines.ingestion.finding_diff import Finding, Mark, StoredFinding, compare_findings, join_marks
from strades_pipelines.ingestion.outliers import CELLS, FEWEST_BARS, NEIGHBOURS, Outlier, find_outliers, judged_places
from strades_pipelines.ingestion.repairs import PROPOSER, Listing, Repair, bars_sha256, propose_repair
from strades_pipelines.ingestion.rows import microseconds
from strades_pipelines.market.records import TIME

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

CONTEXT_BARS = 250  # on each side of what changed: of these, most are right
MOST_BARS = 3_000  # of a repair: its bytes stay below a megabyte
MOST_OPEN = 50  # of a listing and interval: of a series that is all wrong, some say so
NEAR_A_SPLIT = timedelta(days=10)  # a provider may state a split some days off
LOCK = "SELECT pg_advisory_xact_lock(hashtext('strades.records.discrepancies'))"
TAKE_MARKS = """
    DELETE FROM ops.changed_rows WHERE reader = 'records.discrepancies'
    RETURNING key[1]::integer, key[2], key[3]::timestamptz, key[4]::timestamptz
"""
MARK = """
    INSERT INTO ops.changed_rows (reader, key)
    VALUES ('records.discrepancies', ARRAY['{listing_id}', $1, '{first}', '{last}'])
"""
LISTING = "SELECT listing_id, venue, symbol, currency, calendar FROM records.listings WHERE listing_id = {listing_id}"
STORED = """
    SELECT discrepancy_id, from_time, to_time, bars, cause, cells, state, bars_sha256 FROM records.discrepancy_states
    WHERE listing_id = {listing_id} AND "interval" = $1
        AND (state IN ('open', 'dismissed') OR state = 'accepted' AND (outcome LIKE 'done%') IS NOT TRUE)
    ORDER BY from_time
"""
BOUNDS = """
    SELECT
        coalesce((SELECT open_time FROM records.candles WHERE listing_id = {listing_id} AND "interval" = $1
            AND open_time < '{first}' ORDER BY open_time DESC OFFSET {more} LIMIT 1), '{first}'::timestamptz),
        coalesce((SELECT open_time FROM records.candles WHERE listing_id = {listing_id} AND "interval" = $1
            AND open_time > '{last}' ORDER BY open_time OFFSET {more} LIMIT 1), '{last}'::timestamptz)
"""
BARS = """
    WITH bounds AS (
        SELECT
            coalesce((SELECT open_time FROM records.candles WHERE listing_id = {listing_id} AND "interval" = $1
                AND open_time < '{first}' ORDER BY open_time DESC OFFSET {context} LIMIT 1), '-infinity') AS start,
            coalesce((SELECT open_time FROM records.candles WHERE listing_id = {listing_id} AND "interval" = $1
                AND open_time > '{last}' ORDER BY open_time OFFSET {context} LIMIT 1), 'infinity') AS stop
    )
    SELECT bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume, bar.trade_count,
        bar.fetch_id
    FROM bounds CROSS JOIN records.adjusted_candles AS bar
    WHERE bar.listing_id = {listing_id} AND bar."interval" = $1 AND bar.open_time BETWEEN bounds.start AND bounds.stop
    ORDER BY bar.open_time
"""
SPLITS = "SELECT knowledge_time FROM records.market_splits WHERE listing_id = {listing_id}"
PROPOSE = """
    WITH asked AS (
        INSERT INTO ops.data_requests (
            request_key, kind, requested_by, requested_at, reason, protocol, source, given, file_name, body
        ) VALUES (gen_random_uuid(), $1, '{proposer}', '{now}', $2, $3, {source}, $4::text::jsonb, $5, $6)
        RETURNING request_id
    )
    INSERT INTO records.discrepancies (
        listing_id, "interval", from_time, to_time, bars, cause, cells, factor, stored_close, expected_close, fetch_id,
        reference_fetch_id, bars_sha256, found_at, request_id
    )
    SELECT {listing_id}, $7, '{from_time}', '{to_time}', {bars}, '{cause}', '{cells}', {factor!r}, {stored!r},
        {expected!r}, {fetch_id}, {reference_fetch_id}, '{bars_sha256}', '{now}', request_id
    FROM asked
"""
# Whoever accepts it at this moment comes first, or too late: the first verdict counts.
TAKE_BACK = """
    WITH taken_back AS (
        INSERT INTO ops.data_verdicts (request_id, is_accepted, decided_by, decided_at)
        SELECT request_id, false, '{proposer}', '{now}' FROM records.discrepancies WHERE discrepancy_id IN ({ids})
        ON CONFLICT (request_id) DO NOTHING RETURNING request_id
    )
    UPDATE records.discrepancies SET gone_at = '{now}' WHERE request_id IN (SELECT request_id FROM taken_back)
"""


@dataclass(frozen=True)
class Window:
    """Consecutive bars. `has_oldest`, `has_newest`: there is none before the first one, none after the last one."""

    bars: pa.Table
    has_oldest: bool
    has_newest: bool


@dataclass(frozen=True)
class Judgement:
    """Outliers of a window that can be proposed; not `is_certain`: there may be more, or they may be the right ones.

    `is_cut`: a run reaches an end of the window at which the stored bars go on.
    """

    found: dict[Finding, Outlier]
    is_certain: bool
    is_cut: bool


@dataclass(frozen=True)
class Looked:
    """How many discrepancies a look found, and how many of earlier ones are there no more."""

    found: int = 0
    gone: int = 0


def find_discrepancies(connection: "Connection", *, now: datetime) -> Looked:
    """Look at the bars that changed since the last look, and commit what was found with the marks taken, or nothing.

    Args:
        connection: of ADBC, with no open transaction.
        now: found_at of new rows, UTC.
    """
    looked = Looked()
    with connection.cursor() as cursor:
        try:
            # Two looks at once would propose one finding twice.
            cursor.execute(LOCK)
            cursor.execute(TAKE_MARKS)
            for mark in join_marks(cursor.fetchall()):
                found, gone = _look(cursor, mark, now)
                looked = Looked(looked.found + found, looked.gone + gone)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    return looked


def _look(cursor: "Cursor", mark: Mark, now: datetime) -> tuple[int, int]:
    listing_id, interval, first, last = mark
    cursor.execute(LISTING.format(listing_id=listing_id))
    listings = [Listing(*row) for row in cursor.fetchall()]
    if not listings:  # rows of nothing that is listed: the table refers to no listing
        return 0, 0
    [listing] = listings
    first, last = _bounds(cursor, listing_id, interval, (first, last), NEIGHBOURS)
    stored = _read_stored(cursor, listing_id, interval)
    touched = [old for old in stored if old.finding.from_time <= last and old.finding.to_time >= first]
    opened = sum(old.is_open for old in stored)
    if opened >= MOST_OPEN and not any(old.is_open for old in touched):
        # The mark is left, so that the look is made once somebody has decided on some of the fifty.
        _leave_mark(cursor, mark)
        return 0, 0
    first = min([first, *(old.finding.from_time for old in touched)])
    last = max([last, *(old.finding.to_time for old in touched)])
    # Of a run that is known, twice as many bars have to say that it is wrong.
    context = CONTEXT_BARS + 2 * max((old.finding.bars for old in touched), default=0)
    window = _read_window(cursor, listing_id, interval, (first, last), context)
    judgement = _judge(cursor, window, listing, interval)
    if judgement.is_cut:
        window = _read_window(cursor, listing_id, interval, (first, last), CONTEXT_BARS + 2 * MOST_BARS)
        judgement = _judge(cursor, window, listing, interval)
    found = {one: of for one, of in judgement.found.items() if one.from_time <= last and one.to_time >= first}
    touched = [replace(old, is_current=_is_current(old, window.bars)) for old in touched]
    new, gone = compare_findings(list(found), touched, is_certain=judgement.is_certain)
    room = max(0, MOST_OPEN - opened + len(gone))
    if gone:
        ids = ", ".join(str(old.discrepancy_id) for old in gone)
        cursor.execute(TAKE_BACK.format(proposer=PROPOSER, now=now.isoformat(), ids=ids))
    for finding in new[:room]:
        _propose(cursor, finding, found[finding], window.bars, listing, interval, now)
    if rest := new[room:]:  # as soon as somebody decided on others
        _leave_mark(cursor, (listing_id, interval, rest[0].from_time, max(one.to_time for one in rest)))
    return len(new[:room]), len(gone)


def _bounds(
    cursor: "Cursor", listing_id: int, interval: str, times: tuple[datetime, datetime], bars: int
) -> tuple[datetime, datetime]:
    """The openings so many bars before the first and after the last; those themselves where there are not so many."""
    query = BOUNDS.format(listing_id=listing_id, first=times[0], last=times[1], more=bars - 1)
    cursor.execute(query, (interval,))
    [(first, last)] = cursor.fetchall()
    return first, last


def _leave_mark(cursor: "Cursor", mark: Mark) -> None:
    listing_id, interval, first, last = mark
    cursor.execute(MARK.format(listing_id=listing_id, first=first.isoformat(), last=last.isoformat()), (interval,))


def _read_window(
    cursor: "Cursor", listing_id: int, interval: str, times: tuple[datetime, datetime], context: int
) -> Window:
    """The bars from the first time to the last one, and so many on either side where there are."""
    cursor.execute(BARS.format(listing_id=listing_id, first=times[0], last=times[1], context=context - 1), (interval,))
    bars = cursor.fetch_arrow_table()
    start, end = _places(bars, *times)
    return Window(bars, start < context, bars.num_rows - end < context)


def _places(bars: pa.Table, first: datetime, last: datetime) -> tuple[int, int]:
    """From which bar on, and before which one, they open between two times, both included."""
    # As numbers: datetimes of 100,000 bars took 0.6 s, more than all that is computed of them (2026-11-30).
    openings = bars["open_time"].cast(TIME).cast(pa.int64()).to_numpy()
    start = np.searchsorted(openings, microseconds(first), side="left")
    return int(start), int(np.searchsorted(openings, microseconds(last), side="right"))


def _is_current(old: StoredFinding, bars: pa.Table) -> bool:
    start, end = _places(bars, old.finding.from_time, old.finding.to_time)
    return old.bars_sha256 in (None, bars_sha256(bars.slice(start, end - start).to_pylist()))


def _read_stored(cursor: "Cursor", listing_id: int, interval: str) -> list[StoredFinding]:
    cursor.execute(STORED.format(listing_id=listing_id), (interval,))
    return [
        StoredFinding(
            id_,
            Finding(from_time, to_time, bars, cause, tuple(cells)),
            is_open=state == "open",
            bars_sha256=None if state == "dismissed" else sha256,
        )
        for id_, from_time, to_time, bars, cause, cells, state, sha256 in cursor.fetchall()
    ]


def _judge(cursor: "Cursor", window: Window, listing: Listing, interval: str) -> Judgement:
    bars, newest = window.bars, window.bars.num_rows - 1
    may_split = interval == "1d" and listing.calendar != ALWAYS_OPEN
    prices = np.array([bars[name].to_numpy() for name in CELLS])
    outliers = find_outliers(prices, may_split=may_split)
    cut = [
        one
        for one in outliers
        if (one.first == 0 and not window.has_oldest) or (one.last == newest and not window.has_newest)
    ]
    certain = [one for one in outliers if one.is_certain and one.last - one.first < MOST_BARS and one not in cut]
    is_certain = len(certain) == len(outliers) and len(judged_places(prices)) >= FEWEST_BARS
    if not certain:
        return Judgement({}, is_certain, bool(cut))
    cursor.execute(SPLITS.format(listing_id=listing.listing_id))
    splits = [time for (time,) in cursor.fetchall()]
    times = bars["open_time"]
    found = {}
    for outlier in certain:
        start, end = times[outlier.first].as_py(), times[outlier.last].as_py()
        is_known = any(abs(start - split) <= NEAR_A_SPLIT for split in splits)
        if outlier.cause != "split_not_applied" or not is_known:
            count, at_end = outlier.last - outlier.first + 1, outlier.last == newest
            found[Finding(start, end, count, outlier.cause, outlier.cells, at_end)] = outlier
    return Judgement(found, is_certain, bool(cut))


def _propose(
    cursor: "Cursor",
    finding: Finding,
    outlier: Outlier,
    bars: pa.Table,
    listing: Listing,
    interval: str,
    now: datetime,
) -> None:
    rows = bars.slice(outlier.first, finding.bars).to_pylist()
    repair: Repair = propose_repair(outlier, rows, listing, interval, at=now)
    query = PROPOSE.format(
        proposer=PROPOSER,
        now=now.isoformat(),
        source="NULL" if repair.source is None else f"'{repair.source}'",
        listing_id=listing.listing_id,
        from_time=finding.from_time.isoformat(),
        to_time=finding.to_time.isoformat(),
        bars=finding.bars,
        cause=finding.cause,
        cells="{" + ",".join(finding.cells) + "}",
        factor=outlier.factor,
        stored=rows[0]["close"],
        expected=outlier.expected,
        fetch_id=rows[0]["fetch_id"],
        bars_sha256=bars_sha256(rows),
        reference_fetch_id=bars["fetch_id"][outlier.reference].as_py(),
    )
    given = json.dumps(dict(repair.given))
    words = (repair.kind, repair.reason, repair.protocol, given, repair.file_name, repair.body, interval)
    cursor.execute(query, words)
