"""Stored trades as events of a session: as they happened for a replay, as they were heard for the live edge.

Quotes are read by the same rule (`quote_feed`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.engine.columns import Columns
from strades_pipelines.strategy.events import TRADE

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# What comes later, of a hole that was asked for again or of history, is a record and no event: no strategy
# would have acted on it.
HEARD_WITHIN = timedelta(minutes=1)
AHEAD = timedelta(seconds=10)  # a venue's clock may be so far ahead of ours, as the streams allow
COLUMNS = ["listing_id", "trade_id", "event_time", "price", "size", "side", "fetch_id", "knowledge_time", "recorded_at"]
BUYERS = {"buy": 1.0, "sell": -1.0}


@dataclass(frozen=True)
class FeedRange:
    """The trades or quotes known in `[start, end)`, aware times.

    Args:
        is_heard: known when they were first stored, within `HEARD_WITHIN`; otherwise when they happened.
    """

    start: datetime
    end: datetime
    is_heard: bool = True


def read_trades(
    cursor: "Cursor", index: Mapping[int, int], wanted: FeedRange, *, stored_by: datetime | None = None
) -> pa.Table:
    """The trades of listings, in the order in which a strategy hears them (`read_heard_rows`)."""
    return read_heard_rows(cursor, "trade", COLUMNS, index, wanted, stored_by=stored_by)


def read_heard_rows(
    cursor: "Cursor",
    kind: Literal["trade", "quote"],
    columns: Sequence[str],
    index: Mapping[int, int],
    wanted: FeedRange,
    *,
    stored_by: datetime | None,
    where: Sequence[str] = (),
) -> pa.Table:
    """The trades or quotes of listings, in the order in which a strategy hears them.

    Of one instant they come as they happened; of one time the number decides, where ids are numbers: it rises.

    Args:
        index: the places of the listings, by their ids.
        stored_by: in the versions that were stored at this time.
        where: further conditions, in SQL.
    """
    # What was heard from `start` on may have happened so much earlier.
    first = wanted.start - (HEARD_WITHIN if wanted.is_heard else timedelta(0))
    conditions = [
        f"listing_id IN ({', '.join(map(str, index))})",
        f"event_time >= '{first.isoformat()}'::timestamptz",
        f"event_time < '{(wanted.end + AHEAD).isoformat()}'::timestamptz",
        f"knowledge_time >= '{wanted.start.isoformat()}'::timestamptz",
        f"knowledge_time - event_time < '{HEARD_WITHIN}'::interval",
        *where,
    ]
    return read_as_of(
        cursor,
        f"records.heard_{kind}s" if wanted.is_heard else f"records.{kind}s",
        columns,
        known_at=wanted.end - timedelta(microseconds=1),
        recorded_as_of=stored_by,
        where=" AND ".join(conditions),
        order_by=("knowledge_time", "listing_id", "event_time", f"length({kind}_id)", f"{kind}_id"),
        span=(first, wanted.end + AHEAD),
        listings=tuple(index),
    )


def trade_columns(table: pa.Table, index: Mapping[int, int]) -> Columns:
    """Events of trades; `more`, which no trade hands on, keeps their order within an instant."""
    count = table.num_rows
    i = np.array([index[listing_id] for listing_id in table["listing_id"].to_pylist()], np.int32)
    time = np.asarray(table["knowledge_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()))
    buyer = np.array([BUYERS.get(side, 0.0) for side in table["side"].to_pylist()], np.float64)
    price, size = (np.asarray(table[name], np.float64) for name in ("price", "size"))
    kind, zero = np.full(count, TRADE, np.int8), np.zeros(count)
    return Columns(kind, i, time, np.arange(count), price, size, buyer, zero, zero)
