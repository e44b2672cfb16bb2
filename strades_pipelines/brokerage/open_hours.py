"""When the exchanges of a replay's listings were open, for the limit `open_market_only`."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from strades_pipelines.market.instruments import Listing
from strades_pipelines.strategy.events import microseconds

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# A calendar without sessions is closed; what trades around the clock is no row.
SESSIONS = """
    SELECT l.listing_id, s.open_time, s.close_time FROM records.listings AS l
    LEFT JOIN records.sessions AS s
        ON l.calendar = s.calendar AND s.close_time > '{start}'::timestamptz AND s.open_time < '{end}'::timestamptz
    WHERE l.listing_id IN ({listings}) AND l.calendar <> '24/7'
    ORDER BY l.listing_id, s.open_time
"""


@dataclass(frozen=True)
class OpenHours:
    """Sessions by the index of a listing, in order: [opens, closes) in microseconds UTC. One without is always open."""

    sessions: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)

    def is_closed(self, i: int, time: int) -> bool:
        """Whether the exchange of a listing has no session at a time, in microseconds UTC."""
        sessions = self.sessions.get(i)
        if sessions is None:
            return False
        place = bisect_right(sessions, time, key=lambda session: session[0])
        return place == 0 or time >= sessions[place - 1][1]


def read_open_hours(cursor: "Cursor", listings: Sequence[Listing], *, start: datetime, end: datetime) -> OpenHours:
    """The sessions in [start, end) of each listing's exchange."""
    ids = [listing.listing_id for listing in listings]
    cursor.execute(SESSIONS.format(start=start.isoformat(), end=end.isoformat(), listings=", ".join(map(str, ids))))
    sessions: dict[int, list[tuple[int, int]]] = {}
    for listing_id, opens, closes in cursor.fetchall():
        known = sessions.setdefault(ids.index(listing_id), [])
        if opens is not None:
            known.append((microseconds(opens), microseconds(closes)))
    return OpenHours(sessions)
