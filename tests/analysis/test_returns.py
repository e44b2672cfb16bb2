"""Beside hand computations: empyrical's answers (see record_empyrical.py) and scipy's."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats  # type: ignore[import-untyped]

from strades_pipelines.analysis import drawdowns
from strades_pipelines.analysis import returns as figures
from strades_pipelines.analysis.arrays import Floats, floats
from tests.analysis.series import micros, random_equity

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "expected" / "empyrical.json").read_text())
P = float(RECORDED["periods_per_year"])
RETURNS, BENCHMARK = np.array(RECORDED["returns"]), np.array(RECORDED["benchmark"])
EQUITY: Floats = 10_000.0 * np.cumprod(np.concatenate(([1.0], 1.0 + RETURNS)), dtype=np.float64)


def measured() -> dict[str, float]:
    growth = figures.cagr(EQUITY, len(RETURNS) / P)
    alpha, beta = figures.alpha_beta(RETURNS, BENCHMARK, P)
    return {
        "total_return": figures.total_return(EQUITY),
        "cagr": growth,
        "annual_volatility": figures.annual_volatility(RETURNS, P),
        "sharpe": figures.sharpe_ratio(RETURNS, P),
        "sharpe_risk_free": figures.sharpe_ratio(RETURNS, P, risk_free=1.0001**P - 1),
        "sortino": figures.sortino_ratio(RETURNS, P),
        "calmar": drawdowns.calmar_ratio(growth, drawdowns.max_drawdown(EQUITY)),
        "max_drawdown": drawdowns.max_drawdown(EQUITY),
        "alpha": alpha,
        "beta": beta,
    }


@pytest.mark.parametrize("name", sorted(RECORDED["expected"]))
def test_agrees_with_empyrical(name: str) -> None:
    assert measured()[name] == pytest.approx(RECORDED["expected"][name], rel=1e-11)


def test_every_figure_of_empyrical_is_compared() -> None:
    assert measured().keys() == RECORDED["expected"].keys()


def test_moments_agree_with_scipy() -> None:
    assert figures.skewness(RETURNS) == pytest.approx(stats.skew(RETURNS), rel=1e-12)
    assert figures.kurtosis(RETURNS) == pytest.approx(stats.kurtosis(RETURNS, fisher=False), rel=1e-12)


def test_ratios_by_hand() -> None:
    returns = np.array([0.02, -0.01, 0.03, 0.00])  # mean 0.01; squared distances 1, 4, 4, 1 (1e-4)
    deviation = math.sqrt(10e-4 / 3)
    assert figures.sharpe_ratio(returns, 4) == pytest.approx(0.01 / deviation * 2)
    assert figures.sortino_ratio(returns, 4) == pytest.approx(0.01 / math.sqrt(1e-4 / 4) * 2)
    assert figures.annual_volatility(returns, 4) == pytest.approx(deviation * 2)


def test_growth_by_hand() -> None:
    assert figures.total_return(np.array([100.0, 90.0, 144.0])) == pytest.approx(0.44)
    assert figures.cagr(np.array([100.0, 90.0, 144.0]), 2.0) == pytest.approx(0.2)


def test_returns_of_an_account_that_had_nothing_are_not_a_number() -> None:
    result = figures.simple_returns(np.array([100.0, 0.0, 50.0, -10.0, 20.0, math.nan, 30.0]))
    np.testing.assert_array_equal(result, [-1.0, math.nan, -1.2, math.nan, math.nan, math.nan])


def test_an_account_that_lost_all_grew_by_minus_one() -> None:
    assert figures.cagr(np.array([100.0, 50.0, -20.0]), 3.0) == -1.0


@pytest.mark.parametrize("length", [0.0, math.nan, 1e-9])
def test_growth_over_no_time_is_not_defined(length: float) -> None:
    assert math.isnan(figures.cagr(np.array([100.0, 200.0]), length))


@pytest.mark.parametrize(
    "returns",
    [[], [0.01], [0.0] * 50, figures.simple_returns(floats(1e5 * 1.0003 ** np.arange(300))), [0.01, math.nan, 0.02]],
    ids=["none", "one", "zeros", "constant but for rounding", "nan"],
)
def test_ratios_of_what_does_not_vary_are_not_defined(returns: list[float]) -> None:
    values = np.array(returns, np.float64)
    found = [figures.sharpe_ratio(values, P), figures.skewness(values), figures.kurtosis(values)]
    assert np.isnan([*found, figures.sortino_ratio(values, P)]).all()


def test_without_a_loss_there_is_no_sortino_ratio() -> None:
    assert math.isnan(figures.sortino_ratio(np.array([0.01, 0.02, 0.0]), P))


def test_alpha_and_beta_of_a_levered_benchmark() -> None:
    market = figures.simple_returns(random_equity(3, 500))
    alpha, beta = figures.alpha_beta(1.5 * market + 0.0001, market, P)
    assert beta == pytest.approx(1.5)
    assert alpha == pytest.approx(1.0001**P - 1)
    assert np.isnan(figures.alpha_beta(market, np.zeros_like(market), P)).all()


def test_months_by_hand_and_they_compound_to_the_total() -> None:
    times = np.array([micros(d) for d in ("2023-11-15", "2023-11-30", "2023-12-31T23:59", "2024-01-01", "2024-03-05")])
    equity = np.array([100.0, 110.0, 99.0, 100.0, 120.0])
    months = figures.monthly_returns(times, equity)
    assert [month[:2] for month in months] == [(2023, 11), (2023, 12), (2024, 1), (2024, 3)]
    assert [month[2] for month in months] == pytest.approx([0.1, -0.1, 1 / 99, 0.2])
    assert math.prod(1 + month[2] for month in months) - 1 == pytest.approx(figures.total_return(equity))


def test_best_and_worst_day_are_of_days_not_of_valuations() -> None:
    times = np.array([micros(d) for d in ("2024-01-01", "2024-01-02T10:00", "2024-01-02T20:00", "2024-01-03")])
    assert figures.best_and_worst_day(times, np.array([100.0, 50.0, 110.0, 99.0])) == pytest.approx((0.1, -0.1))
