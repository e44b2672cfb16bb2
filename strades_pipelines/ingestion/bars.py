"""When a bar opens and closes: by the clock where the venue never closes, by the venue's sessions where it does."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.datamanager.calendars import ALWAYS_OPEN, CalendarError, Sessions, sessions
from strades_pipelines.datamanager.intervals import interval_seconds
from strades_pipelines.datamanager.protocols import ProtocolError

Times = NDArray[np.int64]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_SECONDS = 86_400
OLDEST_YEAR, USUAL_YEAR = 1962, 1990
LATEST = 4 * 3_600_000_000  # microseconds by which a session may begin after the usual opening


class GivenError(ProtocolError):
    """What was given with a body (symbol, interval, calendar) is missing or cannot be used; one line."""


@dataclass(frozen=True)
class Bars:
    """Open and exclusive close of each bar, microseconds since the epoch; `misfit` bars do not lie on the grid."""

    opens: Times
    closes: Times
    misfit: NDArray[np.bool_]


def bar_times(stamps: Times, *, interval: str, calendar: str, time_zone: str | None, last_year: int) -> Bars:
    """The bars that providers' stamps mean.

    A stamp is a bar's first instant. Of a daily bar of a venue that closes it may also be midnight of the session's
    date, also where the session opened the evening before, or a clock at which the venue opens on other days. Any
    other instant of the day may be midnight elsewhere, of another date. Bars of a part of a day are counted from the
    opening, and again from the end of the lunch break.

    Args:
        time_zone: whose dates daily stamps have; the calendar's own where None.

    Raises:
        GivenError: an interval or a calendar that cannot be used.
    """
    try:
        seconds = interval_seconds(interval)
    except ValueError as error:
        raise GivenError(str(error)) from None
    step = seconds * 1_000_000
    if calendar == ALWAYS_OPEN:
        # Grid of the clock: without sessions a bar begins at a multiple of its length since 1970.
        return Bars(stamps, stamps + step, stamps % step != 0)
    known = known_sessions(calendar, stamps, last_year)
    if seconds < DAY_SECONDS:
        return _within_sessions(stamps, step, known)
    if seconds > DAY_SECONDS:
        raise GivenError(f"expected an interval of at most 1d for the calendar {calendar}, was {interval}")
    found = session_of(stamps, known, time_zone)
    row = np.maximum(found, 0)
    other = stamps != known.opens[row]
    if other.any():
        other[other] = ~_labels_a_day(stamps[other], known.opens[row[other]], known, time_zone)
    return Bars(known.opens[row], known.closes[row], (found < 0) | other)


def _labels_a_day(stamps: Times, opens: Times, known: Sessions, time_zone: str | None) -> NDArray[np.bool_]:
    """Whether each stamp is midnight in its zone; or the venue's own, or a usual opening of it, before that of its day.

    Providers write today's opening for years in which, and days on which, the venue opened later. A session of the
    evening (Bombay's Muhurat) is none that opened late.
    """
    clocks = _clocks(stamps, known.time_zone)
    opened_late = np.isin(clocks, _opening_clocks(known)) & (opens - stamps < LATEST)
    usual = (stamps < opens) & ((clocks == 0) | opened_late)
    return np.asarray(usual | at_midnight(stamps, time_zone or known.time_zone))


def _opening_clocks(known: Sessions) -> NDArray[np.int64]:
    """The clocks at which a venue has opened, seconds since midnight: of each, some session of its distinct ones."""
    dates = known.dates.astype("datetime64[us]").astype(np.int64)
    distances = np.unique(known.opens - dates, return_index=True)[1]  # few: summer, winter and special days
    return np.unique(_clocks(known.opens[distances], known.time_zone))


def _clocks(stamps: Times, time_zone: str) -> NDArray[np.int64]:
    """What a zone's clocks show at each instant, seconds since midnight."""
    zone = ZoneInfo(time_zone)
    # One by one, as NumPy knows no time zones.
    local = [(EPOCH + timedelta(microseconds=stamp)).astimezone(zone) for stamp in stamps.tolist()]
    return np.array([3600 * time.hour + 60 * time.minute + time.second for time in local], np.int64)


def known_sessions(calendar: str, stamps: Times, last_year: int) -> Sessions:
    """The sessions of a calendar up to the end of a year, far enough back for the stamps.

    Raises:
        GivenError: there is no such calendar.
    """
    oldest = EPOCH + timedelta(microseconds=int(stamps.min(initial=0))) if len(stamps) else EPOCH
    try:
        # Most bodies begin after 1990: sessions from 1962 on are made only where they are asked for.
        return sessions(calendar, USUAL_YEAR if oldest.year >= USUAL_YEAR else OLDEST_YEAR, last_year)
    except CalendarError as error:
        raise GivenError(str(error)) from None


def session_of(stamps: Times, known: Sessions, time_zone: str | None) -> NDArray[np.int64]:
    """The row of the session on each stamp's local date; -1 where the venue was closed that day."""
    exact = np.searchsorted(known.opens, stamps)
    exact = np.minimum(exact, len(known.opens) - 1)
    found = np.where(known.opens[exact] == stamps, exact, -1)
    others = np.flatnonzero(found < 0)
    if len(others):
        dates = local_dates(stamps[others], time_zone or known.time_zone)
        row = np.minimum(np.searchsorted(known.dates, dates), len(known.dates) - 1)
        found[others] = np.where(known.dates[row] == dates, row, -1)
    return found


def local_dates(stamps: Times, time_zone: str) -> NDArray[np.datetime64]:
    """The local date of each instant.

    Raises:
        GivenError: no such time zone.
    """
    try:
        zone = ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise GivenError(f"expected a time zone such as Europe/Berlin, was {time_zone[:40]!r}") from None
    days = [(EPOCH + timedelta(microseconds=stamp)).astimezone(zone).date() for stamp in stamps.tolist()]
    return np.array(days, "datetime64[D]")


def at_midnight(stamps: Times, time_zone: str) -> NDArray[np.bool_]:
    """Whether each instant is the first of a local date."""
    return np.asarray(at_local_time(local_dates(stamps, time_zone), "00:00", time_zone) == stamps)


def at_local_time(dates: NDArray[np.datetime64], clock: str, time_zone: str) -> Times:
    """The instant, in microseconds, at which clocks of a zone show `clock` (HH:MM) on each date."""
    days, inverse = np.unique(dates.astype("datetime64[D]"), return_inverse=True)
    zone = ZoneInfo(time_zone)
    hour, minute = map(int, clock.split(":"))
    # `datetime` with a ZoneInfo takes the offset of that date, so that a change of clocks between two dates counts.
    local = [datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone) for day in days.tolist()]
    return np.array([(time - EPOCH) // timedelta(microseconds=1) for time in local], np.int64)[inverse]


def _within_sessions(stamps: Times, step: int, known: Sessions) -> Bars:
    row = np.maximum(np.searchsorted(known.opens, stamps, side="right") - 1, 0)
    behind = stamps >= known.break_ends[row]
    first = np.where(behind, known.break_ends[row], known.opens[row])
    end = np.where(behind, known.closes[row], known.break_starts[row])
    since = stamps - first
    # The last bar of a session may be shorter than its interval: it ends with the session.
    return Bars(stamps, np.minimum(stamps + step, end), (since < 0) | (stamps >= end) | (since % step != 0))
