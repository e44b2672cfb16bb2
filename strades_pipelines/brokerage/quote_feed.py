"""Stored quotes as events of a session, by the rule by which trades are (`trade_feed`).

A quote with one side alone is a record and no event: it has no middle to mark a price with, and no spread.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from strades_pipelines.brokerage.trade_feed import FeedRange, read_heard_rows
from strades_pipelines.engine.columns import Columns
from strades_pipelines.strategy.events import QUOTE

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

NUMBERS = ["bid", "bid_size", "ask", "ask_size"]
COLUMNS = ["listing_id", "quote_id", "event_time", *NUMBERS, "fetch_id", "knowledge_time", "recorded_at"]
BOTH_SIDES = ("bid IS NOT NULL", "ask IS NOT NULL")


def read_quotes(
    cursor: "Cursor", index: Mapping[int, int], wanted: FeedRange, *, stored_by: datetime | None = None
) -> pa.Table:
    """The quotes of listings with both sides, in the order in which a strategy hears them.

    Args:
        index: the places of the listings, by their ids.
        stored_by: in the versions that were stored at this time.
    """
    return read_heard_rows(cursor, "quote", COLUMNS, index, wanted, stored_by=stored_by, where=BOTH_SIDES)


def quote_columns(table: pa.Table, index: Mapping[int, int]) -> Columns:
    """Events of quotes; a size that the venue does not say is NaN.

    `more`, which no quote hands on, keeps their order within an instant.
    """
    count = table.num_rows
    i = np.array([index[listing_id] for listing_id in table["listing_id"].to_pylist()], np.int32)
    time = np.asarray(table["knowledge_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()))
    bid, bid_size, ask, ask_size = (np.asarray(table[name].cast(pa.float64()).fill_null(np.nan)) for name in NUMBERS)
    kind, zero = np.full(count, QUOTE, np.int8), np.zeros(count)
    return Columns(kind, i, time, np.arange(count), bid, bid_size, ask, ask_size, zero)
