"""Bars out of the database, as files would give them: what is final, seen when it was known."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from strades_pipelines.bad_input import BadInput
from strades_pipelines.bars.bar_table import PRICES
from strades_pipelines.brokerage.prices import bar_table, find_listings, of_interval
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.market.instruments import Listing
from strades_pipelines.settings import settings
from strades_pipelines.simulation.backtest import Bars
from strades_pipelines.strategy.events import moment

COLUMNS = ["open_time", "knowledge_time", *PRICES]


def stored_bars(
    names: Sequence[str],
    interval: str,
    start: int | None,
    end: int | None,
    *,
    multiplier: float = 1.0,
    lot: float = 0.0,
    as_of: datetime | None = None,
    url: str | None = None,
) -> list[Bars]:
    """The bars of instruments that open in [start, end), microseconds UTC, None for no bound.

    Args:
        names: SYMBOL, or VENUE:SYMBOL where several venues list it.
        interval: 1d reads the cleaned daily bars, another one the records.
        as_of: what was known and stored at this time, in the versions of then. Of the clean bars there are no versions:
            daily bars are then the listing's own records.
        url: of the database; None is this world's.

    Raises:
        BadInput: for an instrument that is not there, or has no such bars.
    """
    with adbc_connect(url) as connection, connection.cursor() as cursor:
        listings = find_listings(cursor, [_full_name(cursor, name) for name in names])
        if len(set(listings)) < len(names):
            raise BadInput(f"--instrument: expected each instrument once, found {', '.join(names)}")
        return [_bars(cursor, listing, interval, (start, end), multiplier, lot, as_of) for listing in listings]


def _full_name(cursor: Any, name: str) -> str:
    cursor.execute("SELECT venue || ':' || symbol FROM records.listings ORDER BY 1")
    known = [row[0] for row in cursor.fetchall()]
    found = [one for one in known if name in (one, one.partition(":")[2])]
    if len(found) != 1:
        expected = f"one of {', '.join(found or known) or 'none (the database has no listings)'}"
        raise BadInput(f"--instrument: expected {expected}; found {name!r}")
    return str(found[0])


def _bars(
    cursor: Any,
    listing: Listing,
    interval: str,
    span: tuple[int | None, int | None],
    multiplier: float,
    lot: float,
    as_of: datetime | None,
) -> Bars:
    table, of_its_interval = bar_table(interval), of_interval(interval)
    if as_of is not None:
        table, of_its_interval = "records.candles", f"\"interval\" = '{interval}'"
    bounds = [
        f"open_time {sign} '{moment(at).isoformat()}'::timestamptz"
        for sign, at in zip((">=", "<"), span, strict=True)
        if at is not None
    ]
    rows = read_as_of(
        cursor,
        table,
        COLUMNS,
        known_at=as_of or max(settings().now(), datetime.now(UTC)),
        recorded_as_of=as_of,
        where=" AND ".join([f"listing_id = {listing.listing_id}", of_its_interval, *bounds]),
        order_by=("knowledge_time", "open_time"),
    )
    if rows.num_rows == 0:
        raise BadInput(f"--instrument {listing.name}: expected bars of {interval} in the range, found none")
    opens, known = (np.asarray(rows[name].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())) for name in COLUMNS[:2])
    prices = np.stack([np.asarray(rows[name].cast(pa.float64()).fill_null(0.0)) for name in PRICES])
    return Bars(listing.name, known, opens, prices, multiplier, lot)
