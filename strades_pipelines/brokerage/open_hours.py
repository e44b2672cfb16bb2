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
    SELECT l.listing_id, s.open_time, s.close_time, s.break_start, s.break_end FROM records.listings AS l
    LEFT JOIN records.sessions AS s
        ON l.calendar = s.calendar AND s.close_time > '{start}'::timestamptz AND s.open_time < '{end}'::timestamptz
    WHERE l.listing_id IN ({listings}) AND l.calendar <> '24/7'
    ORDER BY l.listing_id, s.open_time
"""


@dataclass(frozen=True)
class OpenHours:
    """When a listing trades, by its index, in order: [opens, closes) in microseconds UTC. One without is always open.

    A session with a lunch break is two stretches.
    """

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
    for listing_id, opens, closes, leaves, returns in cursor.fetchall():
        known = sessions.setdefault(ids.index(listing_id), [])
        stretches = [(opens, closes)] if leaves is None else [(opens, leaves), (returns, closes)]
        if opens is not None:
            known += [(microseconds(begin), microseconds(end)) for begin, end in stretches]
    return OpenHours(sessions)
