"""What happens next: the next fetch of each source, and the sessions of the markets."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dashboard.gateway.reading import is_text, read
from dashboard.gateway.sources import SourceHealth

SESSIONS = """
    SELECT calendars.calendar, s.session_date, s.open_time, s.close_time, s.is_half_day
    FROM (SELECT DISTINCT l.calendar FROM records.listings AS l) AS calendars
    CROSS JOIN LATERAL (
        SELECT * FROM records.sessions AS own
        WHERE own.calendar = calendars.calendar AND own.session_date >= %(from_day)s AND own.close_time > %(now)s
        ORDER BY own.session_date LIMIT 1
    ) AS s
    ORDER BY s.open_time, calendars.calendar
"""


@dataclass(frozen=True)
class Session:
    """The session of a calendar that is open, or opens next."""

    calendar: str
    session_date: date
    open_time: datetime
    close_time: datetime
    is_half_day: bool


@dataclass(frozen=True)
class Event:
    """Something that is due at `at` (UTC): a fetch of sources, or the opening or close of a market."""

    at: datetime
    kind: str
    names: tuple[str, ...]
    is_half_day: bool = False


def read_sessions(*, now: datetime) -> list[Session]:
    """The next session of each calendar with listings; those that never close have none. One query."""
    return read(Session, SESSIONS, now=now, from_day=(now - timedelta(days=2)).date())


def next_events(sources: Sequence[SourceHealth], sessions: Sequence[Session], *, now: datetime) -> list[Event]:
    """What is due, soonest first; sources that are fetched at the same instant are one event."""
    fetches: dict[datetime, list[str]] = {}
    for source in sources:
        if source.next_at is not None:
            fetches.setdefault(source.next_at, []).append(source.website.name)
    events = [Event(at, "fetch", tuple(names)) for at, names in fetches.items()]
    for session in sessions:
        is_open = session.open_time <= now
        at, kind = (session.close_time, "close") if is_open else (session.open_time, "open")
        events.append(Event(at, kind, (session.calendar,), session.is_half_day))
    return sorted(events, key=lambda event: (event.at, event.kind))


KINDS = ("schedule", "run", "session", "release", "intent")
ENTRIES = """
    SELECT a.kind, a.what, a.starts_at, a.ends_at, a.state, a.reference FROM ops.agenda AS a
    WHERE a.starts_at >= %(start)s AND a.starts_at < %(end)s AND a.kind = ANY(%(kinds)s)
        AND (a.starts_at, a.kind, a.what, coalesce(a.reference, '')) > (
            %(after_at)s::timestamptz, %(after_kind)s::text, %(after_what)s::text, %(after_reference)s::text
        )
    ORDER BY a.starts_at, a.kind, a.what, coalesce(a.reference, '') LIMIT %(most)s
"""


@dataclass(frozen=True)
class Entry:
    """A row of ops.agenda: a tick of a schedule, a run, a session, a release or an order that was intended."""

    kind: str
    what: str
    starts_at: datetime
    ends_at: datetime | None
    state: str
    reference: str | None

    @property
    def place(self) -> str:
        """Where it stands: later ones come after it. `parse_entry_place` reads it back."""
        return json.dumps([self.starts_at.isoformat(), self.kind, self.what, self.reference or ""])


Place = tuple[datetime, str, str, str]


def parse_entry_place(text: str) -> Place | None:
    """What `Entry.place` wrote, or None."""
    try:
        at, kind, what, reference = json.loads(text)
        instant = datetime.fromisoformat(at)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (kind, what, reference)
    if instant.tzinfo is None or not all(isinstance(one, str) and is_text(one) for one in texts):
        return None
    return instant, kind, what, reference


def read_entries(
    start: datetime, end: datetime, *, kinds: Sequence[str], after: Place | None, most: int
) -> list[Entry]:
    """The entries that begin in [start, end), oldest first; behind the place `after`. One query."""
    at, kind, what, reference = after or (start - timedelta(microseconds=1), "", "", "")
    return read(
        Entry,
        ENTRIES,
        start=start,
        end=end,
        kinds=list(kinds),
        after_at=at,
        after_kind=kind,
        after_what=what,
        after_reference=reference,
        most=most,
    )
