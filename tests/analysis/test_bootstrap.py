import math
import tracemalloc
from itertools import permutations

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from strades_pipelines.analysis import bootstrap
from strades_pipelines.analysis.bootstrap import (
    Band,
    Method,
    block_indices,
    bootstrap_bands,
    growth_band,
    trade_shuffle_bands,
)
from strades_pipelines.analysis.returns import sharpe_ratio, simple_returns
from tests.analysis.series import random_equity

RETURNS = simple_returns(random_equity(11, 400))
PROFITS = np.array([50.0, -20.0, 35.0, -60.0, 10.0, 25.0, -5.0])


@pytest.mark.parametrize("method", ["stationary", "circular"])
def test_blocks_are_runs_that_wrap_of_the_length_asked_for(method: Method) -> None:
    rows = block_indices(np.random.default_rng(1), 97, 3000, 7, method)
    follows = (rows[:, 1:] - rows[:, :-1]) % 97 == 1
    # A block ends with probability 1/7, or at every 7th row; the next one may begin where this one ends (1 in 97).
    breaks = 1 / 7 if method == "stationary" else 13 / 96
    assert np.mean(~follows) == pytest.approx(breaks * (1 - 1 / 97), abs=0.003)
    assert np.bincount(rows.ravel(), minlength=97) / rows.size == pytest.approx(np.full(97, 1 / 97), rel=0.1)


def test_the_variance_of_the_mean_is_that_of_politis_and_romano() -> None:
    """Their 1994 lemma 1: Var = (C0 + 2 sum (1 - i/n)(1 - p)^i-type weights on circular autocovariances) / n."""
    n, p = 60, 0.2
    noise = np.random.default_rng(2).normal(size=n)
    series = noise + 0.8 * np.roll(noise, 1)
    centred = series - series.mean()
    covariance = np.array([np.mean(centred * np.roll(centred, -i)) for i in range(n)])
    lags = np.arange(1, n)
    exact = (covariance[0] + 2 * np.sum((1 - lags / n) * (1 - p) ** lags * covariance[1:])) / n
    rows = block_indices(np.random.default_rng(3), n, 60_000, 1 / p)
    assert series[rows].mean(axis=1).var() == pytest.approx(exact, rel=0.03)


def test_bands_of_independent_returns_are_those_of_theory() -> None:
    """The ratio's standard error is sqrt((1 + SR^2 / 2) / n) (Lo 2002): 90 % within 1.645 of it."""
    bands = bootstrap_bands(RETURNS, periods_per_year=1, seed=4, samples=4000, block_length=1)
    ratio = sharpe_ratio(RETURNS)
    error = math.sqrt((1 + ratio**2 / 2) / len(RETURNS))
    band = bands["sharpe"]
    assert band.actual == pytest.approx(ratio)
    assert (band.upper - band.lower) / (2 * 1.645 * error) == pytest.approx(1, abs=0.1)
    assert band.rank == pytest.approx(0.5, abs=0.05)
    assert bands["growth"].actual == pytest.approx(np.prod(1 + RETURNS))


def test_the_same_seed_gives_the_same_bands_and_another_others() -> None:
    first, again, other = (bootstrap_bands(RETURNS, periods_per_year=252, seed=s, samples=200) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_memory_is_bounded_by_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,000 resamples of 400 returns are 6.4 MB an array; in parts of 50 none is larger than 160 kB."""
    monkeypatch.setattr(bootstrap, "CHUNK", 20_000)
    tracemalloc.start()
    try:
        bootstrap_bands(RETURNS, periods_per_year=252, seed=1, samples=2_000)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("returns", [[], [0.1], [0.1, math.nan, 0.2]])
def test_nothing_to_draw_from_has_no_bands(returns: list[float]) -> None:
    bands = bootstrap_bands(np.array(returns), periods_per_year=252, seed=1)
    assert np.isnan([band.median for band in bands.values()]).all()


def test_a_block_longer_than_the_record_is_refused() -> None:
    with pytest.raises(ValueError, match="block_length: expected 1 to 400, was 401"):
        bootstrap_bands(RETURNS, periods_per_year=252, seed=1, block_length=401)


def test_shuffled_trades_fall_as_deep_as_all_their_orders() -> None:
    orders = 1000 + np.cumsum(np.array(list(permutations(PROFITS))), axis=1)
    peaks = np.maximum(np.maximum.accumulate(orders, axis=1), 1000)
    depths = (orders / peaks - 1).min(axis=1)
    band = trade_shuffle_bands(PROFITS, 1000, seed=1, samples=20_000)["max_drawdown"]
    assert band.actual == pytest.approx(depths[0])
    assert [band.lower, band.median, band.upper] == pytest.approx(np.quantile(depths, [0.05, 0.5, 0.95]), rel=0.02)
    assert band.rank == pytest.approx(np.mean(depths <= depths[0] + 1e-12), abs=0.02)
    certain = trade_shuffle_bands(PROFITS, 1000, seed=1, samples=20_000, confidence=1.0)["max_drawdown"]
    assert certain.lower == pytest.approx(-85 / 1000)


def test_drawn_trades_have_the_mean_and_spread_of_theory() -> None:
    band = trade_shuffle_bands(PROFITS, 1000, seed=2, samples=20_000, confidence=0.6827)["final_equity"]
    assert band.actual == 1035
    assert (band.upper - band.lower) / 2 == pytest.approx(PROFITS.std() * math.sqrt(7), rel=0.05)


def test_without_trades_there_is_no_band() -> None:
    assert all(math.isnan(b.lower) for b in trade_shuffle_bands(np.zeros(0), 1000, seed=1).values())
    assert math.isnan(trade_shuffle_bands(PROFITS, 0, seed=1)["final_equity"].actual)


def test_a_band_ranks_the_actual_figure() -> None:
    band = Band.of(3.0, np.array([1.0, 2.0, 3.0, 4.0, math.nan]), 0.5)
    assert (band.rank, band.median) == (0.75, 2.5)


def test_the_band_of_growth_ends_at_the_quantiles_of_a_binomial() -> None:
    """Blocks of one return of +10 % or -10 % each: how many of n rise is binomial."""
    n = 40
    returns = np.array([0.1, -0.1] * (n // 2))
    band = growth_band(returns, seed=3, samples=20_000, block_length=1.0)
    assert band.shape == (3, n)
    rises = stats.binom.ppf([0.05, 0.5, 0.95], n, 0.5)
    np.testing.assert_allclose(band[:, -1], 1.1**rises * 0.9 ** (n - rises))
    np.testing.assert_allclose(band[:, 0], [0.9, band[1, 0], 1.1])
    np.testing.assert_array_equal(band, growth_band(returns, seed=3, samples=20_000, block_length=1.0))
    # One block that wraps around has the growth of the whole wherever it begins.
    whole = growth_band(returns, seed=3, samples=200, block_length=1e9)
    np.testing.assert_allclose(whole[:, -1], np.prod(1 + returns))
