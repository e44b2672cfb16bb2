"""Stored rows as the events of a session: only what was known, in the total order (`_in_order`)."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.brokerage.bar_feed import BarWindow, heard_bars, last_closes, read_bars
from strades_pipelines.brokerage.decisions import PredictionIds
from strades_pipelines.brokerage.hearing import NOTHING_ELSE, Hearing
from strades_pipelines.brokerage.model_trust import Standings, read_standings
from strades_pipelines.brokerage.open_hours import OpenHours
from strades_pipelines.brokerage.quote_feed import quote_columns, read_quotes
from strades_pipelines.brokerage.record_feed import ArticleIds, Known, read_gaps, read_records, times_of
from strades_pipelines.brokerage.trade_feed import FeedRange, read_trades, trade_columns
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.engine.columns import Columns, Floats, Integers
from strades_pipelines.engine.event_chain import joined
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.instruments import Listing
from strades_pipelines.strategy.events import BAR, PREDICTION, RECORDED_FILL, REVISION, microseconds

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

PRICES = ["open", "high", "low", "close", "volume"]
FORECAST_COLUMNS = ["listing_id", "prediction_id", "name", "value", "knowledge_time", "recorded_at"]
# The newest forecast of each name, listing and decision time.
FORECASTS = """(
    SELECT DISTINCT ON (name, listing_id, decision_time) *, decision_time AS knowledge_time
    FROM predictions.forecasts WHERE {stored} ORDER BY name, listing_id, decision_time, recorded_at DESC, prediction_id
)"""


@dataclass(frozen=True)
class StoredFeed:
    """Events read from the database.

    Args:
        as_of: the newest `recorded_at` of the rows.
        inputs_hash: over their values.
        open_hours: of a replay that trades in open markets only.
    """

    listings: Sequence[Listing]
    bars: int
    as_of: datetime | None
    inputs_hash: str
    columns: Columns = field(repr=False)
    prediction_ids: PredictionIds = field(repr=False)
    standings: Standings = field(default_factory=Standings, repr=False)
    open_hours: OpenHours = field(default_factory=OpenHours, repr=False)
    article_ids: ArticleIds = field(default_factory=dict, repr=False)

    def blocks(self) -> Iterator[Columns]:
        """The events in their total order: time, kind, listing, content."""
        yield self.columns


def read_feed(
    cursor: "Cursor",
    listings: Sequence[Listing],
    *,
    interval: str,
    opened_at: datetime,
    end: datetime,
    lookback: int,
    models: Sequence[str] = (),
    fills: Sequence[Fill] = (),
    since: datetime | None = None,
    stored_by: datetime | None = None,
    hearing: Hearing = NOTHING_ELSE,
    by_arrival: bool = True,
) -> StoredFeed:
    """Everything known in `[opened_at, end)`, with up to `lookback` earlier bars of each listing.

    Args:
        hearing: which other records the strategy hears of.
        by_arrival: trades and quotes are known when they were first stored, and bars too where any of them are heard;
            otherwise when they happened.
        since: only events known then or later, to resume an engine; not before `opened_at`.
        stored_by: the rows as they were stored at this time, including versions that were replaced since.
        models: names of the forecasts to include.
        fills: recorded fills to merge into the events, numbered as `fills_in_order` sorts them.
    """
    index = {listing.listing_id: i for i, listing in enumerate(listings)}
    known = Known(since or opened_at, end, stored_by)
    is_arrival = by_arrival and hearing.hears_streams
    window = BarWindow(index, interval, known, opened_at, lookback, is_resumed=since is not None, by_arrival=is_arrival)
    bars, parts = 0, [_fill_columns(fills)]
    tables: list[pa.Table] = []
    if not hearing.every:
        tables, of_bars = _read_bars(cursor, window, hearing)
        bars, parts = tables[0].num_rows, parts + of_bars
    ids: PredictionIds = {}
    for model, name in enumerate(models):
        table = _forecasts(cursor, index, name, since or opened_at, end, stored_by)
        tables.append(table)
        parts.append(_forecast_columns(table, index, model))
        keys = zip(parts[-1].i.tolist(), parts[-1].time.tolist(), strict=True)
        ids |= {
            (i, time, model): name for (i, time), name in zip(keys, table["prediction_id"].to_pylist(), strict=True)
        }
    for table, columns in _read_trades_and_quotes(cursor, window, hearing, by_arrival=by_arrival):
        tables.append(table)
        parts.append(columns)
    records = read_records(cursor, index, hearing, known, is_resumed=window.is_resumed)
    parts += records.parts
    tables += records.tables
    stamped = [table["recorded_at"] for table in tables if table.num_rows and "recorded_at" in table.column_names]
    stamps = [pc.max(column).as_py() for column in stamped]
    as_of = max(stamps, default=None)
    standings = read_standings(cursor, models)
    events = _in_order(joined(parts), listings)
    inputs_hash = _hash(tables, standings)
    articles = records.article_ids
    return StoredFeed(listings, bars, as_of, inputs_hash, events, ids, standings, article_ids=articles)


def _read_bars(cursor: "Cursor", window: BarWindow, hearing: Hearing) -> tuple[list[pa.Table], list[Columns]]:
    """The bars of a window, with their revisions and gaps where a strategy hears of them: as tables and as events."""
    read = read_bars(cursor, window, with_revisions="on_bar_revision" in hearing.hooks)
    tables, parts = [read.bars], [_bar_columns(read.bars, window.index)]
    if read.revisions is not None:
        tables.append(read.revisions)
        parts.append(_bar_columns(read.revisions, window.index, REVISION))
    if "on_gap" in hearing.hooks:
        heard, before = heard_bars(read.bars, window.opened_at), last_closes(cursor, window)
        parts.append(read_gaps(cursor, window.index, heard, window.interval, before))
    return tables, parts


def _read_trades_and_quotes(
    cursor: "Cursor", window: BarWindow, hearing: Hearing, *, by_arrival: bool
) -> Iterator[tuple[pa.Table, Columns]]:
    """The trades and the quotes that a strategy hears, as tables and as events."""
    index, known = window.index, window.known
    for is_read, since, read, columns_of in (
        (hearing.reads_trades, hearing.trades_since(known.start), read_trades, trade_columns),
        ("on_quote" in hearing.hooks, known.start - hearing.quote_window, read_quotes, quote_columns),
    ):
        if is_read:
            start = known.start if window.is_resumed else since
            table = read(cursor, index, FeedRange(start, known.end, by_arrival), stored_by=known.stored_by)
            yield table, columns_of(table, index)


def _in_order(columns: Columns, listings: Sequence[Listing]) -> Columns:
    """Sort by time, kind, listing and content, independent of a listing's position in the wallet.

    A fill sorts before the bar in which it happened, as in a backtest: it happened before the bar's close.
    """
    listing = np.array([one.listing_id for one in listings], np.int64)[columns.i]
    kind = np.where(columns.kind == RECORDED_FILL, -1, columns.kind)
    order = np.lexsort((columns.b, columns.a, columns.more, listing, kind, columns.time))
    return Columns(*(np.ascontiguousarray(array[order]) for array in columns.arrays))


def _forecasts(
    cursor: "Cursor",
    index: dict[int, int],
    name: str,
    opened_at: datetime,
    end: datetime,
    stored_by: datetime | None,
) -> pa.Table:
    # No forecast is replaced, so which one is the newest of its instant depends on `stored_by`.
    stored = "true" if stored_by is None else f"recorded_at <= '{stored_by.isoformat()}'::timestamptz"
    return read_as_of(
        cursor,
        FORECASTS.format(stored=stored),
        FORECAST_COLUMNS,
        known_at=end - timedelta(microseconds=1),
        where=f"{_among(index)} AND knowledge_time >= '{opened_at.isoformat()}'::timestamptz"
        " AND status = 'predicted' AND name = $1",
        parameters=[name],
        order_by=("knowledge_time", "listing_id"),
    )


def _among(index: dict[int, int]) -> str:
    return f"listing_id IN ({', '.join(map(str, index))})"


def _columns(kind: int, i: Sequence[int], time: Integers, more: Integers, floats: Sequence[Floats]) -> Columns:
    """Events of one kind; unused ones of the five float columns are 0."""
    n = len(time)
    rows = [np.asarray(one, np.float64) for one in floats] + [np.zeros(n)] * (5 - len(floats))
    return Columns(np.full(n, kind, np.int8), np.asarray(i, np.int32), time, more, *rows)


def _bar_columns(table: pa.Table, index: Mapping[int, int], kind: int = BAR) -> Columns:
    i = [index[listing_id] for listing_id in table["listing_id"].to_pylist()]
    prices = [np.asarray(table[name].cast(pa.float64()).fill_null(np.nan)) for name in PRICES]
    return _columns(kind, i, times_of(table, "knowledge_time"), times_of(table, "open_time"), prices)


def _forecast_columns(table: pa.Table, index: dict[int, int], model: int) -> Columns:
    i = [index[listing_id] for listing_id in table["listing_id"].to_pylist()]
    time = times_of(table, "knowledge_time")
    values = [np.asarray(table["value"].cast(pa.float64())), np.full(len(i), float(model))]
    return _columns(PREDICTION, i, time, np.zeros(len(i), np.int64), values)


def fills_in_order(fills: Sequence[Fill]) -> list[Fill]:
    """Sort fills as their events are numbered, from 1; ties keep their order."""
    return sorted(fills, key=lambda fill: (fill.knowledge_time, fill.listing_id, fill.filled_at))


def _fill_columns(fills: Sequence[Fill]) -> Columns:
    rows = fills_in_order(fills)
    times = [
        np.array([microseconds(at) for at in column], np.int64)
        for column in ([fill.knowledge_time for fill in rows], [fill.filled_at for fill in rows])
    ]
    signed, prices, fees = (
        [float(value) for value in column]
        for column in ([fill.units for fill in rows], [fill.price for fill in rows], [fill.fee_taken for fill in rows])
    )
    numbers = [np.arange(1.0, len(rows) + 1), np.array(signed), np.array(prices), np.array(fees)]
    return _columns(RECORDED_FILL, [fill.i for fill in rows], times[0], times[1], numbers)


def _hash(tables: Sequence[pa.Table], standings: Standings) -> str:
    """SHA-256 over the values, without `recorded_at`: the same rows loaded again are the same inputs."""
    digest = hashlib.sha256("".join(map(repr, standings.rows)).encode())
    for table in tables:
        for name in (name for name in table.column_names if name != "recorded_at"):
            column = table[name]
            if pa.types.is_timestamp(column.type):
                column = column.cast(pa.int64())
            # Separators: without them the values of two columns could run together to the same bytes.
            digest.update(f"\x1e{name}\x1f".encode())
            text = pa.types.is_string(column.type)
            digest.update("\x1f".join(column.to_pylist()).encode() if text else np.asarray(column).tobytes())
    return digest.hexdigest()
