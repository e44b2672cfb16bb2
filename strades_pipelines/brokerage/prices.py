"""Listings and single prices out of the database."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.rounding import exact

Connection = psycopg.Connection[Any]
# Numbers as text: then psycopg and ADBC give the same.
LISTINGS = "SELECT listing_id, venue, symbol, currency, tick_size::text, lot_size::text FROM records.listings"


def bar_table(interval: str) -> str:
    """The relation that holds bars of an interval, all in current shares: daily ones are the cleaned ones."""
    return "cleaned.daily_bars" if interval == "1d" else "records.adjusted_candles"


def of_interval(interval: str) -> str:
    """The SQL condition on the interval, which one table alone has. The caller validated `interval`."""
    return "true" if interval == "1d" else f"\"interval\" = '{interval}'"


def find_listings(cursor: Any, names: Sequence[str]) -> list[Listing]:
    """The listings named `VENUE:SYMBOL`, in that order; any database cursor will do.

    Raises:
        LookupError: when one is not in the database.
    """
    cursor.execute(LISTINGS)
    return listings_named(names, cursor.fetchall())


def listings_named(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Listing]:
    """As `find_listings`, among the rows of LISTINGS."""
    by_name = {
        f"{venue}:{symbol}": Listing(listing_id, venue, symbol, currency, Decimal(tick), Decimal(lot))
        for listing_id, venue, symbol, currency, tick, lot in rows
    }
    for name in names:
        if name not in by_name:
            raise LookupError(f"instruments: expected a listing that a source of Sources.json fetches, was {name!r}")
    return [by_name[name] for name in names]


def last_closes(
    connection: Connection, listings: Sequence[Listing], *, interval: str, known_at: datetime
) -> dict[int, Decimal]:
    """The last known close by listing id; a listing without bars is absent."""
    found = last_bars(connection, listings, interval=interval, known_at=known_at)
    return {listing_id: close for listing_id, (close, _) in found.items()}


def last_bars(
    connection: Connection, listings: Sequence[Listing], *, interval: str, known_at: datetime
) -> dict[int, tuple[Decimal, datetime]]:
    """The last known close by listing id, and since when it was known; a listing without bars is absent."""
    # The array is a subquery, so that one plan serves every call: by how many listings there are a new plan looks
    # cheaper than the kept one each time, and it takes ten times as long to make as to run.
    rows = connection.execute(
        f"""
        SELECT listing.id, newest.close, newest.knowledge_time
        FROM unnest((SELECT %s::integer[])) AS listing (id)
        CROSS JOIN LATERAL (
            SELECT bar.close, bar.knowledge_time FROM {bar_table(interval)} AS bar
            WHERE bar.listing_id = listing.id AND {of_interval(interval)} AND bar.knowledge_time <= %s
            ORDER BY bar.open_time DESC LIMIT 1
        ) AS newest
        """,
        [[listing.listing_id for listing in listings], known_at],
    )
    return {listing_id: (exact(close), since) for listing_id, close, since in rows}
