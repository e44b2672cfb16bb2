"""The compiled windows: right against NumPy, whatever the values, and apart for each listing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from strades_pipelines.predictor import compiled_windows as windows

Floats = NDArray[np.float64]
WIDTHS = np.array([2, 3, 7])
VALUES = st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=30)


def parts(values: list[float]) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """The values as two listings: values, ages and rows."""
    half = len(values) // 2
    age = np.concatenate([np.arange(half), np.arange(len(values) - half)])
    return np.array(values), age, np.arange(len(values))


def complete(values: Floats, age: NDArray[np.int64]) -> list[tuple[int, int, Floats]]:
    """Place of the width, place of the newest value, and values of every complete window."""
    ends = [(w, end) for w in range(len(WIDTHS)) for end in range(len(values)) if age[end] >= WIDTHS[w] - 1]
    return [(w, end, values[end + 1 - WIDTHS[w] : end + 1]) for w, end in ends]


@given(VALUES)
def test_every_statistic_is_numpys_of_the_window_and_missing_where_that_is_not_complete(values: list[float]) -> None:
    column, age, row = parts(values)
    given_ = (age, row, WIDTHS, 0)
    sums = windows.window_sums(column, *given_)
    means, deviations, slopes = windows.window_lines(column, *given_)
    largest, since = windows.window_extremes(column, *given_)
    ranks = windows.window_ranks(column, *given_)
    low, high = windows.window_quantiles(column, age, row, WIDTHS, np.array([0.2, 0.8]))
    found = np.stack([sums, means, deviations, slopes, largest, since, ranks, low, high])
    expected = np.full(found.shape, np.nan)
    for w, end, window in complete(column, age):
        rank = (np.sum(window < window[-1]) + (np.sum(window == window[-1]) + 1) / 2) / len(window)
        expected[:, w, end] = [
            window.sum(), window.mean(), window.std(ddof=1), np.polyfit(np.arange(len(window)), window, 1)[0],
            window.max(), len(window) - 1 - window.argmax(), rank, *np.quantile(window, [0.2, 0.8]),
        ]  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)


@given(VALUES, st.randoms())
def test_correlation_is_numpys_and_missing_where_nothing_moves(values: list[float], random: st.DataObject) -> None:
    first, age, row = parts(values)
    second = first.copy()
    random.shuffle(second)  # type: ignore[attr-defined]
    found, deviation, other = windows.window_correlations(first, second, age, row, WIDTHS, 0)
    for w, end, window in complete(first, age):
        peer = second[end + 1 - len(window) : end + 1]
        assert (deviation[w, end], other[w, end]) == pytest.approx((window.std(ddof=1), peer.std(ddof=1)), abs=1e-9)
        if window.std() and peer.std():
            assert found[w, end] == pytest.approx(np.corrcoef(window, peer)[0, 1], abs=1e-9)
        else:
            assert np.isnan(found[w, end])


def test_bar_that_is_needed_before_the_window_and_a_row_that_is_not_wanted() -> None:
    values, age = np.arange(5.0), np.arange(5)
    found = windows.window_sums(values, age, np.array([-1, -1, 0, 1, -1]), np.array([3]), 1)
    # Three values and one before them are there at the fourth: 1 + 2 + 3.
    assert found[0].tolist() == pytest.approx([np.nan, 6.0], nan_ok=True)


def test_large_values_near_each_other_keep_their_deviation() -> None:
    # 1e9 + (0, 1, 2): a sample deviation of 1; a difference of sums of squares would have lost it.
    values = 1e9 + np.arange(3.0)
    _, deviation, _ = windows.window_lines(values, np.arange(3), np.arange(3), np.array([3]), 0)
    assert deviation[0, 2] == pytest.approx(1.0, rel=1e-12)
