"""Cron expressions: what is taken, Dagster takes too, and it fires at the same times."""

from datetime import UTC, datetime
from itertools import takewhile

import pytest
from dagster._utils.schedules import cron_string_iterator, is_valid_cron_schedule
from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.datamanager.cron import cron_problem, ticks

ITEM = st.one_of(
    st.just("*"),
    st.integers(-1, 70).map(str),
    st.tuples(st.integers(0, 60), st.integers(0, 60)).map(lambda ends: f"{ends[0]}-{ends[1]}"),
    st.integers(0, 70).map(lambda step: f"*/{step}"),
    st.sampled_from(["", "MON", "5/2", "1-5/2", "1,,2", "L", "?", "٣", "00", "007"]),
)
FIELD = st.lists(ITEM, min_size=1, max_size=3).map(",".join)


@pytest.mark.parametrize("expression", ["*/15 * * * *", "30 21 * * 1-5", "0 0 1,15 * *", "5 4 29 2 *"])
def test_good_expressions_are_taken(expression: str) -> None:
    assert cron_problem(expression) is None


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",
        "@daily",
        "*  * * * *",
        "60 * * * *",
        "* * * * 7",
        "0 0 30 2 *",
        "5/2 * * * *",
        "0 0 31 2 1",
    ],
)
def test_bad_expressions_are_described(expression: str) -> None:
    assert cron_problem(expression)


@given(st.lists(FIELD, min_size=5, max_size=5).map(" ".join))
@settings(max_examples=400, deadline=None)
def test_whatever_is_taken_dagster_takes(expression: str) -> None:
    if cron_problem(expression) is None:
        assert is_valid_cron_schedule(expression)


@pytest.mark.parametrize(
    "expression",
    ["*/15 * * * *", "30 21 * * 1-5", "0 0 1,15 * *", "5 4 29 2 *", "7 */6 1-7 1-12/3 0", "0 0 13 * 5"],
)
def test_it_fires_when_dagsters_scheduler_does(expression: str) -> None:
    """Over a leap year, and the nights in which clocks elsewhere are set forward and back."""
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC)
    theirs = cron_string_iterator(start.timestamp(), expression, "UTC")
    before_end = takewhile(lambda at: at < end, theirs)
    assert list(ticks(expression, start, end)) == [at for at in before_end if at >= start]
