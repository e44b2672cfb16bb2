"""Update `records.split_adjustments` after a load of bars or splits.

Rows of `records` stay as they were parsed; `staging` applies the adjustments. An adjustment is a function of the stored
rows alone, so that the order of loads does not matter.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from strades_pipelines.database.bulk import Loaded, load
from strades_pipelines.ingestion.keyed_rows import without_keys
from strades_pipelines.ingestion.pending import any_of
from strades_pipelines.ingestion.precedence import withdraw
from strades_pipelines.ingestion.record_tables import Target
from strades_pipelines.ingestion.split_evidence import (
    Adjustment,
    Bars,
    Splits,
    adjust_bars,
    adjust_dividends,
    adjust_superseded,
)
from strades_pipelines.market.records import TIME

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

TARGET = Target(
    "records.split_adjustments",
    "records.split_adjustment_revisions",
    ("listing_id", "fetch_id", "from_time"),
    listed=True,
    ignore=("recorded_at",),
)
ROWS = pa.schema(
    [
        ("listing_id", pa.int32()),
        ("fetch_id", pa.int64()),
        ("from_time", TIME),
        ("to_time", TIME),
        ("ratio", pa.float64()),
        ("basis", pa.string()),
        ("knowledge_time", TIME),
    ]
)
# The splits of a listing are those of its market: a venue that relays an exchange's prices may state no splits itself.
SAME_MARKET = (
    "(peer.symbol, peer.currency, peer.adjustment, peer.calendar) = "
    "(own.symbol, own.currency, own.adjustment, own.calendar) AND (own.calendar <> '24/7' OR own.venue = peer.venue)"
)
TOUCHED = """
    WITH stored AS (
        SELECT listing_id, min(open_time) AS first_time FROM records.candles WHERE fetch_id = {ids} GROUP BY listing_id
        UNION ALL
        SELECT listing_id, min(knowledge_time) FROM records.corporate_actions WHERE fetch_id = {ids} GROUP BY listing_id
        UNION ALL
        SELECT listing_id, min(open_time) FROM records.candle_revisions WHERE fetch_id = {ids} GROUP BY listing_id
        UNION ALL
        SELECT listing_id, min(knowledge_time) FROM records.corporate_action_revisions
        WHERE fetch_id = {ids} GROUP BY listing_id
    )
    SELECT DISTINCT own.listing_id FROM stored
    INNER JOIN records.listings AS peer ON peer.listing_id = stored.listing_id AND peer.adjustment <> 'raw'
    INNER JOIN records.listings AS own ON {same_market}
    WHERE EXISTS (
        SELECT FROM records.corporate_actions AS split INNER JOIN records.listings AS peer USING (listing_id)
        WHERE {same_market} AND split.action = 'split' AND split.knowledge_time >= stored.first_time
    ) OR EXISTS (
        SELECT FROM records.split_adjustments AS adjusted
        WHERE adjusted.listing_id = own.listing_id AND adjusted.knowledge_time >= stored.first_time
    )
    ORDER BY own.listing_id
"""
SPLITS = "SELECT knowledge_time, ratio FROM records.market_splits WHERE listing_id = {listing_id} ORDER BY ex_date"
# The bars up to the first after the last split. A fetch deleted from the log is dated by when its rows were recorded.
BARS = """
    SELECT c."interval", c.open_time, c.open, c.close, c.fetch_id, coalesce(f.fetched_at, c.recorded_at) AS fetched_at,
        coalesce(f.method = 'FILE', false) AS of_file
    FROM records.candles AS c LEFT JOIN rawsources.fetches AS f USING (fetch_id)
    WHERE c.listing_id = {listing_id} AND c.open_time < '{last}'::timestamptz + interval '10 days'
    ORDER BY c."interval", c.open_time
"""
# What strategies with `on_bar_revision` heard first, and reads as of a time. The same bytes parsed again are no other.
SUPERSEDED = """
    SELECT r.fetch_id, min(coalesce(f.fetched_at, r.recorded_at)) AS fetched_at, r.open_time
    FROM records.candle_revisions AS r LEFT JOIN rawsources.fetches AS f USING (fetch_id)
    WHERE r.listing_id = {listing_id} AND r.open_time < '{last}'::timestamptz AND NOT EXISTS (
        SELECT FROM records.candles AS c
        WHERE c.listing_id = r.listing_id AND c.open_time = r.open_time AND c.fetch_id = r.fetch_id
    )
    GROUP BY r.fetch_id, r.open_time ORDER BY r.fetch_id, r.open_time
"""
DIVIDENDS = """
    SELECT d.fetch_id, coalesce(f.fetched_at, d.recorded_at) AS fetched_at, d.knowledge_time
    FROM records.corporate_actions AS d LEFT JOIN rawsources.fetches AS f USING (fetch_id)
    WHERE d.listing_id = {listing_id} AND d.action <> 'split' AND d.knowledge_time < '{last}'::timestamptz
    ORDER BY d.knowledge_time
"""


def update_split_adjustments(cursor: "Cursor", fetch_ids: Sequence[int], now: datetime) -> tuple[Loaded, datetime]:
    """Recompute the listings of which these fetches stored splits, or bars before a split; commits nothing.

    Returns:
        What was written, and the newest `recorded_at` or `superseded_at` used: `now` or later.
    """
    cursor.execute(TOUCHED.format(ids=any_of(fetch_ids), same_market=SAME_MARKET))
    listings = [listing_id for (listing_id,) in cursor.fetchall()]
    if not listings:
        return Loaded(0, 0, 0), now
    rows = pa.Table.from_pylist([row for listing_id in listings for row in _decide(cursor, listing_id)], schema=ROWS)
    keys = ", ".join(TARGET.key)
    chosen = ", ".join(map(str, listings))
    cursor.execute(f"SELECT {keys} FROM {TARGET.table} WHERE listing_id IN ({chosen})")
    _, now = withdraw(cursor, TARGET, without_keys(cursor.fetch_arrow_table(), rows.select(TARGET.key)), now)
    loaded = load(
        cursor,
        TARGET.table,
        rows,
        key=TARGET.key,
        now=now,
        revisions=TARGET.revisions,
        ignore=TARGET.ignore,
        single_writer=True,
    )
    return loaded, loaded.revised_at or now


def _decide(cursor: "Cursor", listing_id: int) -> list[dict[str, Any]]:
    cursor.execute(SPLITS.format(listing_id=listing_id))
    found = cursor.fetch_arrow_table().sort_by("knowledge_time")
    if not found.num_rows:
        return []
    splits = Splits(_microseconds(found["knowledge_time"]), found["ratio"].to_pylist())
    bounds = {"listing_id": listing_id, "last": found["knowledge_time"][-1].as_py().isoformat()}
    cursor.execute(BARS.format(**bounds))
    bars = cursor.fetch_arrow_table()
    adjusted: list[Adjustment] = []
    missing_splits: dict[int, int] = {}
    intervals = np.asarray(bars["interval"])
    for interval in np.unique(intervals):
        adjusted_bars, missing_by_fetch = adjust_bars(_bars(bars.filter(pa.array(intervals == interval))), splits)
        adjusted += adjusted_bars
        missing_splits |= missing_by_fetch
    standing: dict[int, list[int]] = {}
    for fetch_id, time in sorted(
        zip(bars["fetch_id"].to_pylist(), _microseconds(bars["open_time"]).tolist(), strict=True)
    ):
        standing.setdefault(fetch_id, []).append(time)
    adjusted += adjust_superseded(_triples(cursor, SUPERSEDED.format(**bounds)), splits, missing_splits, standing)
    adjusted += adjust_dividends(_triples(cursor, DIVIDENDS.format(**bounds)), splits, missing_splits, adjusted)
    return [_row(listing_id, adjustment) for adjustment in adjusted]


def _triples(cursor: "Cursor", query: str) -> list[tuple[int, int, int]]:
    """Rows of a fetch id and two times, which are then in microseconds."""
    cursor.execute(query)
    found = cursor.fetch_arrow_table()
    fetch_ids, *times = found.columns
    return list(zip(fetch_ids.to_pylist(), *(_microseconds(column).tolist() for column in times), strict=True))


def _bars(table: pa.Table) -> Bars:
    return Bars(
        _microseconds(table["open_time"]),
        np.asarray(table["open"]),
        np.asarray(table["close"]),
        np.asarray(table["fetch_id"]),
        _microseconds(table["fetched_at"]),
        np.asarray(table["of_file"]),
    )


def _microseconds(column: pa.ChunkedArray) -> Any:
    return np.asarray(column.cast(TIME).cast(pa.int64()))


def _row(listing_id: int, adjustment: Adjustment) -> dict[str, Any]:
    return {
        "listing_id": listing_id,
        "fetch_id": adjustment.fetch_id,
        "from_time": adjustment.from_time,
        "to_time": adjustment.to_time,
        "ratio": adjustment.ratio,
        "basis": adjustment.basis,
        "knowledge_time": adjustment.known_at,
    }
