"""Trading sessions of the venues, from exchange_calendars, as arrays."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

ALWAYS_OPEN = "24/7"


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
    return Sessions(
        calendar=calendar,
        time_zone=str(known.tz),
        dates=dates,
        opens=_microseconds(schedule["open"].dt.tz_localize(None).to_numpy()),
        closes=_microseconds(closes.dt.tz_localize(None).to_numpy()),
        break_starts=_microseconds(schedule["break_start"].fillna(closes).dt.tz_localize(None).to_numpy()),
        break_ends=_microseconds(schedule["break_end"].fillna(closes).dt.tz_localize(None).to_numpy()),
        half_days=np.isin(dates, known.early_closes.to_numpy().astype("datetime64[D]")),
    )


def _microseconds(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return times.astype("datetime64[us]").astype(np.int64)
