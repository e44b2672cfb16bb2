"""The kernels: right against the standard library, and blind to all but their window."""

import statistics
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from strades_pipelines.predictor.windows import log_change, trailing_max, window_mean, window_std, window_sum

Floats = NDArray[np.float64]
PRICES = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=80)
KERNELS: list[Callable[[Floats, int], Floats]] = [window_sum, window_mean, window_std, log_change]


@given(PRICES, st.integers(2, 20))
def test_mean_and_std_are_those_of_the_standard_library(prices: list[float], width: int) -> None:
    mean, deviation = window_mean(np.array(prices), width), window_std(np.array(prices), width)
    for end in range(len(prices)):
        window = prices[max(0, end - width + 1) : end + 1]
        if len(window) < width:
            assert np.isnan(mean[end])
            assert np.isnan(deviation[end])
        else:
            assert mean[end] == pytest.approx(statistics.fmean(window), rel=1e-12)
            assert deviation[end] == pytest.approx(statistics.stdev(window), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("kernel", KERNELS)
@given(prices=PRICES, width=st.integers(2, 20), start=st.integers(0, 79))
def test_later_start_of_history_changes_no_bit_of_a_complete_window(
    kernel: Callable[[Floats, int], Floats], prices: list[float], width: int, start: int
) -> None:
    values = np.array(prices)
    whole, part = kernel(values, width), kernel(values[start:], width)
    complete = ~np.isnan(part)
    assert part[complete].tobytes() == whole[start:][complete].tobytes()


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_spike_or_a_hole_is_forgotten_once_it_has_left_the_window(kernel: Callable[[Floats, int], Floats]) -> None:
    values = np.random.default_rng(1).uniform(1, 2, 60)
    for disturbance in (1e12, np.nan):
        disturbed = values.copy()
        disturbed[20] = disturbance
        expected, found = kernel(values, 10), kernel(disturbed, 10)
        assert found[31:].tobytes() == expected[31:].tobytes()
        assert found[:20].tobytes() == expected[:20].tobytes()


def test_log_change_is_the_logarithm_of_the_ratio() -> None:
    found = log_change(np.array([1.0, 2.0, 8.0]), 1)
    assert np.isnan(found[0])
    assert found[1:] == pytest.approx([0.6931471805599453, 1.3862943611198906], rel=1e-15)


@given(st.lists(st.integers(-100, 100), min_size=1, max_size=30), st.integers(1, 10))
def test_trailing_max_is_the_largest_of_the_window_so_far(values: list[int], width: int) -> None:
    found = trailing_max(np.array(values, np.int64), width)
    assert found.tolist() == [max(values[max(0, end - width + 1) : end + 1]) for end in range(len(values))]
