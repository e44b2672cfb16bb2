"""Figures of a series of returns. Ratios are over the returns between valuations, annualised by the root of time.

Whatever has a nan in it is nan: a hole in the valuations is not silently stepped over.
"""

from typing import Literal

import numpy as np

from strades_pipelines.analysis.arrays import DAY, Floats, Ints

EPSILON = float(np.finfo(np.float64).eps)


def simple_returns(equity: Floats) -> Floats:
    """E[t] / E[t-1] - 1, shape (n - 1,). nan where the account before had nothing left, or is not a number."""
    before, after = equity[:-1], equity[1:]
    result = np.full(len(before), np.nan)
    known = (before > 0) & np.isfinite(before) & np.isfinite(after)
    np.divide(after, before, out=result, where=known)
    return result - 1.0


def total_return(equity: Floats) -> float:
    """E[last] / E[first] - 1. nan without two valuations, or from a start of nothing."""
    if len(equity) < 2 or not equity[0] > 0 or not np.all(np.isfinite(equity[[0, -1]])):
        return np.nan
    return float(equity[-1] / equity[0] - 1.0)


def cagr(equity: Floats, years: float) -> float:
    """Compound annual growth: (E[last] / E[first]) ** (1 / years) - 1. An account that lost all has -1.

    Args:
        years: the calendar time between the two; nan where it is nan, or too short for a number to hold the result.
    """
    growth = total_return(equity) + 1.0
    if not years > 0 or np.isnan(growth):
        return np.nan
    if growth <= 0:
        return -1.0
    exponent = np.log(growth) / years
    return float(np.expm1(exponent)) if exponent < 700 else np.nan


def deviation(values: Floats) -> float:
    """Sample standard deviation (n - 1). nan for fewer than two; 0 when only rounding of equity tells them apart."""
    if len(values) < 2 or not np.all(np.isfinite(values)):
        return np.nan
    result = float(np.std(values, ddof=1))
    return 0.0 if result <= 4 * EPSILON * (1.0 + float(np.max(np.abs(values)))) else result


def annual_volatility(returns: Floats, periods_per_year: float) -> float:
    """Sample standard deviation of the returns times the root of their number in a year."""
    return float(deviation(returns) * np.sqrt(periods_per_year))


def rate_per_period(annual: float, periods_per_year: float) -> float:
    """The rate that compounds to `annual` over a year's periods."""
    return float(np.expm1(np.log1p(annual) / periods_per_year)) if periods_per_year > 0 else np.nan


def sharpe_ratio(returns: Floats, periods_per_year: float = 1.0, *, risk_free: float = 0.0) -> float:
    """Mean excess return over its sample deviation, annualised by the root of time (Sharpe 1994, "The Sharpe Ratio").

    Args:
        periods_per_year: 1 gives the ratio per period, which is what the significance figures take.
        risk_free: a rate per year, as a fraction.

    Returns:
        nan for fewer than two returns or without any variation: no return for no risk is no ratio.
    """
    excess = returns - rate_per_period(risk_free, periods_per_year)
    risk = deviation(excess)
    return float(np.mean(excess) / risk * np.sqrt(periods_per_year)) if risk > 0 else np.nan


def sortino_ratio(returns: Floats, periods_per_year: float = 1.0, *, target: float = 0.0) -> float:
    """Mean return above the target over the downside deviation sqrt(mean(min(r - target, 0)^2)), over all n returns.

    Sortino and Price 1994, "Performance Measurement in a Downside Risk Framework".

    Args:
        target: the least acceptable return a year, as a fraction.

    Returns:
        nan for fewer than two returns, or when none was below the target.
    """
    excess = returns - rate_per_period(target, periods_per_year)
    if len(excess) < 2 or not np.all(np.isfinite(excess)):
        return np.nan
    downside = float(np.sqrt(np.mean(np.minimum(excess, 0.0) ** 2)))
    return float(np.mean(excess) / downside * np.sqrt(periods_per_year)) if downside > EPSILON else np.nan


def skewness(values: Floats) -> float:
    """Third standardised moment, of the population (n). nan without variation."""
    return _standardised_moment(values, 3)


def kurtosis(values: Floats) -> float:
    """Fourth standardised moment, of the population (n): 3 for a normal distribution. nan without variation."""
    return _standardised_moment(values, 4)


def alpha_beta(
    returns: Floats, benchmark: Floats, periods_per_year: float, *, risk_free: float = 0.0
) -> tuple[float, float]:
    """Jensen's alpha, compounded to a year, and beta: least squares of excess returns on the benchmark's.

    beta = cov(r, b) / var(b); alpha = (1 + mean(r - rf - beta (b - rf))) ** periods - 1.
    Jensen 1968, "The Performance of Mutual Funds in the Period 1945-1964".

    Args:
        returns: shape (n,), of the account.
        benchmark: shape (n,), of the same instants.

    Returns:
        (alpha, beta); nan both for fewer than two returns or a benchmark that does not vary.
    """
    rate = rate_per_period(risk_free, periods_per_year)
    own, market = returns - rate, benchmark - rate
    if len(own) < 2 or not np.all(np.isfinite(own)) or not deviation(market) > 0:
        return np.nan, np.nan
    centred = market - np.mean(market)
    beta = float(centred @ own / (centred @ centred))
    growth = 1.0 + float(np.mean(own - beta * market))
    # e ** 710 is more than a float holds.
    exponent = periods_per_year * np.log(growth) if growth > 0 else np.nan
    return (float(np.expm1(exponent)) if exponent < 700 else np.nan), beta


def monthly_returns(times: Ints, equity: Floats, start: float | None = None) -> list[tuple[int, int, float]]:
    """(year, month, return) of each UTC month that has a valuation, in order.

    From the last valuation before the month to the last within it, so that the months compound to the total return; the
    first month's from `start`, the cash, or from the first valuation of all.
    """
    if len(times) == 0:
        return []
    months = times.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    # Behind the last row another month begins.
    last = np.flatnonzero(np.diff(months, append=np.iinfo(np.int64).max))
    base = equity[:1] if start is None else [start]
    result = simple_returns(np.concatenate((base, equity[last])))
    return [(1970 + int(m) // 12, 1 + int(m) % 12, float(r)) for m, r in zip(months[last], result, strict=True)]


def best_and_worst_day(times: Ints, equity: Floats) -> tuple[float, float]:
    """The largest and the smallest return of a UTC day. nan for fewer than two days."""
    last = np.flatnonzero(np.diff(times // DAY, append=np.iinfo(np.int64).max))
    result = simple_returns(equity[last])
    return (float(np.max(result)), float(np.min(result))) if len(result) else (np.nan, np.nan)


def _standardised_moment(values: Floats, order: Literal[3, 4]) -> float:
    if not deviation(values) > 0:
        return np.nan
    centred = values - np.mean(values)
    squares = centred * centred  # NumPy's power is ten times as slow as a product
    raised = squares * (centred if order == 3 else squares)
    return float(np.mean(raised) / np.mean(squares) ** (order / 2))
