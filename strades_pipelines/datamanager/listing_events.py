"""Symbol changes and delistings of Sources.json, each from when it was announced, and the universe as of a date."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg

from strades_pipelines.datamanager.checked_json import CheckError, excerpt

RENAMED = "renamed"
# The stored row that counts of an announcement is the one that was stored last.
STORE = """
    INSERT INTO records.listing_events (
        listing_id, event, symbol, occurrence, effective_at, knowledge_time, recorded_at
    )
    SELECT %(listing_id)s, %(event)s, %(symbol)s, %(occurrence)s, %(effective_at)s, %(known_at)s, %(now)s
    WHERE NOT EXISTS (
        SELECT FROM (
            SELECT effective_at FROM records.listing_events
            WHERE (listing_id, event, symbol, occurrence, knowledge_time)
                = (%(listing_id)s, %(event)s, %(symbol)s, %(occurrence)s, %(known_at)s)
            ORDER BY recorded_at DESC LIMIT 1
        ) AS stored WHERE stored.effective_at IS NOT DISTINCT FROM %(effective_at)s::timestamptz
    )
"""
UNIVERSE = """
    SELECT listing_id, venue, symbol, symbol_now, valid_from, delisted_at
    FROM records.universe(%(at)s, %(known_at)s, %(stored_at)s) ORDER BY venue, symbol
"""


@dataclass(frozen=True)
class ListingEvent:
    """What becomes of a listing, announced at `known_at`, UTC; `effective_at` None: it was called off.

    `symbol` is the one until a symbol change; empty for a delisting. `occurrence` tells the times apart that a listing
    had one symbol: another announcement of the same one puts it off, or calls it off.
    """

    event: str
    effective_at: datetime | None
    known_at: datetime
    symbol: str = ""
    occurrence: int = 1


@dataclass(frozen=True)
class Listed:
    """A listing as it was: the symbol that it had then, the one it has now, and a delisting that is known."""

    listing_id: int
    venue: str
    symbol: str
    symbol_now: str
    valid_from: datetime | None
    delisted_at: datetime | None


def store_events(
    connection: psycopg.Connection[Any], events: Iterable[tuple[int, ListingEvent]], *, now: datetime
) -> int:
    """Store what is not stored of events, by listing; how many rows that were. Commits nothing.

    An announcement that says something else now is stored beside what it said.
    """
    stored = 0
    for listing_id, event in events:
        row = {
            "listing_id": listing_id,
            "event": event.event,
            "symbol": event.symbol,
            "occurrence": event.occurrence,
            "effective_at": event.effective_at,
            "known_at": event.known_at,
            "now": now,
        }
        stored += connection.execute(STORE, row).rowcount
    return stored


def read_universe(
    connection: psycopg.Connection[Any], at: datetime, *, known_at: datetime, stored_at: datetime | None = None
) -> list[Listed]:
    """What was listed at a time, under which symbol, as far as was known at another; by venue and symbol.

    Args:
        known_at: neither a delisting nor a new symbol counts before it was announced.
        stored_at: as it was stored then; None is now.
    """
    asked = {"at": at, "known_at": known_at, "stored_at": stored_at or "infinity"}
    return [Listed(*row) for row in connection.execute(UNIVERSE, asked)]


def parse_events(
    items: Sequence[Mapping[str, Any]], where: str, time: Callable[[str, str], datetime]
) -> tuple[ListingEvent, ...]:
    """The events of an instrument of Sources.json.

    Args:
        items: as the schema has them.
        where: their path in the file.
        time: reads a text at a path as a time, UTC.

    Raises:
        CheckError: a symbol that an event must have or must not have, or an announcement that is there twice.
    """
    found: list[ListingEvent] = []
    for n, item in enumerate(items):
        at, symbol, occurrence = f"{where}[{n}]", item.get("symbol", ""), item.get("occurrence", 1)
        if (item["event"] == RENAMED) != bool(symbol):
            wanted = "the symbol until then" if item["event"] == RENAMED else "none"
            raise CheckError(f"{at}.symbol: expected {wanted} for {item['event']}, was {excerpt(symbol or 'none')}")
        if item["event"] != RENAMED and occurrence != 1:
            raise CheckError(f"{at}.occurrence: expected none for {item['event']}, was {occurrence}")
        effective_at = None if item["on"] is None else time(item["on"], f"{at}.on")
        event = ListingEvent(item["event"], effective_at, time(item["known"], f"{at}.known"), symbol, occurrence)
        if any(replace(event, effective_at=None) == replace(one, effective_at=None) for one in found):
            raise CheckError(f"{at}.known: expected an event once a time of announcement, was it again")
        found.append(event)
    return tuple(found)
