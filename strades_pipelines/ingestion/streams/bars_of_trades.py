"""Bars from trades, of a time, a number of trades, a volume or money; and the table that follows records.trades."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.bars.trade_bars import Every, daily_ends
from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.records import TIME

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

BARS_LOCK = "SELECT pg_advisory_xact_lock(hashtext('strades.records.trade_bars'))"
KEY = ("listing_id", "interval", "open_time")
# Of trades of one instant the number decides, where ids are numbers: it rises with time.
TRADES = """
    SELECT event_time, price, size FROM records.trades
    WHERE listing_id = {listing} AND event_time >= '{start}' AND event_time < '{end}'
    ORDER BY event_time, length(trade_id), trade_id
"""


def bars_of_trades(
    times: NDArray[np.int64], prices: NDArray[np.float64], sizes: NDArray[np.float64], step: int
) -> pa.Table:
    """Bars of trades, oldest first; none for a stretch without a trade.

    Args:
        times: of n trades, microseconds since the epoch, never falling.
        prices, sizes: of the same n trades.
        step: a bar's length in microseconds; bars begin at its multiples.

    Returns:
        open_time and close_time (UTC), open, high, low, close, volume, quote_volume (price x size), trade_count.
    """
    cells = times // step
    # One less than the first cell before it: the first trade begins a bar in any case.
    starts = np.flatnonzero(np.diff(cells, prepend=cells[:1] - 1)) if len(times) else np.zeros(0, np.int64)
    opens = cells[starts] * step
    return _bars(opens, opens + step, prices, sizes, starts)


def bars_of_size(
    times: NDArray[np.int64], prices: NDArray[np.float64], sizes: NDArray[np.float64], every: Every
) -> pa.Table:
    """Bars of a number of trades, a volume or an amount of money, oldest first; every trade is in one.

    They begin anew at each midnight (UTC, `daily_ends`). A trade that fills a bar belongs to it whole.

    Args:
        times, prices, sizes: as of `bars_of_trades`.
        every: with a unit.

    Returns:
        As `bars_of_trades`, with `is_full`; a bar opens with its first trade and closes with its last.
    """
    ends, is_full = daily_ends(times, prices, sizes, every)
    starts = np.append(0, ends[:-1])[: len(ends)]
    made = _bars(times[starts], times[ends - 1], prices, sizes, starts)
    return made.append_column("is_full", pa.array(is_full))


def _bars(
    opens: NDArray[np.int64],
    closes: NDArray[np.int64],
    prices: NDArray[np.float64],
    sizes: NDArray[np.float64],
    starts: NDArray[np.int64],
) -> pa.Table:
    """The bars of trades that begin at `starts`, each up to the next; `opens` and `closes` are their times."""
    ends = np.append(starts[1:], len(prices)) if len(starts) else starts
    sums = (np.add.reduceat(values, starts) if len(starts) else np.zeros(0) for values in (sizes, prices * sizes))
    volume, quote_volume = sums
    return pa.table(
        {
            "open_time": pa.array(opens, pa.int64()).cast(TIME),
            "close_time": pa.array(closes, pa.int64()).cast(TIME),
            "open": prices[starts],
            "high": np.maximum.reduceat(prices, starts) if len(starts) else np.zeros(0),
            "low": np.minimum.reduceat(prices, starts) if len(starts) else np.zeros(0),
            "close": prices[ends - 1] if len(starts) else np.zeros(0),
            "volume": volume,
            "quote_volume": quote_volume,
            "trade_count": pa.array(ends - starts, pa.int64()),
        }
    )


def update_trade_bars(
    connection: "Connection",
    listing_id: int,
    interval: str,
    step: timedelta,
    start: datetime,
    end: datetime,
    now: datetime,
) -> Loaded:
    """Build the bars that lie in [start, end) from the trades that are stored, and store what changed. Commits.

    A bar that is there with other values is revised: its old version goes to the revisions.

    Args:
        step: the length of `interval`, a divisor of a day.
        start, end: UTC; widened to whole bars at the start, and shortened to them at the end.
        now: recorded_at of new rows.
    """
    first, last = (_floor(time, step) for time in (start, end))
    if first >= last:
        return NOTHING
    with connection.cursor() as cursor:
        try:
            # Two writers may build one bar: without the lock the one that read fewer trades could store it last.
            cursor.execute(BARS_LOCK)
            bars = bars_of_trades(*_read_trades(cursor, listing_id, first, last), step // timedelta(microseconds=1))
            columns: Sequence[tuple[str, Any]] = [
                ("listing_id", pa.repeat(pa.scalar(listing_id, pa.int32()), bars.num_rows)),
                ("interval", pa.repeat(pa.scalar(interval), bars.num_rows)),
                *((name, bars[name]) for name in bars.column_names),
                # Known at its close, whenever its trades were loaded: backfilled bars replay like live ones.
                ("knowledge_time", bars["close_time"]),
            ]
            loaded = load(
                cursor,
                "records.trade_bars",
                pa.table(dict(columns)),
                key=KEY,
                now=now,
                revisions="records.trade_bar_revisions",
                ignore=("recorded_at",),
                single_writer=True,
            )
            crash_point("streams.bars_written")
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
    return loaded


def _read_trades(
    cursor: "Cursor", listing_id: int, start: datetime, end: datetime
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    words = {"listing": int(listing_id), "start": start.isoformat(), "end": end.isoformat()}
    cursor.execute(TRADES.format(**words))
    rows = cursor.fetch_arrow_table()
    times = rows["event_time"].cast(TIME).cast(pa.int64()).to_numpy()
    return times, rows["price"].to_numpy(), rows["size"].to_numpy()


def _floor(time: datetime, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (time - epoch) // step * step
