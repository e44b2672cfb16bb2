"""Stored bars and forecasts as the events of a session: what could be known, in the total order."""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.brokerage.prices import bar_table, of_interval
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.market.events import Bar, Event, Fill, Prediction, order_key
from strades_pipelines.market.instruments import Listing, interval_length

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

PRICES = ["open", "high", "low", "close", "volume"]
BAR_COLUMNS = ["listing_id", "open_time", "close_time", *PRICES, "knowledge_time", "recorded_at"]
FORECAST_COLUMNS = ["listing_id", "prediction_id", "name", "value", "knowledge_time", "recorded_at"]
# Of the forecasts made for one instant by one name, the newest counts.
FORECASTS = """(
    SELECT DISTINCT ON (name, listing_id, decision_time) *, decision_time AS knowledge_time
    FROM predictions.forecasts ORDER BY name, listing_id, decision_time, recorded_at DESC, prediction_id
)"""


@dataclass(frozen=True)
class StoredFeed:
    """Events read from the database; `as_of` is the newest `recorded_at` of them, `inputs_hash` is over the values."""

    listings: Sequence[Listing]
    bars: int
    as_of: datetime | None
    inputs_hash: str
    sorted_events: list[Event] = field(repr=False)

    def events(self) -> Iterator[Event]:
        """The events in their total order."""
        return iter(self.sorted_events)


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
) -> StoredFeed:
    """Everything known in `[opened_at, end)`, with up to `lookback` bars of each listing from before.

    Args:
        models: names of the forecasts to include.
        fills: recorded fills to put in their places among the rest.
    """
    index = {listing.listing_id: i for i, listing in enumerate(listings)}
    tables = [_bars(cursor, index, interval, opened_at, end, lookback)]
    tables += [_forecasts(cursor, index, name, opened_at, end) for name in models]
    events: list[Event] = [*_bar_events(tables[0], index, interval), *fills]
    for table in tables[1:]:
        events += _forecast_events(table, index)
    stamps = [pc.max(table["recorded_at"]).as_py() for table in tables if table.num_rows]
    as_of = max(stamps, default=None)
    return StoredFeed(listings, tables[0].num_rows, as_of, _hash(tables), sorted(events, key=order_key))


def _bars(
    cursor: "Cursor", index: dict[int, int], interval: str, opened_at: datetime, end: datetime, lookback: int
) -> pa.Table:
    # Closed days and gaps: three times the length, and a long weekend, hold the warm-up.
    since = opened_at - 3 * lookback * interval_length(interval) - timedelta(days=4 if lookback else 0)
    where = f"{_among(index)} AND knowledge_time >= '{since.isoformat()}'::timestamptz"
    table = read_as_of(
        cursor,
        bar_table(interval),
        BAR_COLUMNS,
        known_at=end - timedelta(microseconds=1),
        where=f"{where} AND {of_interval(interval)}",
        order_by=("knowledge_time", "listing_id", "open_time"),
    )
    return table.filter(pa.array(_keep_warm_up(table, opened_at, lookback)))


def _keep_warm_up(table: pa.Table, opened_at: datetime, lookback: int) -> "np.typing.NDArray[np.bool_]":
    known = np.asarray(table["knowledge_time"].cast(pa.int64()))
    before = known < np.int64(round(opened_at.timestamp() * 1_000_000))
    ids = np.asarray(table["listing_id"])
    keep = np.ones(table.num_rows, dtype=bool)
    for listing_id in np.unique(ids[before]):
        rows = np.flatnonzero(before & (ids == listing_id))
        keep[rows[: len(rows) - lookback]] = False
    return keep


def _forecasts(cursor: "Cursor", index: dict[int, int], name: str, opened_at: datetime, end: datetime) -> pa.Table:
    return read_as_of(
        cursor,
        FORECASTS,
        FORECAST_COLUMNS,
        known_at=end - timedelta(microseconds=1),
        where=f"{_among(index)} AND knowledge_time >= '{opened_at.isoformat()}'::timestamptz"
        " AND status = 'predicted' AND name = $1",
        parameters=[name],
        order_by=("knowledge_time", "listing_id"),
    )


def _among(index: dict[int, int]) -> str:
    return f"listing_id IN ({', '.join(map(str, index))})"


def _bar_events(table: pa.Table, index: dict[int, int], interval: str) -> Iterator[Bar]:
    columns = [table[name].to_pylist() for name in BAR_COLUMNS[:-1]]
    for listing_id, opened, closed, *prices, volume, known in zip(*columns, strict=True):
        volume = math.nan if volume is None else volume
        open_, high, low, close = prices
        i = index[listing_id]
        yield Bar(i, listing_id, interval, opened, closed, open_, high, low, close, volume, known)


def _forecast_events(table: pa.Table, index: dict[int, int]) -> Iterator[Prediction]:
    columns = [table[name].to_pylist() for name in FORECAST_COLUMNS[:-1]]
    for listing_id, *rest in zip(*columns, strict=True):
        yield Prediction(index[listing_id], listing_id, *rest)


def _hash(tables: Sequence[pa.Table]) -> str:
    """SHA-256 over the values, but for when they were recorded."""
    digest = hashlib.sha256()
    for table in tables:
        for name in (name for name in table.column_names if name != "recorded_at"):
            column = table[name]
            if pa.types.is_timestamp(column.type):
                column = column.cast(pa.int64())
            digest.update(f"\x1e{name}\x1f".encode())
            text = pa.types.is_string(column.type)
            digest.update("\x1f".join(column.to_pylist()).encode() if text else np.asarray(column).tobytes())
    return digest.hexdigest()
