"""Trading sessions of the venues, from exchange_calendars, as arrays."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

ALWAYS_OPEN = "24/7"
# Sessions that exchange_calendars leaves out, by the exchange's clock: Bombay's Muhurat trading, an hour on the day of
# Diwali's Laxmi Puja, whose day is a holiday or a day of a weekend otherwise. Its notices announce them each year. The
# hours of 2018 and 2022 were compared with publications, the others are written down without the notice at hand.
SPECIAL_SESSIONS = {
    "XBOM": (
        ("2018-11-07", "17:30", "18:30"),
        ("2019-10-27", "18:15", "19:15"),
        ("2020-11-14", "18:15", "19:15"),
        ("2021-11-04", "18:15", "19:15"),
        ("2022-10-24", "18:15", "19:15"),
        ("2023-11-12", "18:15", "19:15"),
        ("2024-11-01", "18:00", "19:00"),
        ("2025-10-21", "13:45", "14:45"),
    )
}


@dataclass(frozen=True)
class Sessions:
    """The sessions of a calendar, in order, one a row.

    `dates` are the venue's own (datetime64[D]); all times microseconds since the epoch, UTC. A session without a lunch
    break has it at its close, of no length.
    """

    calendar: str
    time_zone: str
    dates: NDArray[np.datetime64]
    opens: NDArray[np.int64]
    closes: NDArray[np.int64]
    break_starts: NDArray[np.int64]
    break_ends: NDArray[np.int64]
    half_days: NDArray[np.bool_]

    def stretches(self) -> list[tuple[int, int]]:
        """When it trades: [opens, closes), in order, two a session with a lunch break."""
        mornings = zip(self.opens.tolist(), self.break_starts.tolist(), strict=True)
        afternoons = zip(self.break_ends.tolist(), self.closes.tolist(), strict=True)
        both = (stretch for session in zip(mornings, afternoons, strict=True) for stretch in session)
        return [(opens, closes) for opens, closes in both if opens < closes]


class CalendarError(ValueError):
    """No calendar has that name; one line."""


@cache
def sessions(calendar: str, first_year: int, last_year: int) -> Sessions:
    """The sessions of whole years, first and last included, as far as they are known. `24/7` has none: it never closes.

    exchange_calendars knows most calendars for ever, Tokyo's since 1997, Shanghai's since 1990: nothing is known of the
    days before.

    Raises:
        CalendarError: exchange_calendars does not know the name, or none of the years.
    """
    if calendar == ALWAYS_OPEN:
        raise CalendarError(f"expected a calendar with sessions, was {ALWAYS_OPEN}")
    import exchange_calendars

    first, last = f"{first_year}-01-01", f"{last_year}-12-31"
    try:
        try:
            known = exchange_calendars.get_calendar(calendar, start=first, end=last)
        except ValueError:  # it begins later or ends earlier than that; its class knows when
            bounds = exchange_calendars.get_calendar(calendar)
            begin, end = bounds.bound_min(), bounds.bound_max()
            first = first if begin is None else max(first, f"{begin:%Y-%m-%d}")
            last = last if end is None else min(last, f"{end:%Y-%m-%d}")
            known = exchange_calendars.get_calendar(calendar, start=first, end=last)
    except (exchange_calendars.errors.InvalidCalendarName, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CalendarError(f"expected a calendar of exchange_calendars, was {calendar!r} ({reason})") from None
    schedule = known.schedule
    dates = schedule.index.to_numpy().astype("datetime64[D]")
    closes = schedule["close"]
    usual = Sessions(
        calendar=calendar,
        time_zone=str(known.tz),
        dates=dates,
        opens=_microseconds(schedule["open"].dt.tz_localize(None).to_numpy()),
        closes=_microseconds(closes.dt.tz_localize(None).to_numpy()),
        break_starts=_microseconds(schedule["break_start"].fillna(closes).dt.tz_localize(None).to_numpy()),
        break_ends=_microseconds(schedule["break_end"].fillna(closes).dt.tz_localize(None).to_numpy()),
        half_days=np.isin(dates, known.early_closes.to_numpy().astype("datetime64[D]")),
    )
    special = [row for row in SPECIAL_SESSIONS.get(calendar, ()) if first <= row[0] <= last]
    return _with_special(usual, [row for row in special if np.datetime64(row[0]) not in dates])


def calendar_source(calendar: str) -> str:
    """What the sessions of a calendar are made by; another text where they may have changed."""
    special = len(SPECIAL_SESSIONS.get(calendar, ()))
    library = f"exchange_calendars {version('exchange_calendars')}"
    return f"{library} and {special} special sessions" if special else library


def _with_special(known: Sessions, added: Iterable[tuple[str, str, str]]) -> Sessions:
    """The sessions with those of `added`: date, opening and close by the venue's clock."""
    zone = ZoneInfo(known.time_zone)
    for day, *clocks in added:
        opens, closes = (
            int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).timestamp()) * 1_000_000
            for clock in clocks
        )
        at = int(np.searchsorted(known.dates, np.datetime64(day)))
        known = replace(
            known,
            dates=np.insert(known.dates, at, np.datetime64(date.fromisoformat(day))),
            opens=np.insert(known.opens, at, opens),
            closes=np.insert(known.closes, at, closes),
            break_starts=np.insert(known.break_starts, at, closes),
            break_ends=np.insert(known.break_ends, at, closes),
            half_days=np.insert(known.half_days, at, False),
        )
    return known


def _microseconds(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return times.astype("datetime64[us]").astype(np.int64)
