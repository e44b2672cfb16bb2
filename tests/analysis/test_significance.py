"""Against the figures printed in the papers."""

import math

import numpy as np
import pytest

from strades_pipelines.analysis.significance import (
    Moments,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
    variance_of_trials,
)
from tests.analysis.series import random_equity

# Bailey and Lopez de Prado 2014, "A numerical example": five years of days, 250 a year, annual ratio 2.5, variance 1/2.
CHOSEN = Moments(n=1250, sharpe=2.5 / math.sqrt(250), skewness=-3, kurtosis=10)
VARIANCE = 0.5 / 250


@pytest.mark.parametrize(
    ("moments", "trials", "expected"),
    [
        (CHOSEN, 100, 0.9004),
        (CHOSEN, 46, 0.9505),
        (Moments(n=1250, sharpe=CHOSEN.sharpe), 88, 0.9505),
    ],
)
def test_the_deflated_ratio_of_the_paper(moments: Moments, trials: int, expected: float) -> None:
    assert deflated_sharpe_ratio(moments, trials, VARIANCE) == pytest.approx(expected, abs=5e-5)


def test_the_threshold_of_the_paper() -> None:
    assert expected_maximum_sharpe(100, VARIANCE) == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(("skewness", "kurtosis", "expected"), [(0, 3, 0.982), (-2.448, 10.164, 0.913)])
def test_the_probabilistic_ratio_of_the_paper(skewness: float, kurtosis: float, expected: float) -> None:
    """Bailey and Lopez de Prado 2012: 24 months, 0.458 a month, normal and as it was."""
    moments = Moments(n=24, sharpe=0.458, skewness=skewness, kurtosis=kurtosis)
    assert probabilistic_sharpe_ratio(moments) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("periods", "years"), [(250, 2.73), (52, 2.83), (12, 3.24)])
def test_the_track_record_of_the_paper(periods: int, years: float) -> None:
    """Ibid.: an annual ratio of 2 to be above 1 with 95 %, normal returns, days, weeks and months."""
    moments = Moments(n=1, sharpe=2 / math.sqrt(periods))
    length = minimum_track_record_length(moments, 1 / math.sqrt(periods), 0.95)
    assert length / periods == pytest.approx(years, abs=5e-3)


def test_a_record_of_the_minimum_length_has_just_that_confidence() -> None:
    moments = Moments(n=0, sharpe=0.1, skewness=-0.5, kurtosis=5)
    length = minimum_track_record_length(moments, 0.04, 0.9)
    enough = Moments(math.ceil(length), 0.1, -0.5, 5)
    assert probabilistic_sharpe_ratio(enough, 0.04) >= 0.9
    assert probabilistic_sharpe_ratio(Moments(math.floor(length), 0.1, -0.5, 5), 0.04) < 0.9


def test_the_expected_maximum_is_that_of_normal_draws() -> None:
    best = np.random.default_rng(5).normal(0, 0.3, (40_000, 50)).max(axis=1)
    assert expected_maximum_sharpe(50, 0.09) == pytest.approx(best.mean(), rel=0.02)


def test_one_trial_selects_nothing() -> None:
    assert expected_maximum_sharpe(1, 1.0) == 0.0
    assert deflated_sharpe_ratio(CHOSEN, 1, VARIANCE) == probabilistic_sharpe_ratio(CHOSEN)


def test_no_skill_is_a_coin_toss_and_lies_below_every_threshold() -> None:
    nothing = Moments(n=500, sharpe=0.0)
    assert probabilistic_sharpe_ratio(nothing) == 0.5
    assert minimum_track_record_length(nothing) == math.inf


@pytest.mark.parametrize("returns", [[], [0.01], [0.01] * 9, [0.01, math.nan, 0.02]])
def test_undefined_moments_have_no_figures(returns: list[float]) -> None:
    moments = Moments.of(np.array(returns))
    found = [probabilistic_sharpe_ratio(moments), minimum_track_record_length(moments)]
    assert np.isnan([*found, deflated_sharpe_ratio(moments, 10, 0.1)]).all()


def test_moments_of_returns_say_how_many_and_how_they_are_spread() -> None:
    returns = np.diff(np.log(random_equity(9, 20_000)))
    moments = Moments.of(returns)
    assert moments.n == 20_000
    assert moments.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1))
    assert moments.variance == pytest.approx(1 + moments.sharpe**2 / 2, abs=0.01)


def test_variance_of_trials_leaves_out_those_without_a_ratio() -> None:
    assert variance_of_trials([0.1, None, 0.3, math.nan], CHOSEN) == pytest.approx(0.02)
    assert variance_of_trials([0.1, None], CHOSEN) == pytest.approx(1 / 1249)
    assert math.isnan(variance_of_trials([], Moments(1, math.nan)))
