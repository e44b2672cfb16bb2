"""features.daily and features.alpha158: read what a window of sessions needs, write what is new or changed.

A window is worked on in blocks of months, so memory does not grow with it. A block's rows are compared with the stored
ones by what went into them; values are computed only for those that differ.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, date, datetime
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.bulk import NOTHING, Loaded, append, copy_frame, load, same_key
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.stale import take_in
from strades_pipelines.market.records import TIME
from strades_pipelines.predictor.alpha158_rows import alpha158_table, bar_hashes
from strades_pipelines.predictor.article_versions import read_articles
from strades_pipelines.predictor.families.alpha158 import FAMILY as ALPHA158_FAMILY
from strades_pipelines.predictor.feature_inputs import Bars, Market
from strades_pipelines.predictor.formulas import FAMILIES, SESSIONS
from strades_pipelines.predictor.provenance import feature_table, identify
from strades_pipelines.predictor.published_series import read_published

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

LEAD_IN = SESSIONS - 1  # sessions before the window
# A block's months have about so many rows, but a block has at least one month. Where memory peaks: of 100,000 rows
# a block, 2 years of 100 stocks fill none and 10 years do, so that the peak grew with history (2026-11-29).
BLOCK_ROWS = 50_000
TABLE_ROWS = 20_000  # rows whose values are held at once
COLUMNS = (
    "listing_id", "venue", "session_date", "knowledge_time",
    "open", "high", "low", "close", "volume", "total_return_factor",
)  # fmt: skip
KEY = ("listing_id", "decision_time")
IDENTITY = ("session_date", "window_start", "max_knowledge_time", "inputs_hash")  # of a row of features.daily
# Here and below, OFFSET 0 keeps the planner from reading the whole table in order to join it: one index scan a listing.
ROWS_A_MONTH = """
    SELECT date_trunc('month', bar.session_date)::date, count(*)
    FROM records.listings AS listing
    CROSS JOIN LATERAL (
        SELECT session_date FROM cleaned.daily_bars AS own
        WHERE own.listing_id = listing.listing_id AND own.session_date >= $1::date AND own.session_date < $2::date
        OFFSET 0
    ) AS bar
    GROUP BY 1 ORDER BY 1
"""
# Of each listing that traded, from its LEAD_IN-th session before the window on. Sessions, not days: a listing with a
# hole in its history would else have other features than in a run over everything. A bar that came late does not count:
# the first rows of the window did not know it.
WITH_LEAD_IN = f"""(
    SELECT bar.*
    FROM records.listings AS listing
    CROSS JOIN LATERAL (
        SELECT min(knowledge_time) AS knowledge_time FROM cleaned.daily_bars AS own
        WHERE own.listing_id = listing.listing_id AND own.session_date >= $1::date AND own.session_date < $2::date
    ) AS first
    CROSS JOIN LATERAL (
        SELECT coalesce(min(session_date), $1::date) AS session_date
        FROM (
            SELECT session_date FROM cleaned.daily_bars AS earlier
            WHERE earlier.listing_id = listing.listing_id AND earlier.session_date < $1::date
                AND earlier.knowledge_time <= first.knowledge_time
            ORDER BY session_date DESC LIMIT {LEAD_IN}
        ) AS before
    ) AS oldest
    CROSS JOIN LATERAL (
        SELECT * FROM cleaned.daily_bars AS own
        WHERE own.listing_id = listing.listing_id AND own.session_date >= oldest.session_date
            AND own.session_date < $2::date
        OFFSET 0
    ) AS bar
    WHERE first.knowledge_time IS NOT NULL
)"""
# A scalar, not NOT EXISTS, which the planner may turn into a join with the whole of the bars.
WITHOUT_BAR = """
    DELETE FROM {table} AS row
    WHERE session_date >= $1::date AND session_date < $2::date AND (
        SELECT true FROM cleaned.daily_bars AS bar
        WHERE bar.listing_id = row.listing_id AND bar.session_date = row.session_date
            AND bar.knowledge_time = row.decision_time
        LIMIT 1
    ) IS NULL
"""
STORED = "SELECT {columns} FROM {table} WHERE session_date >= $1::date AND session_date < $2::date"


def write_features(
    url: str | None = None, *, start: datetime, end: datetime, now: datetime, families: Collection[str] = FAMILIES
) -> Loaded:
    """Compute the features of every listing's sessions in [start, end) and write those that are new or changed.

    Rows whose bar is gone go too. The result does not depend on how the sessions are cut into windows. Each block of
    months is committed on its own: what was written stays when a later block fails.

    Args:
        url: the database; None is this world's.
        start, end: midnights, UTC: the first date, and the one after the last.
        now: what is known later is not read; also the rows' recorded_at.
        families: features.daily has all of FAMILIES whatever this says; with `alpha158` its table is written too.

    Returns:
        What was done in features.daily.
    """
    loaded = NOTHING
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        for block_start, block_end in blocks(cursor, start, end):
            loaded += _write_block(cursor, block_start, block_end, now, with_alpha158=ALPHA158_FAMILY in families)
            connection.commit()
    crash_point("features.written")
    return loaded


def blocks(cursor: "Cursor", start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) cut at beginnings of months into blocks of about BLOCK_ROWS bars, and at least a month."""
    cursor.execute(ROWS_A_MONTH, (start.date(), end.date()))
    begin, rows = start, 0
    for month, count in cursor.fetchall():
        if rows and rows + count > BLOCK_ROWS:
            border = datetime.combine(month, datetime.min.time(), UTC)
            yield begin, border
            begin, rows = border, 0
        rows += count
    yield begin, end


def read_market(cursor: "Cursor", *, start: datetime, end: datetime, now: datetime) -> Market:
    """What the features of the sessions in [start, end) are computed from, as known at `now`."""
    table = read_as_of(
        cursor, WITH_LEAD_IN, COLUMNS, known_at=now, parameters=(start.date(), end.date()),
        order_by=("listing_id", "session_date"),
    )  # fmt: skip
    columns = {name: _column(table, name) for name in COLUMNS if name != "venue"}
    listings, firsts = np.unique(columns.pop("listing_id"), return_index=True)
    bounds = [*firsts.tolist(), table.num_rows]
    cuts = [(listing, *bound) for listing, bound in zip(listings.tolist(), pairwise(bounds), strict=True)]
    bars = {listing: Bars(*(column[begin:stop] for column in columns.values())) for listing, begin, stop in cuts}
    known = columns["knowledge_time"][columns["session_date"].astype("datetime64[D]") >= np.datetime64(start.date())]
    first, last = (known.min(), known.max()) if len(known) else (now, now)  # of the rows' decisions
    return Market(
        bars,
        {listing: table["venue"][begin].as_py() for listing, begin, _ in cuts},
        read_published(cursor, start=_utc(first), until=_utc(last)),
        read_articles(cursor, listings.tolist(), start=_utc(first), until=_utc(last)),
    )


def _utc(time: "np.datetime64 | datetime") -> datetime:
    return time if isinstance(time, datetime) else pd.Timestamp(time).to_pydatetime().replace(tzinfo=UTC)


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    column = table[name].cast(pa.float64()) if name in COLUMNS[4:] else table[name]
    return np.asarray(column.to_numpy())


def _write_block(cursor: "Cursor", start: datetime, end: datetime, now: datetime, *, with_alpha158: bool) -> Loaded:
    # Another process may be at the same rows: what this one finds not to be there must not come in between.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('strades.features'))")
    cursor.fetchall()
    take_in(cursor, "features.daily", start.date(), end.date())
    rows = identify(read_market(cursor, start=start, end=end, now=now), start=start.date())
    window = (start.date(), end.date())
    for table in ("features.daily", "features.alpha158"):
        cursor.execute(WITHOUT_BAR.format(table=table), window)
    if rows is None:
        return NOTHING
    own = pd.DataFrame({name: getattr(rows, name) for name in (*KEY, *IDENTITY)})
    if with_alpha158:
        of_bars = own[[*KEY, "session_date"]].assign(inputs_hash=bar_hashes(rows.segments))
        _write_table(cursor, "features.alpha158", of_bars, window, partial(alpha158_table, rows), now)
    return _write_table(cursor, "features.daily", own, window, partial(feature_table, rows), now)


def _write_table(
    cursor: "Cursor",
    table: str,
    rows: pd.DataFrame,
    window: tuple[date, date],
    values: Callable[[NDArray[np.bool_]], pa.Table],
    now: datetime,
) -> Loaded:
    """Bring the rows of the window's sessions into a table: copy those that are new, update those with other inputs.

    Args:
        rows: keys and identities.
        values: the whole of the rows that a mask chooses, but for recorded_at.
    """
    cursor.execute(STORED.format(table=table, columns=", ".join(rows.columns)), window)
    stored: pd.DataFrame = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
    for name in rows.columns.intersection(["decision_time", "max_knowledge_time"]):
        rows[name] = rows[name].dt.tz_localize("UTC")
    found = rows.merge(stored, on=list(KEY), how="left", suffixes=("", "_stored"), validate="many_to_one")
    is_stored = found["inputs_hash_stored"].notna().to_numpy()
    differs = np.zeros(len(rows), bool)
    for name in rows.columns.difference(list(KEY)):
        differs |= (found[name] != found[f"{name}_stored"]).to_numpy()
    # Bars may have become known at one time, as in one answer: the newest session's is what is decided on then.
    is_newest = ~rows.sort_values("session_date").duplicated(list(KEY), keep="last").sort_index().to_numpy()
    is_new, is_taken = _without_taken(cursor, table, rows, is_newest & ~is_stored)
    is_changed = (is_newest & is_stored & differs) | is_taken
    for chosen in _slices(is_new):
        append(cursor, table, values(chosen), now=now)
    for chosen in _slices(is_changed):
        load(cursor, table, values(chosen), key=KEY, now=now)
    new, changed = int(is_new.sum()), int(is_changed.sum())
    return Loaded(new, changed, len(rows) - new - changed)


def _without_taken(
    cursor: "Cursor", table: str, rows: pd.DataFrame, is_new: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The new rows whose key is free, and those that take it from a row of an earlier session, of another window."""
    if not is_new.any():
        return is_new, is_new
    new = rows[is_new]
    keys = pa.table(
        {"listing_id": pa.array(new["listing_id"], pa.int32()), "decision_time": pa.array(new["decision_time"], TIME)}
    )
    cursor.execute(
        f"SELECT n.listing_id, n.decision_time, t.session_date FROM {copy_frame(cursor, table, keys)} "
        f"CROSS JOIN LATERAL (SELECT session_date FROM {table} AS t WHERE {same_key(KEY)} LIMIT 1) AS t"
    )
    taken: pd.DataFrame = cursor.fetch_arrow_table().to_pandas(date_as_object=False)
    by = rows.merge(taken, on=list(KEY), how="left", suffixes=("", "_taken"), validate="many_to_one")[
        "session_date_taken"
    ]
    is_taken = is_new & by.notna().to_numpy()
    return is_new & ~is_taken, is_taken & (by < rows["session_date"]).to_numpy()


def _slices(chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.bool_]]:
    """The chosen rows, at most TABLE_ROWS at a time."""
    places = np.flatnonzero(chosen)
    for begin in range(0, len(places), TABLE_ROWS):
        part = np.zeros(len(chosen), bool)
        part[places[begin : begin + TABLE_ROWS]] = True
        yield part
