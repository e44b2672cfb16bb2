"""Stored bars as a strategy hears them: as they are, or as they were first stored, with their revisions.

A strategy that hears of revisions has each bar as it was first stored; what its source corrects later is an event of
the time at which that was stored, so that the past of the strategy stays as it was. So has one that hears streams where
it trades, and it hears a bar when that was stored: it has decided in the seconds between the close and then. All others
have a past that a revision changes. Daily bars are rebuilt whole and keep no versions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.brokerage.prices import bar_table, of_interval
from strades_pipelines.brokerage.record_feed import INSTANT, Known, literal, times_of
from strades_pipelines.database.asof import ADJUSTED_CANDLES, read_as_of
from strades_pipelines.engine.columns import Integers
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.strategy.events import microseconds

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

LATE = timedelta(hours=1)  # of the index of candles that were known late, migration 0030
COLUMNS = (
    'listing_id, "interval", open_time, close_time, open, high, low, close, volume, quote_volume, trade_count, '
    "knowledge_time, knowledge_basis, fetch_id, recorded_at"
)
# Of the bars that opened since a time, were known late, or were revised since: all versions.
VERSIONS = """(
    SELECT every.* FROM (
        SELECT {columns} FROM records.candles UNION ALL SELECT {columns} FROM records.candle_revisions
    ) AS every
    WHERE every.listing_id IN ({ids}) AND every."interval" = '{interval}' AND {stored} AND (
        every.open_time >= {opened} OR every.knowledge_time - every.close_time > interval '{late}'
        OR (every.listing_id, every.open_time) IN (
            SELECT r.listing_id, r.open_time FROM records.candle_revisions AS r
            WHERE r.listing_id IN ({ids}) AND r."interval" = '{interval}' AND r.superseded_at >= {since}
        )
    ) AND NOT EXISTS (
        SELECT FROM records.exclusion_spans AS spans
        WHERE spans.relation = 'candles' AND spans.excluded_until IS NULL
            AND spans.key[1] = every.listing_id::text AND spans.key[2] = every."interval"
            AND CASE spans.relation WHEN 'candles' THEN spans.key[3]::timestamptz END = every.open_time
    )
)"""
# Whether a bar was heard as one before a time: by when its first version was stored.
HEARD = """(
    SELECT min(first.at) <= {opened_at} OR (min(first.at) < {start} AND min(first.at) - bar.close_time <= '{late}')
    FROM (
        SELECT bar.recorded_at AS at UNION ALL
        SELECT r.recorded_at FROM records.candle_revisions AS r
        WHERE r.listing_id = bar.listing_id AND r."interval" = bar."interval" AND r.open_time = bar.open_time
    ) AS first
)"""
PRICES = ["open", "high", "low", "close", "volume"]
READ = ["listing_id", "open_time", "close_time", *PRICES, "knowledge_time", "recorded_at"]


@dataclass(frozen=True)
class BarWindow:
    """Which bars: of these listings and this interval, those of a time, and `lookback` of each listing from before.

    Args:
        index: the places of the listings, by their ids.
        is_resumed: whether a warm-up came before, so that what was known before `known.start` is left out.
        by_arrival: whether a bar is heard when it was stored, where that was after the opening and its close. One that
            was stored more than `LATE` after its close, or after a later bar of its listing, is no bar any more.
    """

    index: Mapping[int, int]
    interval: str
    known: Known
    opened_at: datetime
    lookback: int
    is_resumed: bool
    by_arrival: bool = False

    @property
    def start(self) -> datetime:
        """No bar that was known before is read."""
        return self.known.start if self.is_resumed else warm_up_start(self.opened_at, self.interval, self.lookback)

    @property
    def is_of_listing(self) -> str:
        """SQL: whether a bar is of the listings and the interval."""
        return f"listing_id IN ({', '.join(map(str, self.index))}) AND {of_interval(self.interval)}"


@dataclass(frozen=True)
class BarTables:
    """Bars, each known when it closed, and revisions, each known when it was stored; None where they are not told."""

    bars: pa.Table
    revisions: pa.Table | None = None


def warm_up_start(opened_at: datetime, interval: str, lookback: int) -> datetime:
    """No bar that was known before this is read for a warm-up of `lookback` bars.

    Closed days and gaps: three times the length, and a long weekend, hold the warm-up.
    """
    return opened_at - 3 * lookback * interval_length(interval) - timedelta(days=4 if lookback else 0)


def read_bars(cursor: "Cursor", window: BarWindow, *, with_revisions: bool) -> BarTables:
    """The bars of a window, and their revisions where they are asked for, in the order in which they are heard."""
    if (with_revisions or window.by_arrival) and window.interval != "1d":
        read = _read_versions(cursor, window)
        read = read if with_revisions else BarTables(read.bars)
    else:
        read = BarTables(_read_newest(cursor, window))
    if window.is_resumed:
        return read
    return replace(read, bars=read.bars.filter(pa.array(_keep_warm_up(read.bars, window.opened_at, window.lookback))))


def heard_bars(bars: pa.Table, opened_at: datetime) -> pa.Table:
    """The bars without the warm-up."""
    column = bars["knowledge_time"]
    return bars.filter(pc.greater_equal(column, pa.scalar(opened_at, column.type)))


def last_closes(cursor: "Cursor", window: BarWindow) -> dict[int, datetime]:
    """When the last bar closed that was heard after the opening and before the window, by listing."""
    if not window.is_resumed:
        return {}
    heard = HEARD.format(opened_at=literal(window.opened_at), start=literal(window.known.start), late=LATE)
    cursor.execute(
        f"SELECT listing.id, newest.close_time FROM unnest('{{{', '.join(map(str, window.index))}}}'::integer[]) "
        f"AS listing (id) CROSS JOIN LATERAL (SELECT close_time FROM {bar_table(window.interval)} AS bar "
        f"WHERE bar.listing_id = listing.id AND {of_interval(window.interval)} "
        f"AND bar.knowledge_time >= {literal(window.opened_at)} AND bar.knowledge_time < {literal(window.known.start)} "
        f"AND {heard if window.by_arrival and window.interval != '1d' else 'true'} "
        "ORDER BY bar.open_time DESC LIMIT 1) AS newest"
    )
    return dict(cursor.fetchall())


def _read_newest(cursor: "Cursor", window: BarWindow) -> pa.Table:
    """The bars as they are, or as they were stored then: what is read does not grow with what was known before.

    Candles are found by when they opened, those that came late by when they were known: there is an index of them.
    """
    where = "true"
    if window.is_resumed and window.interval != "1d":
        opened = literal(window.start - LATE - interval_length(window.interval))
        where = f"(open_time >= {opened} OR knowledge_time - close_time > '{LATE}'::interval)"
    return read_as_of(
        cursor,
        bar_table(window.interval),
        READ,
        # A window ends before `known.end`, while `read_as_of` includes what became known at its instant.
        known_at=window.known.end - timedelta(microseconds=1),
        recorded_as_of=window.known.stored_by,
        where=f"{window.is_of_listing} AND knowledge_time >= {literal(window.start)} AND {where}",
        order_by=("knowledge_time", "listing_id", "open_time"),
    )


def _keep_warm_up(table: pa.Table, opened_at: datetime, lookback: int) -> "np.typing.NDArray[np.bool_]":
    before = times_of(table, "knowledge_time") < microseconds(opened_at)
    ids = np.asarray(table["listing_id"])
    keep = np.ones(table.num_rows, dtype=bool)
    for listing_id in np.unique(ids[before]):
        rows = np.flatnonzero(before & (ids == listing_id))
        keep[rows[: max(0, len(rows) - lookback)]] = False
    return keep


def _read_versions(cursor: "Cursor", window: BarWindow) -> BarTables:
    """Bars as they were first stored, or at the opening where that was later, and what replaced them."""
    known, ids = replace(window.known, start=window.start), ", ".join(map(str, window.index))
    source = VERSIONS.format(
        columns=COLUMNS,
        ids=ids,
        interval=window.interval,
        stored=known.stored,
        opened=literal(known.start - LATE - interval_length(window.interval)),
        since=literal(known.start),
        late=LATE,
    )
    table = read_as_of(
        cursor,
        ADJUSTED_CANDLES.format(candles=source, adjustments="records.split_adjustments"),
        [*READ, "stored_at"],  # of the bytes: a split that is learnt later makes no version newer
        known_at=known.end - timedelta(microseconds=1),
        order_by=("listing_id", "open_time", "stored_at"),
    )
    return _part(table, known, window.opened_at, by_arrival=window.by_arrival)


def _part(table: pa.Table, known: Known, opened_at: datetime, *, by_arrival: bool) -> BarTables:
    """Part versions, sorted by their key and age, into first ones and those that replace another or came too late."""
    listing, opened = np.asarray(table["listing_id"]), times_of(table, "open_time")
    recorded, knowledge = times_of(table, "stored_at"), times_of(table, "knowledge_time")
    follows = np.zeros(table.num_rows, bool)  # whether it replaces the row before
    follows[1:] = (listing[1:] == listing[:-1]) & (opened[1:] == opened[:-1])
    replaced = np.append(follows[1:] & (recorded[1:] <= microseconds(opened_at)), False)[: table.num_rows]
    is_first = ~follows | np.append(False, replaced)[: table.num_rows]
    is_there = is_first & (not by_arrival or recorded <= microseconds(opened_at))  # heard at its close
    # Before a revision was stored nobody could trade on it, whatever time its source gives it.
    heard = np.where(is_there, knowledge, np.maximum(knowledge, recorded))
    if by_arrival:
        is_first &= is_there | (recorded - times_of(table, "close_time") <= LATE // INSTANT)
        is_first[_overtaken(np.flatnonzero(is_first & ~replaced), listing, opened, heard)] = False
    start, end = microseconds(known.start), microseconds(known.end)
    is_known = ~replaced & (heard >= start) & (heard < end)
    timed = table.drop_columns(["stored_at"]).set_column(
        table.column_names.index("knowledge_time"), "knowledge_time", pa.array(heard, pa.timestamp("us", tz="UTC"))
    )
    order = [(name, "ascending") for name in ("knowledge_time", "listing_id", "open_time")]
    return BarTables(
        timed.filter(pa.array(is_known & is_first)).sort_by(order),
        timed.filter(pa.array(is_known & ~is_first)).sort_by(order),
    )


def _overtaken(rows: Integers, listing: Integers, opened: Integers, heard: Integers) -> Integers:
    """Of the rows of bars those that are heard after a later bar of their listing."""
    order = rows[np.lexsort((opened[rows], heard[rows], listing[rows]))]
    parts = [order[listing[order] == one] for one in np.unique(listing[rows])]
    late = [part[opened[part] < np.maximum.accumulate(opened[part])] for part in parts]
    return np.concatenate([np.zeros(0, np.int64), *late])
