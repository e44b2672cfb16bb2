"""How returns are spread: NumPy's own histogram by Freedman and Diaconis, and what is not defined."""

import math
import statistics

import numpy as np
import pytest

from strades_pipelines.market.return_spread import MOST_BINS, return_spread


def test_bins_are_those_of_freedman_and_diaconis_and_hold_every_return_once() -> None:
    returns = np.random.default_rng(7).normal(0.001, 0.01, 250).tolist()
    spread = return_spread(returns)
    counts, edges = np.histogram(returns, bins="fd")
    assert (spread.bin_counts, spread.bin_edges) == (counts.tolist(), edges.tolist())
    assert sum(spread.bin_counts) == 250
    assert (spread.worst, spread.best) == (min(returns), max(returns))
    assert spread.mean == pytest.approx(statistics.fmean(returns))
    assert spread.deviation == pytest.approx(statistics.stdev(returns))


def test_one_far_return_makes_no_thousand_bins() -> None:
    spread = return_spread([0.001, 0.002, 0.003] * 20 + [9.0])
    assert len(spread.bin_counts) == MOST_BINS
    assert (sum(spread.bin_counts), spread.bin_counts[-1]) == (61, 1)


def test_nothing_is_made_up_for_few_returns() -> None:
    none = return_spread([])
    assert (none.mean, none.deviation, none.worst, none.bin_edges) == (None, None, None, [])
    one = return_spread([0.01])
    assert (one.mean, one.deviation, one.bin_counts) == (0.01, None, [1])
    assert return_spread([0.0, 0.0]).deviation == 0.0


@pytest.mark.parametrize("last", [0.1, math.nextafter(0.1, 1), 0.1 + 1e-12])
def test_returns_that_rounding_alone_tells_apart_are_one_bin(last: float) -> None:
    """Six bins between 0.1 and the next float would have edges in between, where there is no number."""
    spread = return_spread([0.1] * 5 + [last])
    assert spread.bin_counts == [6]
    assert (spread.worst, spread.best) == (0.1, last)
    assert return_spread([0.0] * 6).bin_counts == [6]
