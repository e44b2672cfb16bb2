"""Bars where clocks change and calendars turn: by the zones' own rules (zoneinfo) and hours that exchanges publish."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.datamanager.ask import Span
from strades_pipelines.datamanager.request_windows import month_start, request_bounds
from strades_pipelines.ingestion.bars import Bars, at_local_time, bar_times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Calendar, zone, opening and close by the exchange's clock, and the day of the first full week that is tried.
VENUES = {
    "XNYS": ("America/New_York", time(9, 30), time(16)),
    "XPAR": ("Europe/Paris", time(9), time(17, 30)),
    "XLON": ("Europe/London", time(8), time(16, 30)),
}
YEARS = range(2012, 2027)


def sunday(year: int, month: int, number: int) -> date:
    """The Sunday of that number in a month; -1 is the last."""
    days = [date(year, month, day) for day in range(1, 32) if day <= 28 or (month, day) not in ((11, 31), (2, 29))]
    return [day for day in days if day.weekday() == 6][number]


def changes(calendar: str) -> list[date]:
    """The Sundays on which clocks change: by the law of the United States since 2007, and of the European Union."""
    american = calendar == "XNYS"
    spring = [sunday(year, 3, 1 if american else -1) for year in YEARS]
    return spring + [sunday(year, 11, 0) if american else sunday(year, 10, -1) for year in YEARS]


def ticks(day: date, clock: time, zone: str) -> int:
    """What a clock shows on a day, in microseconds since the epoch."""
    return (datetime.combine(day, clock, ZoneInfo(zone)) - EPOCH) // MICROSECOND


def bars(stamps: list[int], interval: str, calendar: str, zone: str | None = None) -> Bars:
    """The bars of stamps."""
    return bar_times(np.array(stamps), interval=interval, calendar=calendar, time_zone=zone, last_year=2026)


def weekdays(calendar: str) -> list[date]:
    """The weekdays of the two weeks around each change, but for those on which the exchange was closed (Easter)."""
    days = [day + timedelta(n) for day in changes(calendar) for n in range(-6, 6) if (day + timedelta(n)).weekday() < 5]
    known = bars([ticks(day, VENUES[calendar][1], VENUES[calendar][0]) for day in days], "1d", calendar)
    open_ = [day for day, misfit in zip(days, known.misfit, strict=True) if not misfit]
    assert len(open_) > 0.95 * len(days)
    return open_


@pytest.mark.parametrize("calendar", VENUES)
def test_9_a_day_opens_and_closes_by_the_exchanges_clock_on_both_sides_of_a_change(calendar: str) -> None:
    zone, opening, closing = VENUES[calendar]
    days = weekdays(calendar)
    opens, closes = ([ticks(day, clock, zone) for day in days] for clock in (opening, closing))
    # labelled by the opening, by midnight there, and by midnight of the date in UTC: the same session
    midnights = [ticks(day, time(0), zone) for day in days]
    for stamps, labels_zone in (
        (opens, None),
        (midnights, None),
        ([ticks(day, time(0), "UTC") for day in days], "UTC"),
    ):
        found = bars(stamps, "1d", calendar, labels_zone)
        assert not found.misfit.any()
        assert found.opens.tolist() == opens
        assert found.closes.tolist() == closes
    # an hour late or early by the clock of the week before is another instant
    wrong = bars([stamp + 3_600_000_000 for stamp in opens], "1d", calendar)
    assert wrong.misfit.all()


@pytest.mark.parametrize("calendar", VENUES)
@pytest.mark.parametrize("interval", ["1m", "30m", "1h"])
def test_9_bars_of_a_session_fill_it_without_a_hole_on_both_sides_of_a_change(calendar: str, interval: str) -> None:
    zone, opening, closing = VENUES[calendar]
    step = {"1m": 1, "30m": 30, "1h": 60}[interval] * 60_000_000
    for day in weekdays(calendar)[:: 40 if interval == "1m" else 8]:
        first, last = ticks(day, opening, zone), ticks(day, closing, zone)
        found = bars(list(range(first, last, step)), interval, calendar)
        assert not found.misfit.any()
        assert found.opens[0] == first
        assert found.closes[-1] == last
        assert found.closes[:-1].tolist() == found.opens[1:].tolist()
        assert bars([first - step, last], interval, calendar).misfit.all()


def test_9_tokyo_and_bombay_do_not_change_their_clocks_and_have_their_own_hours() -> None:
    # The Tokyo Stock Exchange has a lunch break, and closes at 15:30 since 5 November 2024, before at 15:00.
    for day, closing in (
        (date(2024, 3, 11), time(15)),
        (date(2024, 11, 1), time(15)),
        (date(2024, 11, 5), time(15, 30)),
    ):
        found = bars([ticks(day, time(9), "Asia/Tokyo")], "1d", "XTKS")
        assert (found.closes[0], found.misfit[0]) == (ticks(day, closing, "Asia/Tokyo"), False)
        lunch = [ticks(day, time(11, 30), "Asia/Tokyo"), ticks(day, time(12), "Asia/Tokyo")]
        assert bars(lunch, "30m", "XTKS").misfit.all()
        assert not bars([ticks(day, time(12, 30), "Asia/Tokyo")], "30m", "XTKS").misfit.any()
    for day in (date(2024, 3, 11), date(2024, 11, 4), date(2024, 2, 29)):  # Bombay: 9:15 to 15:30 all year
        found = bars([ticks(day, time(9, 15), "Asia/Kolkata")], "1d", "XBOM")
        assert (found.closes[0], found.misfit[0]) == (ticks(day, time(15, 30), "Asia/Kolkata"), False)
    # The first of the year in Tokyo is no session
    assert bars([ticks(date(2024, 1, 1), time(9), "Asia/Tokyo")], "1d", "XTKS").misfit.all()


# As the exchange announced them: Diwali's Laxmi Puja, whose day is a holiday, or of a weekend (2019, 2020, 2023).
MUHURAT = {
    date(2018, 11, 7): (time(17, 30), time(18, 30)),
    date(2019, 10, 27): (time(18, 15), time(19, 15)),
    date(2020, 11, 14): (time(18, 15), time(19, 15)),
    date(2022, 10, 24): (time(18, 15), time(19, 15)),
    date(2024, 11, 1): (time(18), time(19)),
}


@pytest.mark.parametrize("day", MUHURAT)
def test_9_muhurat_trading_in_bombay_is_a_session_of_an_evening(day: date) -> None:
    zone, (opening, closing) = "Asia/Kolkata", MUHURAT[day]
    first, last = ticks(day, opening, zone), ticks(day, closing, zone)
    for label in (first, ticks(day, time(0), zone)):
        found = bars([label], "1d", "XBOM")
        assert (found.opens[0], found.closes[0], found.misfit[0]) == (first, last, False)
    quarters = bars(list(range(first, last, 15 * 60_000_000)), "15m", "XBOM")
    assert not quarters.misfit.any()
    assert (quarters.opens[0], quarters.closes[-1]) == (first, last)
    # neither is there a morning, nor an evening on the day before or after
    assert bars([ticks(day, time(9, 15), zone)], "1d", "XBOM").misfit.all()
    assert bars([ticks(day, time(9, 15), zone), last], "15m", "XBOM").misfit.all()
    others = [ticks(day + timedelta(n), opening, zone) for n in (-1, 1)]
    assert bars(others, "15m", "XBOM").misfit.all()


# The last session of each quarter in New York, as the exchange's calendars have them: 29 March 2024 was Good Friday.
QUARTER_ENDS = (
    (date(2012, 3, 30), date(2012, 4, 2)),
    (date(2012, 6, 29), date(2012, 7, 2)),
    (date(2012, 9, 28), date(2012, 10, 1)),
    (date(2012, 12, 31), date(2013, 1, 2)),
    (date(2024, 3, 28), date(2024, 4, 1)),
    (date(2024, 6, 28), date(2024, 7, 1)),
    (date(2024, 9, 30), date(2024, 10, 1)),
    (date(2024, 12, 31), date(2025, 1, 2)),
)


@pytest.mark.parametrize(("last", "first"), QUARTER_ENDS)
def test_9_the_last_bar_of_a_quarter_is_followed_by_the_first_of_the_next(last: date, first: date) -> None:
    zone, opening, closing = VENUES["XNYS"]
    found = bars([ticks(day, time(0), zone) for day in (last, first)], "1d", "XNYS")
    assert not found.misfit.any()
    assert found.closes[0] == ticks(last, closing, zone)
    assert found.opens[1] == ticks(first, opening, zone)
    between = [last + timedelta(n) for n in range(1, (first - last).days)]
    assert bars([ticks(day, time(0), zone) for day in between], "1d", "XNYS").misfit.all()
    month = date(first.year, first.month, 1)  # of the calendar
    [before] = request_bounds(Span(calendar="month"), step_seconds=60, start=midnight(last), end=midnight(last, 1))
    assert before[1] == midnight(month)
    days = bars([ticks(month + timedelta(n), time(0), "UTC") for n in (-1, 0)], "1d", "24/7")
    assert days.closes[0] == days.opens[1] == ticks(month, time(0), "UTC")


def midnight(day: date, hours: int = 0) -> datetime:
    """An hour of a day in UTC."""
    return datetime(day.year, day.month, day.day, hours, tzinfo=UTC)


DAYS = st.dates(date(2008, 1, 1), date(2026, 11, 20))
TURNS = st.sampled_from(
    [date(year, month, 1) for year in range(2009, 2026) for month in range(1, 13)]
    + [date(year, 2, 29) for year in (2012, 2016, 2020, 2024)]
)


@given(st.one_of(DAYS, TURNS))
def test_9_days_around_the_clock_follow_each_other_over_leap_days_and_ends_of_months(day: date) -> None:
    days = [day + timedelta(n) for n in range(-2, 3)]
    stamps = [ticks(each, time(0), "UTC") for each in days]
    found = bars(stamps, "1d", "24/7")
    assert not found.misfit.any()
    assert found.closes[:-1].tolist() == found.opens[1:].tolist()
    assert {int(length) for length in found.closes - found.opens} == {86_400_000_000}


@given(st.one_of(DAYS, TURNS), st.sampled_from(["America/New_York", "Europe/Paris", "Europe/London", "Asia/Tokyo"]))
def test_9_a_local_time_is_known_at_its_own_instant_on_days_of_23_and_25_hours(day: date, zone: str) -> None:
    [found] = at_local_time(np.array([day], "datetime64[D]"), "18:00", zone)
    wanted = datetime.combine(day, time(18), ZoneInfo(zone))
    assert EPOCH + int(found) * MICROSECOND == wanted


@given(st.one_of(DAYS, TURNS), st.integers(1, 900), st.sampled_from(["day", "month", "year"]))
def test_9_chunks_of_the_calendar_have_no_hole_and_begin_where_days_months_and_years_do(
    day: date, length: int, unit: str
) -> None:
    start = datetime(day.year, day.month, day.day, 7, 30, tzinfo=UTC)
    end = start + timedelta(days=length)
    cells = list(request_bounds(Span(calendar=unit), step_seconds=60, start=start, end=end))
    assert cells[0][0] <= start < cells[0][1]
    assert cells[-1][0] < end <= cells[-1][1]
    assert all(before[1] == after[0] for before, after in pairwise(cells))
    for first, _ in cells:
        assert first.time() == time(0)
        assert unit == "day" or first == month_start(first)
        assert unit != "year" or first.month == 1
