"""What a Sharpe ratio is worth: how sure it is, given how long, how skewed, how fat-tailed, and how many were tried.

All Sharpe ratios here are per period, not annualised; kurtosis is 3 for a normal distribution.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from strades_pipelines.analysis import returns as of_returns
from strades_pipelines.analysis.arrays import Floats

EULER_MASCHERONI = 0.5772156649015329
NORMAL = NormalDist()


@dataclass(frozen=True)
class Moments:
    """What the figures below take of a series of n returns: its Sharpe ratio per period, skewness and kurtosis."""

    n: int
    sharpe: float
    skewness: float = 0.0
    kurtosis: float = 3.0

    @classmethod
    def of(cls, returns: Floats) -> "Moments":
        """Of returns of shape (n,); nan inside where they do not vary."""
        skewness, kurtosis = of_returns.skewness(returns), of_returns.kurtosis(returns)
        return cls(len(returns), of_returns.sharpe_ratio(returns), skewness, kurtosis)

    @property
    def variance(self) -> float:
        """n - 1 times the variance of the estimated ratio: 1 - g3 SR + (g4 - 1) / 4 SR^2 (Mertens 2002)."""
        return 1.0 - self.skewness * self.sharpe + (self.kurtosis - 1.0) / 4.0 * self.sharpe**2


def probabilistic_sharpe_ratio(moments: Moments, benchmark: float = 0.0) -> float:
    """The probability that the true Sharpe ratio is above the benchmark.

    Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2)): Bailey and Lopez de Prado 2012, "The Sharpe Ratio
    Efficient Frontier", equation 11.

    Args:
        benchmark: a ratio per period.

    Returns:
        In [0, 1]; nan for fewer than two returns or undefined moments.
    """
    if moments.n < 2 or not moments.variance > 0:
        return math.nan
    return NORMAL.cdf((moments.sharpe - benchmark) * math.sqrt((moments.n - 1) / moments.variance))


def minimum_track_record_length(moments: Moments, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """How many returns it takes to be this confident that the true ratio is above the benchmark.

    1 + (1 - g3 SR + (g4 - 1) / 4 SR^2) (Z / (SR - SR*))^2: the same paper, equation 13.

    Returns:
        Periods; infinite when the ratio is not above the benchmark, nan for undefined moments.
    """
    if not moments.variance > 0 or math.isnan(moments.sharpe):
        return math.nan
    if moments.sharpe <= benchmark:
        return math.inf
    return 1.0 + moments.variance * (NORMAL.inv_cdf(confidence) / (moments.sharpe - benchmark)) ** 2


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """The Sharpe ratio that the best of so many trials without any skill is expected to show.

    sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g the Euler-Mascheroni constant: Bailey and Lopez de Prado 2014,
    "The Deflated Sharpe Ratio", equation 1. One trial selects nothing: 0.

    Args:
        variance: of the ratios of the trials, per period.
    """
    if trials < 2:
        return 0.0
    first, second = NORMAL.inv_cdf(1.0 - 1.0 / trials), NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - EULER_MASCHERONI) * first + EULER_MASCHERONI * second)


def deflated_sharpe_ratio(moments: Moments, trials: int, variance: float) -> float:
    """The probability that the true ratio is above what the best of all trials shows by luck alone (equation 2 there).

    Args:
        moments: of the returns of the chosen trial.
        trials: how many were ever run on these data, the chosen one among them.
        variance: of their Sharpe ratios, per period.
    """
    return probabilistic_sharpe_ratio(moments, expected_maximum_sharpe(trials, variance))


def variance_of_trials(sharpes: Iterable[float | None], moments: Moments) -> float:
    """Sample variance of the ratios of the trials, those without one left out.

    Under two of them the variance that the ratio's own estimate has, with no skill and normal returns: 1 / (n - 1).
    """
    known = np.array([value for value in sharpes if value is not None and math.isfinite(value)])
    if len(known) >= 2:
        return float(np.var(known, ddof=1))
    return 1.0 / (moments.n - 1) if moments.n > 1 else math.nan
