import numpy as np
import pytest

from strades_pipelines.analysis.arrays import DAY, SECOND, Ints
from strades_pipelines.analysis.periods import daily, days_per_year, periods_per_year, years
from tests.analysis.series import business_days, calendar_days, micros

HOUR = 3600 * SECOND


def within(days: Ints, first: int, count: int, step: int) -> Ints:
    """Valuations on each day: `count`, the first at `first` after midnight, `step` apart."""
    return (days[:, np.newaxis] // DAY * DAY + first + step * np.arange(count)).ravel()


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (business_days("2020-01-02", 756), 252),
        (business_days("2024-01-01", 5), 252),
        (business_days("2024-01-01", 10), 252),
        (calendar_days("2020-01-01", 400), 365),
        (calendar_days("2024-01-01", 7), 365),
        (micros("2020-01-01") + 7 * DAY * np.arange(150), 52),
        (np.arange("2015-01", "2020-01", dtype="datetime64[M]").astype("datetime64[us]").astype(np.int64), 12),
        (within(calendar_days("2024-01-01", 20), 0, 24, HOUR), 24 * 365),
        (within(business_days("2024-01-01", 40), 14 * HOUR + HOUR // 2, 390, 60 * SECOND), 390 * 252),
    ],
    ids=[
        "stock",
        "one week",
        "two weeks",
        "coin",
        "coin's week",
        "weekly",
        "monthly",
        "coin's hours",
        "stock's minutes",
    ],
)
def test_periods_of_a_year_are_those_the_market_has(times: Ints, expected: float) -> None:
    assert periods_per_year(times) == expected


def test_a_half_day_does_not_change_the_bars_of_a_day() -> None:
    times = within(business_days("2024-01-01", 30), 15 * HOUR, 7, HOUR)
    assert periods_per_year(times[:-4]) == 7 * 252


def test_a_rate_that_is_no_convention_is_itself() -> None:
    times = micros("2020-01-01") + 10 * DAY * np.arange(100)
    assert days_per_year(times) == pytest.approx(36.525)


@pytest.mark.parametrize("count", [0, 1])
def test_without_two_valuations_there_is_no_answer(count: int) -> None:
    assert np.isnan(periods_per_year(calendar_days("2024-01-01", count)))
    assert np.isnan(years(calendar_days("2024-01-01", count)))


def test_years_are_calendar_time() -> None:
    assert years(np.array([micros("2020-01-01"), micros("2024-01-01")])) == pytest.approx(4.0)


def test_the_last_valuation_of_each_day_is_kept() -> None:
    times = np.array(
        [micros(t) for t in ("2024-01-01T10:00", "2024-01-01T23:59", "2024-01-02T00:00", "2024-01-05T07:00")]
    )
    kept, equity = daily(times, np.array([1.0, 2.0, 3.0, 4.0]))
    assert equity.tolist() == [2.0, 3.0, 4.0]
    assert kept.tolist() == times[1:].tolist()
