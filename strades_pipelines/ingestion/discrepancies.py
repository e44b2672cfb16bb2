"""Look through bars that changed for prices that cannot be meant, and propose repairs: `records.discrepancies`.

A repair is a request of `ops.data_requests` that nobody carries out before a person accepts it; then it is taken in as
any correction is, as a new version of the record. What a look costs follows what changed: triggers mark it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from strades_pipelines.datamanager.calendars import ALWAYS_OPEN
from strades_pipelines.ingestion.outliers import CELLS, NEIGHBOURS, Outlier, find_outliers
from strades_pipelines.ingestion.repairs import PROPOSER, Listing, Repair, propose_repair

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

CONTEXT_BARS = 250  # on each side of what changed: of these, most are right
MOST_BARS = 3_000  # of a repair: its bytes stay below a megabyte
MOST_OPEN = 50  # of a listing and interval: of a series that is all wrong, some say so
NEAR_A_SPLIT = timedelta(days=10)  # a provider may state a split some days off
JOINED_WITHIN = timedelta(days=31)  # marks of a series so close together are looked at in one go
LOCK = "SELECT pg_advisory_xact_lock(hashtext('strades.records.discrepancies'))"
TAKE_MARKS = """
    DELETE FROM ops.changed_rows WHERE reader = 'records.discrepancies'
    RETURNING key[1]::integer, key[2], key[3]::timestamptz, key[4]::timestamptz
"""
LISTING = "SELECT listing_id, venue, symbol, currency, calendar FROM records.listings WHERE listing_id = {listing_id}"
STORED = """
    SELECT discrepancy_id, from_time, to_time, bars, cause, cells, state FROM records.discrepancy_states
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
        reference_fetch_id, found_at, request_id
    )
    SELECT {listing_id}, $7, '{from_time}', '{to_time}', {bars}, '{cause}', '{cells}', {factor!r}, {stored!r},
        {expected!r}, {fetch_id}, {reference_fetch_id}, '{now}', request_id
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
Mark = tuple[int, str, datetime, datetime]


@dataclass(frozen=True)
class Finding:
    """Where an outlier is: openings of its first and last bar. `reaches_end`: the last one is the newest stored."""

    from_time: datetime
    to_time: datetime
    bars: int
    cause: str
    cells: tuple[str, ...]
    reaches_end: bool = False

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes it the same finding in another look."""
        return self.from_time, self.to_time, self.cause, self.cells


@dataclass(frozen=True)
class StoredFinding:
    """A row of `records.discrepancies`; not open: somebody dismissed it, or accepted what is not carried out."""

    discrepancy_id: int
    finding: Finding
    is_open: bool


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


def join_marks(marks: Iterable[Mark]) -> list[Mark]:
    """Listing, interval and first and last opening of what changed; marks that are close together as one."""
    joined: list[Mark] = []
    for listing_id, interval, first, last in sorted(marks):
        if joined and joined[-1][:2] == (listing_id, interval) and first <= joined[-1][3] + JOINED_WITHIN:
            joined[-1] = listing_id, interval, joined[-1][2], max(last, joined[-1][3])
        else:
            joined.append((listing_id, interval, first, last))
    return joined


def compare_findings(
    found: Sequence[Finding], stored: Sequence[StoredFinding]
) -> tuple[list[Finding], list[StoredFinding]]:
    """Which findings are new, and which open ones are gone.

    A run that goes on at the newest bar is proposed anew each time it has doubled, not with each bar. What somebody
    settled is not proposed again, nor any part of it.
    """
    new = [one for one in found if not any(_is_settled(one, old) for old in stored if not old.is_open)]
    kept: set[int] = set()
    left = []
    for one in new:
        same = next((old for old in stored if old.is_open and _is_same(one, old.finding)), None)
        if same is None:
            left.append(one)
        else:
            kept.add(same.discrepancy_id)
    return left, [old for old in stored if old.is_open and old.discrepancy_id not in kept]


def _is_settled(found: Finding, old: StoredFinding) -> bool:
    told = old.finding
    is_part = told.from_time <= found.from_time and found.to_time <= told.to_time
    return is_part and (told.cause, told.cells) == (found.cause, found.cells)


def _is_same(found: Finding, told: Finding) -> bool:
    grew = (found.from_time, found.cause, found.cells) == (told.from_time, told.cause, told.cells)
    return found.key == told.key or (grew and found.reaches_end and told.bars <= found.bars < 2 * told.bars)


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
    first = min([first, *(old.finding.from_time for old in touched)])
    last = max([last, *(old.finding.to_time for old in touched)])
    # Of a run that is known, twice as many bars have to say that it is wrong.
    context = CONTEXT_BARS + 2 * max((old.finding.bars for old in touched), default=0)
    query = BARS.format(listing_id=listing_id, first=first, last=last, context=context - 1)
    cursor.execute(query, (interval,))
    bars = cursor.fetch_arrow_table()
    found = {
        finding: outlier
        for finding, outlier in _judge(cursor, bars, listing, interval)
        if finding.from_time <= last and finding.to_time >= first
    }
    new, gone = compare_findings(list(found), touched)
    room = max(0, MOST_OPEN - sum(old.is_open for old in stored) + len(gone))
    if gone:
        ids = ", ".join(str(old.discrepancy_id) for old in gone)
        cursor.execute(TAKE_BACK.format(proposer=PROPOSER, now=now.isoformat(), ids=ids))
    for finding in new[:room]:
        _propose(cursor, finding, found[finding], bars, listing, interval, now)
    return len(new[:room]), len(gone)


def _bounds(
    cursor: "Cursor", listing_id: int, interval: str, times: tuple[datetime, datetime], bars: int
) -> tuple[datetime, datetime]:
    """The openings so many bars before the first and after the last; those themselves where there are not so many."""
    query = BOUNDS.format(listing_id=listing_id, first=times[0], last=times[1], more=bars - 1)
    cursor.execute(query, (interval,))
    [(first, last)] = cursor.fetchall()
    return first, last


def _read_stored(cursor: "Cursor", listing_id: int, interval: str) -> list[StoredFinding]:
    cursor.execute(STORED.format(listing_id=listing_id), (interval,))
    return [
        StoredFinding(id_, Finding(from_time, to_time, bars, cause, tuple(cells)), state == "open")
        for id_, from_time, to_time, bars, cause, cells, state in cursor.fetchall()
    ]


def _judge(cursor: "Cursor", bars: pa.Table, listing: Listing, interval: str) -> list[tuple[Finding, Outlier]]:
    if not bars.num_rows:
        return []
    may_split = interval == "1d" and listing.calendar != ALWAYS_OPEN
    prices = np.array([bars[name].to_numpy() for name in CELLS])
    outliers = [one for one in find_outliers(prices, may_split=may_split) if one.last - one.first < MOST_BARS]
    if not outliers:
        return []
    cursor.execute(SPLITS.format(listing_id=listing.listing_id))
    splits = [time for (time,) in cursor.fetchall()]
    times = bars["open_time"]
    found = []
    for outlier in outliers:
        start, end = times[outlier.first].as_py(), times[outlier.last].as_py()
        is_known = any(abs(start - split) <= NEAR_A_SPLIT for split in splits)
        if outlier.cause != "split_not_applied" or not is_known:
            count, at_end = outlier.last - outlier.first + 1, outlier.last == bars.num_rows - 1
            found.append((Finding(start, end, count, outlier.cause, outlier.cells, at_end), outlier))
    return found


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
        reference_fetch_id=bars["fetch_id"][outlier.reference].as_py(),
    )
    given = json.dumps(dict(repair.given))
    words = (repair.kind, repair.reason, repair.protocol, given, repair.file_name, repair.body, interval)
    cursor.execute(query, words)
