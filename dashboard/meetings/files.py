"""Events as iCalendar files (RFC 5545), by the library `icalendar`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dashboard.bad_files import FileRefused
from dashboard.community.plain_text import readable
from dashboard.meetings.models import Meeting
from dashboard.meetings.recurrence import RuleRefused, parse_rule, with_end

MOST_EVENTS, LONGEST_UID, LONGEST_TITLE, LONGEST_TEXT = 200, 200, 100, 4000
LONGEST = timedelta(days=31)
FIRST_YEAR, LAST_YEAR = 2000, 2100
AS_OF = "X-STRADES-AS-OF"  # the time that an event pins, for another installation
# Parts of a repeat that an event here cannot have.
UNKNOWN = ("EXDATE", "RDATE", "RECURRENCE-ID", "EXRULE")


@dataclass(frozen=True)
class Draft:
    """An event of a file, checked. Times are UTC."""

    uid: str
    title: str
    text: str
    starts_at: datetime
    ends_at: datetime
    zone: str
    rule: str
    as_of: datetime | None


def write_events(meetings: Iterable[tuple[Meeting, int | None]], *, now: datetime) -> bytes:
    """The file of events, each with the minutes before it of a reminder, or None. Repeats stay rules."""
    from icalendar import Alarm, Calendar, Event, vRecur

    calendar = Calendar()
    calendar.add("prodid", "-//Strades//Events//EN")
    calendar.add("version", "2.0")
    for meeting, reminder in meetings:
        place, event = ZoneInfo(meeting.zone), Event()
        event.add("uid", meeting.uid)
        event.add("dtstamp", now)
        event.add("dtstart", meeting.starts_at.astimezone(place))
        event.add("dtend", meeting.ends_at.astimezone(place))
        event.add("summary", meeting.title)
        event.add("description", meeting.text)
        if meeting.rule:
            event.add("rrule", vRecur.from_ical(meeting.rule))
        if meeting.called_off:
            event.add("exdate", [datetime.fromisoformat(text).astimezone(place) for text in meeting.called_off])
        if meeting.as_of:
            event.add(AS_OF, meeting.as_of.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"))
        if reminder is not None:
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", meeting.title)
            alarm.add("trigger", timedelta(minutes=-reminder))
            event.add_component(alarm)
        calendar.add_component(event)
    calendar.add_missing_timezones()
    return bytes(calendar.to_ical())


def read_events(body: bytes) -> tuple[list[Draft], int]:
    """The events of a file, and how many were left out: too long, without a time or a known zone, or with a repeat that
    none here can have.

    Raises:
        FileRefused: it is no calendar, or has more than MOST_EVENTS events.
    """
    from icalendar import Calendar

    try:
        calendars = Calendar.from_ical(_without_zones(body), multiple=True)
        found = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise FileRefused("iCalendar") from error
    if not 1 <= len(found) <= MOST_EVENTS:
        raise FileRefused("iCalendar")
    drafts = [draft for event in found if (draft := _draft(event)) is not None]
    return drafts, len(found) - len(drafts)


def _without_zones(body: bytes) -> str:
    """The lines of a file without its own definitions of time zones (VTIMEZONE).

    icalendar works their changes out one by one, which takes minutes for one of each second, and knows them by name in
    the files of others too: a zone is one that has an IANA or a Windows name.
    """
    from icalendar.parser import Contentlines

    kept, is_zone = [], False
    for line in Contentlines.from_ical(body):  # type: ignore[no-untyped-call]
        name, value = "", ""
        if "VTIMEZONE" in line.upper():
            name, _parameters, value = line.parts()
        if value.upper() == "VTIMEZONE" and name.upper() in ("BEGIN", "END"):
            is_zone = name.upper() == "BEGIN"
        elif not is_zone:
            kept.append(line)
    return "\r\n".join(kept)


def _draft(event: Any) -> Draft | None:
    try:
        begins = event.decoded("DTSTART")
        ends = event.decoded("DTEND") if "DTEND" in event else begins + event.decoded("DURATION", timedelta())
        rule = parse_rule(event["RRULE"].to_ical().decode()) if "RRULE" in event else ""
        as_of = str(event.get(AS_OF, ""))
        pinned = datetime.strptime(as_of, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if as_of else None
        starts_at, ends_at = _instant(begins), _instant(ends)
        rule = with_end(rule, starts_at, _zone(begins))
        has_zones = all(_has_known_zone(event[name]) for name in ("DTSTART", "DTEND") if name in event)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RuleRefused):
        return None
    title, uid = readable(str(event.get("SUMMARY", "")))[:LONGEST_TITLE], readable(str(event.get("UID", "")))
    fits = FIRST_YEAR <= starts_at.year <= LAST_YEAR and timedelta() <= ends_at - starts_at <= LONGEST
    if not (title and uid and fits and has_zones) or len(uid) > LONGEST_UID or any(name in event for name in UNKNOWN):
        return None
    text = readable(str(event.get("DESCRIPTION", "")))[:LONGEST_TEXT]
    return Draft(uid, " ".join(title.split()), text, starts_at, ends_at, _zone(begins), rule, pinned)


def _has_known_zone(value: Any) -> bool:
    """Whether the zone that a time names, if any, is known here."""
    return not isinstance(value.dt, datetime) or value.dt.tzinfo is not None or "TZID" not in value.params


def _instant(value: date | datetime) -> datetime:
    """A time of a file in UTC; a day begins at midnight, and a time without a zone is one of UTC."""
    at = value if isinstance(value, datetime) else datetime.combine(value, time())
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _zone(value: date | datetime) -> str:
    """The IANA name of a time's zone; UTC where it has none that is known here."""
    name = str(getattr(getattr(value, "tzinfo", None), "key", "UTC"))
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return "UTC"
    return name
