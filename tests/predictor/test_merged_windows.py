"""The merged windows: right against NumPy, whatever the values, and blind to all but their window."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.predictor.merged_windows import (
    WIDTHS,
    window_correlations,
    window_extremes,
    window_lines,
    window_quantiles,
    window_ranks,
    window_sums,
)
from strades_pipelines.predictor.windows import Floats

# Few different values: most windows have ties, and some hold nothing but equals.
VALUES = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=75)


def all_statistics(values: Floats) -> Floats:
    """Every statistic but the correlation, shape (9, widths, n)."""
    quantiles = window_quantiles(values, (0.2, 0.8))
    return np.stack(
        [window_sums(values), *window_lines(values), *window_extremes(values), window_ranks(values), *quantiles]
    )


def expected_statistics(window: Floats) -> list[float]:
    """The same by NumPy of one window."""
    rank = (np.sum(window < window[-1]) + (np.sum(window == window[-1]) + 1) / 2) / len(window)
    return [
        window.sum(), window.mean(), window.std(ddof=1), np.polyfit(np.arange(len(window)), window, 1)[0],
        window.max(), len(window) - 1 - window.argmax(), rank, *np.quantile(window, [0.2, 0.8]),
    ]  # fmt: skip


def windows_of(values: Floats) -> list[tuple[int, int, Floats]]:
    """Place of the width, place of the newest value, and values of every whole window."""
    ends = [(place, end) for place, width in enumerate(WIDTHS) for end in range(width - 1, len(values))]
    return [(place, end, values[end + 1 - WIDTHS[place] : end + 1]) for place, end in ends]


@given(VALUES)
def test_every_statistic_is_numpys_of_the_window(values: list[float]) -> None:
    column = np.array(values)
    found = all_statistics(column)
    for place, end, window in windows_of(column):
        assert found[:, place, end] == pytest.approx(expected_statistics(window), rel=1e-9, abs=1e-9)


@given(VALUES, st.permutations(range(75)))
def test_correlation_is_numpys_and_missing_where_nothing_moves(values: list[float], order: list[int]) -> None:
    first = np.array(values)
    second = np.resize(first, 75)[order][: len(first)]
    with np.errstate(invalid="ignore"):
        found, deviation, other = window_correlations(first, second)
    for place, end, window in windows_of(first):
        peer = second[end + 1 - len(window) : end + 1]
        assert deviation[place, end] == pytest.approx(window.std(ddof=1), abs=1e-9)
        assert other[place, end] == pytest.approx(peer.std(ddof=1), abs=1e-9)
        if window.std() and peer.std():
            assert found[place, end] == pytest.approx(np.corrcoef(window, peer)[0, 1], abs=1e-9)
        else:
            assert np.isnan(found[place, end])


@pytest.mark.parametrize(
    "statistics", [all_statistics, lambda values: np.stack(window_correlations(values, np.abs(values)))]
)
def test_start_of_history_and_a_spike_or_a_hole_before_the_window_change_no_bit(
    statistics: Callable[[Floats], Floats],
) -> None:
    values = np.random.default_rng(1).normal(size=200)
    whole, later = statistics(values), statistics(values[37:])
    disturbed = [values.copy(), values.copy()]
    disturbed[0][100], disturbed[1][100] = 1e12, np.nan
    for place, width in enumerate(WIDTHS):
        assert later[:, place, width - 1 :].tobytes() == whole[:, place, 37 + width - 1 :].tobytes()
        for found in map(statistics, disturbed):
            assert found[:, place, 100 + width :].tobytes() == whole[:, place, 100 + width :].tobytes()
            assert found[:, place, width - 1 : 100].tobytes() == whole[:, place, width - 1 : 100].tobytes()


def test_large_values_near_each_other_keep_their_deviation_and_equals_have_none() -> None:
    # 1e9 and 1e9 + 1 in turn, 60 times: a mean square of 1/4, over 59 instead of 60. A difference of sums of squares,
    # each near 6e19, would have none of it.
    values = 1e9 + np.arange(60.0) % 2
    assert window_lines(values)[1][-1, -1] == pytest.approx((60 / 4 / 59) ** 0.5, rel=1e-7)
    assert window_lines(np.full(60, 0.1))[1][:, -1].tolist() == [0.0] * 5
