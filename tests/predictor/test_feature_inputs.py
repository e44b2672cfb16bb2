"""Which rates were known, and which were too old to count."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.predictor.feature_inputs import Bars, Series, last_known

DAY = np.timedelta64(1, "D").astype("timedelta64[us]")
START = np.datetime64("2024-01-01T00:00", "us")
TEN_DAYS = np.timedelta64(10, "D")


def rates_of(known_after: list[int]) -> Series:
    """A rate a day from START on, known `known_after[i]` days after its day."""
    day = START + np.arange(len(known_after)) * DAY
    return Series(day, day + np.array(known_after) * DAY, np.arange(1.0, len(known_after) + 1))


def test_the_last_known_are_chosen_by_day_and_missing_ones_marked() -> None:
    rates = rates_of([0, 0, 5, 0])
    decisions = START + np.array([0, 1, 3, 7]) * DAY
    found = last_known(rates, decisions, count=3, max_age=TEN_DAYS)
    assert found.tolist() == [[-1, -1, 0], [-1, 0, 1], [0, 1, 3], [1, 2, 3]]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.integers(0, 25), st.integers(1, 5))
def test_nothing_later_than_the_decision_is_chosen_and_nothing_known_left_out(
    delays: list[int], after: int, count: int
) -> None:
    rates = rates_of(delays)
    decision = START + after * DAY
    found = last_known(rates, np.array([decision]), count=count, max_age=np.timedelta64(99, "D"))[0]
    known = [place for place, delay in enumerate(delays) if place + delay <= after]
    assert [place for place in found if place >= 0] == known[-count:]


def test_a_series_that_ended_is_not_known_for_ever() -> None:
    rates = rates_of([0, 0])
    decisions = START + np.array([11, 12]) * DAY
    assert last_known(rates, decisions, count=2, max_age=TEN_DAYS).tolist() == [[0, 1], [-1, -1]]


def test_a_revised_value_counts_from_the_day_its_revision_was_known() -> None:
    day = START + np.array([0, 1, 1, 2]) * DAY
    known = START + np.array([0, 1, 4, 2]) * DAY
    series = Series(day, known, np.array([1.0, 2.0, 2.5, 3.0]))
    decisions = START + np.array([1, 2, 3, 4]) * DAY
    found = last_known(series, decisions, count=3, max_age=TEN_DAYS)
    assert found.tolist() == [[-1, 0, 1], [0, 1, 3], [0, 1, 3], [0, 2, 3]]


def test_a_version_that_was_not_known_later_is_refused() -> None:
    with pytest.raises(ValueError, match="each version known later"):
        Series(START + np.array([0, 0]) * DAY, START + np.array([1, 1]) * DAY, np.ones(2))


def test_no_rates_at_all_are_all_missing() -> None:
    found = last_known(rates_of([]), np.array([START]), count=2, max_age=TEN_DAYS)
    assert found.tolist() == [[-1, -1]]


def test_bars_out_of_order_are_refused() -> None:
    day = np.array(["2024-01-02", "2024-01-02"], "datetime64[D]")
    ones = np.ones(2)
    with pytest.raises(ValueError, match="each session once"):
        Bars(day, day.astype("datetime64[us]"), ones, ones, ones, ones, ones, ones)
