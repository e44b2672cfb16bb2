import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.analysis.arrays import DAY
from strades_pipelines.analysis.drawdowns import (
    calmar_ratio,
    deepest,
    drawdowns,
    longest_drawdown,
    max_drawdown,
)
from tests.analysis.series import calendar_days

EQUITY = np.array([100.0, 120.0, 90.0, 130.0, 125.0, 128.0, 124.0, 130.0, 117.0])
TIMES = calendar_days("2024-01-01", 9)
equities = st.lists(st.floats(1, 1000), min_size=1, max_size=40)


def test_depths_by_hand() -> None:
    assert drawdowns(EQUITY)[:4] == pytest.approx([0.0, 0.0, -0.25, 0.0])
    assert max_drawdown(EQUITY) == -0.25
    assert calmar_ratio(0.5, -0.25) == 2.0


def test_the_longest_is_not_the_deepest() -> None:
    assert longest_drawdown(TIMES, EQUITY) == (4.0, 4.0)


def test_one_that_lasts_counts_to_the_end() -> None:
    assert longest_drawdown(TIMES[:6] * 2, EQUITY[3:]) == (4.0, 8.0)
    assert longest_drawdown(TIMES[:3], np.array([5.0, 4.0, 3.0])) == (2.0, 2.0)


def test_falls_by_depth() -> None:
    found = deepest(EQUITY)
    assert [(fall.peak, fall.trough, fall.recovery) for fall in found] == [(1, 2, 3), (7, 8, None), (3, 6, 7)]
    assert [fall.depth for fall in found] == pytest.approx([-0.25, -0.1, -6 / 130])


def test_an_account_that_never_fell() -> None:
    rising = np.array([1.0, 1.0, 2.0])
    assert (max_drawdown(rising), longest_drawdown(TIMES[:3], rising), deepest(rising)) == (0.0, (0.0, 0.0), [])
    assert math.isnan(calmar_ratio(0.3, 0.0))


@pytest.mark.parametrize("equity", [[], [math.nan, 1.0], [1.0, math.nan, 2.0], [0.0, 1.0], [-5.0, -6.0]])
def test_undefined_values_are_not_stepped_over(equity: list[float]) -> None:
    values = np.array(equity, np.float64)
    assert math.isnan(max_drawdown(values))
    assert np.isnan(longest_drawdown(TIMES[: len(values)], values)).all()
    assert deepest(values) == []


@given(equities)
def test_equals_the_definition_for_every_pair(values: list[float]) -> None:
    """max over i <= j of the loss from i to j."""
    worst = min(values[j] / values[i] - 1 for i in range(len(values)) for j in range(i, len(values)))
    assert max_drawdown(np.array(values)) == pytest.approx(worst, abs=1e-12)


@given(equities)
def test_length_equals_a_walk_through_the_values(values: list[float]) -> None:
    longest = 0
    for row in (k for k, value in enumerate(values) if value == max(values[: k + 1])):
        end = next((k for k in range(row + 1, len(values)) if values[k] >= values[row]), len(values) - 1)
        if any(value < values[row] for value in values[row : end + 1]):
            longest = max(longest, end - row)
    times = DAY * np.arange(len(values))
    assert longest_drawdown(times, np.array(values)) == (longest, longest)
