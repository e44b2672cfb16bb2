"""Writes iCalendar (RFC 5545): lines of at most 75 octets that end with CRLF, text escaped, times in UTC."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

LINE_OCTETS = 75
PRODUCT = "-//Strades//Agenda//EN"


@dataclass(frozen=True)
class CalendarEvent:
    """An entry of a calendar; without `ends_at` it takes no time. `uid` is the same each time it is written."""

    uid: str
    starts_at: datetime
    ends_at: datetime | None
    summary: str
    description: str
    category: str


def write_calendar(events: Iterable[CalendarEvent], *, name: str, now: datetime) -> bytes:
    """The whole file, UTF-8. `now` is when it was written."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{escape(name)}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
    ]
    for event in events:
        lines += _event_lines(event, now)
    lines.append("END:VCALENDAR")
    return b"".join(piece + b"\r\n" for line in lines for piece in fold(line))


def _event_lines(event: CalendarEvent, now: datetime) -> list[str]:
    # An end has to be later than its beginning (section 3.8.2.2).
    ends = [f"DTEND:{_instant(event.ends_at)}"] if event.ends_at and event.ends_at > event.starts_at else []
    return [
        "BEGIN:VEVENT",
        f"UID:{escape(event.uid)}",
        f"DTSTAMP:{_instant(now)}",
        f"DTSTART:{_instant(event.starts_at)}",
        *ends,
        f"SUMMARY:{escape(event.summary)}",
        f"DESCRIPTION:{escape(event.description)}",
        f"CATEGORIES:{escape(event.category)}",
        # It makes nobody busy.
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def escape(text: str) -> str:
    """Text as a value of the type TEXT: no character of it can end the line or the value (section 3.3.11)."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    plain = "".join(letter for letter in plain if letter == "\n" or (letter >= " " and letter != "\x7f"))
    return plain.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def fold(line: str) -> Iterator[bytes]:
    """A line in pieces of at most 75 octets, each after the first begins with a blank (section 3.1)."""
    piece = b""
    for letter in line:
        # A lone surrogate is no UTF-8.
        octets = letter.encode("utf-8", "replace")
        # By letters: no cut falls inside of one.
        if len(piece) + len(octets) > LINE_OCTETS:
            yield piece
            piece = b" "
        piece += octets
    yield piece


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"
