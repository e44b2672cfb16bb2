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
from strades_pipelines.predictor.formulas import SERIES
from strades_pipelines.predictor.inputs import Bars, Rates
from strades_pipelines.predictor.provenance import daily_features

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

LEAD_IN = 60  # sessions before the window: more than any feature's
COLUMNS = ("listing_id", "session_date", "knowledge_time", "high", "low", "close", "volume", "total_return_factor")
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
    window = (start.date(), end.date())
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        rates = read_rates(cursor, known_at=now)
        bars = read_as_of(
            cursor, "cleaned.daily_bars", COLUMNS, known_at=now, where=WITH_LEAD_IN, parameters=window,
            order_by=("listing_id", "session_date"),
        )  # fmt: skip
        tables = [_rows(bars, listing, rates, start) for listing in pc.unique(bars["listing_id"]).to_pylist()]
        cursor.execute(WITHOUT_BAR, window)
        loaded = NOTHING
        if tables:
            rows = pa.concat_tables(tables)
            loaded = load(cursor, "features.daily", rows, key=("listing_id", "decision_time"), now=now)
        connection.commit()
    crash_point("features.written")
    return loaded


def read_rates(cursor: "Cursor", *, known_at: datetime) -> Rates:
    """The ECB's dollar rates known by `known_at`."""
    table = read_as_of(
        cursor, "records.observations", ("event_time", "knowledge_time", "value"), known_at=known_at,
        where="series = $1", parameters=(SERIES,), order_by=("event_time",),
    )  # fmt: skip
    return Rates(*(table[name].to_numpy() for name in table.column_names))


def _rows(bars: pa.Table, listing: int, rates: Rates, start: datetime) -> pa.Table:
    """The rows of one listing, from `start` on."""
    own = bars.filter(pc.equal(bars["listing_id"], listing)).drop_columns(["listing_id"])
    rows = daily_features(Bars(*(own[name].to_numpy() for name in own.column_names)), rates)
    rows = rows.filter(pc.greater_equal(rows["session_date"], pa.scalar(start.date())))
    return rows.add_column(0, "listing_id", pa.array(np.full(len(rows), listing, np.int32)))
