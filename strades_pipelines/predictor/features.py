"""features.daily: read what a window of sessions needs, compute it, and write what changed."""

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.stale import take_in
from strades_pipelines.predictor.formulas import SESSIONS
from strades_pipelines.predictor.inputs import Bars, Market
from strades_pipelines.predictor.provenance import market_features
from strades_pipelines.predictor.published import read_articles, read_published

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

LEAD_IN = SESSIONS - 1  # sessions before the window
COLUMNS = (
    "listing_id", "venue", "session_date", "knowledge_time",
    "open", "high", "low", "close", "volume", "total_return_factor",
)  # fmt: skip
# From the earliest day that is some traded listing's LEAD_IN-th session before the window. Counted in sessions, not
# days: a listing with a hole in its history would else have other features than in a run over everything.
WITH_LEAD_IN = f"""
    session_date < $2::date AND session_date >= (
        SELECT coalesce(min(before.session_date), $1::date)
        FROM (
            SELECT DISTINCT listing_id FROM cleaned.daily_bars
            WHERE session_date >= $1::date AND session_date < $2::date
        ) AS traded
        CROSS JOIN LATERAL (
            SELECT session_date FROM cleaned.daily_bars AS earlier
            WHERE earlier.listing_id = traded.listing_id AND earlier.session_date < $1::date
            ORDER BY session_date DESC LIMIT {LEAD_IN}
        ) AS before
    )
"""
WITHOUT_BAR = """
    DELETE FROM features.daily AS row
    WHERE session_date >= $1::date AND session_date < $2::date AND NOT EXISTS (
        SELECT FROM cleaned.daily_bars AS bar
        WHERE bar.listing_id = row.listing_id AND bar.session_date = row.session_date
            AND bar.knowledge_time = row.decision_time
    )
"""


def write_features(url: str | None = None, *, start: datetime, end: datetime, now: datetime) -> Loaded:
    """Compute the features of every listing's sessions in [start, end) and write those that are new or changed.

    Rows whose bar is gone go too. The result does not depend on how the sessions are cut into windows.

    Args:
        url: the database; None is this world's.
        start, end: midnights, UTC: the first date, and the one after the last.
        now: what is known later is not read; also the rows' recorded_at.
    """
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        take_in(cursor, "features.daily", start.date(), end.date())
        rows = market_features(read_market(cursor, start=start, end=end, now=now), start=start.date())
        cursor.execute(WITHOUT_BAR, (start.date(), end.date()))
        loaded = NOTHING
        if rows.num_rows:
            loaded = load(cursor, "features.daily", rows, key=("listing_id", "decision_time"), now=now)
        connection.commit()
    crash_point("features.written")
    return loaded


def read_market(cursor: "Cursor", *, start: datetime, end: datetime, now: datetime) -> Market:
    """What the features of the sessions in [start, end) are computed from, as known at `now`."""
    bars = read_as_of(
        cursor, "cleaned.daily_bars", COLUMNS, known_at=now, where=WITH_LEAD_IN, parameters=(start.date(), end.date()),
        order_by=("listing_id", "session_date"),
    )  # fmt: skip
    listings = pc.unique(bars["listing_id"]).to_pylist()
    of_listing = {listing: bars.filter(pc.equal(bars["listing_id"], listing)) for listing in listings}
    venues = {listing: rows["venue"][0].as_py() for listing, rows in of_listing.items()}
    decided = pc.min_max(bars["knowledge_time"]).as_py() if listings else {"min": now, "max": now}
    return Market(
        {listing: _bars(rows) for listing, rows in of_listing.items()},
        venues,
        read_published(cursor, until=decided["max"]),
        read_articles(cursor, listings, start=decided["min"], until=decided["max"]),
    )


def _bars(rows: pa.Table) -> Bars:
    own = rows.drop_columns(["listing_id", "venue"])
    columns = [own[name].cast(pa.float64()) if name in COLUMNS[4:] else own[name] for name in own.column_names]
    return Bars(*(np.asarray(column.to_numpy()) for column in columns))
