"""Dates of feeds: RFC 822 as in RSS, RFC 3339 and W3CDTF as in Atom, RDF and JSON Feed.

A date counts only if all of it is understood, its zone too. What libraries guess of the rest (day and month swapped, an
unknown zone taken for UTC, a missing time of day for midnight) makes news known hours or years before they were there.
"""

import re
from datetime import UTC, datetime, timedelta

# RFC 822 5.1 and RFC 2822 4.3, in hours from UTC. RFC 2822 calls the other military letters unusable. CET, HST or IST
# are in neither, and several zones share such names; UTC is in neither, but means one thing.
ZONE_HOURS = {"UT": 0, "UTC": 0, "GMT": 0, "Z": 0} | {"EST": -5, "EDT": -4, "CST": -6, "CDT": -5} | {
    "MST": -7, "MDT": -6, "PST": -8, "PDT": -7
}  # fmt: skip
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WESTERNMOST, EASTERNMOST = timedelta(hours=-12), timedelta(hours=14)

CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,30}))?)?"
ZONE = rf"(?P<zone>[+-]\d\d:?\d\d|{'|'.join(ZONE_HOURS)})"
RFC_822 = re.compile(
    rf"(?:(?:{'|'.join(WEEKDAYS)}),\s*)?"
    rf"(?P<day>\d\d?)\s+(?P<month_name>{'|'.join(MONTHS)})\s+(?P<year>\d{{4}}|\d\d)\s+{CLOCK}\s*{ZONE}",
    re.ASCII | re.IGNORECASE,
)
ISO_8601 = re.compile(rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)[T ]{CLOCK} ?{ZONE}", re.ASCII | re.IGNORECASE)


def read_feed_date(text: str) -> datetime | None:
    """The instant that a date of a feed states, in UTC, or None where a part of it is not understood.

    A date without a time or zone is None: it ends at another instant in each zone. So is a leap second. A weekday that
    is not the date's changes nothing: the date says the day. A fraction is rounded up to the microsecond.
    """
    # Both patterns match the whole text: `search` would read a date out of a sentence.
    found = RFC_822.fullmatch(text.strip()) or ISO_8601.fullmatch(text.strip())
    if found is None:
        return None
    parts = {name: part.lower() for name, part in found.groupdict().items() if part is not None}
    month = MONTHS.index(parts["month_name"]) + 1 if "month_name" in parts else int(parts["month"])
    day, hour, minute, second = (int(parts.get(name, "0")) for name in ("day", "hour", "minute", "second"))
    try:
        local = datetime(_full_year(parts["year"]), month, day, hour, minute, second, tzinfo=UTC)
        return local + _fraction(parts.get("fraction", "")) - _offset(parts["zone"])
    except (ValueError, OverflowError):
        return None


def _full_year(digits: str) -> int:
    """RFC 2822 4.3: two digits from 50 are of the 1900s, others of the 2000s, whatever year it is now."""
    year = int(digits)
    return year if len(digits) == 4 else year + (1900 if year >= 50 else 2000)


def _fraction(digits: str) -> timedelta:
    # Rounded up: a time cut to microseconds would let news be known before it was out.
    return timedelta(microseconds=int(digits[:6].ljust(6, "0")) + bool(digits[6:].strip("0")))


def _offset(zone: str) -> timedelta:
    """Local time minus UTC. -0000 and -00:00 are UTC as told by a clock of unknown zone (RFC 2822 3.3, RFC 3339 4.3).

    Raises:
        ValueError: no clock on Earth is so far from UTC.
    """
    if zone[0] not in "+-":
        return timedelta(hours=ZONE_HOURS[zone.upper()])
    size = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    offset = -size if zone[0] == "-" else size
    if not WESTERNMOST <= offset <= EASTERNMOST or int(zone[-2:]) >= 60:
        raise ValueError(f"expected an offset of a zone, was {zone}")
    return offset
