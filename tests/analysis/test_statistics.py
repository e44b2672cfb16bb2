import json
import math
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.analysis.arrays import DAY
from strades_pipelines.analysis.fills import Fills
from strades_pipelines.analysis.statistics import summary
from strades_pipelines.analysis.trade_statistics import hit_rate, profit_factor, sqn
from tests.analysis.series import business_days, calendar_days, random_equity

PROFITS = np.array([30.0, -10.0, 20.0, 0.0, -15.0])


def test_figures_of_trades_by_hand() -> None:
    made = Fills.of(range(10), [0] * 10, [1, -1] * 5, np.column_stack((np.full(5, 100.0), 100 + PROFITS)).ravel())
    figures = summary(calendar_days("2024-01-01", 3), [1000, 1010, 1025], fills=made)
    assert figures["trades"] == 5
    assert figures["hit_rate"] == pytest.approx(0.4)
    assert figures["profit_factor"] == pytest.approx(2.0)
    assert figures["expectancy"] == pytest.approx(5.0)
    assert figures["expectancy_return"] == pytest.approx(0.05)
    assert figures["average_win"] == pytest.approx(25.0)
    assert figures["average_loss"] == pytest.approx(-12.5)
    # Squared distances from 5: 625, 225, 225, 25, 400.
    assert figures["sqn"] == pytest.approx(math.sqrt(5) * 5 / math.sqrt(1500 / 4))


def test_expectancy_is_hits_times_win_less_misses_times_loss() -> None:
    profits = PROFITS[PROFITS != 0]
    hits = hit_rate(profits)
    by_parts = hits * profits[profits > 0].mean() + (1 - hits) * profits[profits < 0].mean()
    assert profits.mean() == pytest.approx(by_parts)


def test_undefined_figures_of_trades() -> None:
    assert math.isnan(profit_factor(np.array([1.0, 2.0])))
    assert profit_factor(np.array([-1.0])) == 0.0
    assert math.isnan(sqn(np.array([5.0])))
    assert math.isnan(sqn(np.array([5.0, 5.0])))


def test_exposure_turnover_and_fees_by_hand() -> None:
    times = np.array([0, 730.5 * DAY]).astype(np.int64)
    made = Fills.of([1, 2], [0, 0], [10, -10], [10, 12], fee=1.5)
    figures = summary(times, [100, 120], exposure=[0.0, 0.5], fills=made)
    assert figures["exposure"] == 0.25
    assert figures["time_in_market"] == 0.5
    assert figures["turnover"] == pytest.approx((100 + 120) / 110 / 2)
    assert (figures["fills"], figures["fees"]) == (2, 3.0)


def test_what_is_inferred_can_be_given() -> None:
    times, equity = business_days("2020-01-01", 301), random_equity(1, 300)
    inferred, given_ = summary(times, equity), summary(times, equity, periods_per_year=252)
    monthly = summary(times, equity, periods_per_year=12)
    assert inferred == given_
    assert monthly["sharpe"] == pytest.approx(float(inferred["sharpe"] or 0) * math.sqrt(12 / 252))


def test_the_benchmark_itself_has_beta_one_and_no_alpha() -> None:
    equity = random_equity(2, 250)
    figures = summary(business_days("2020-01-01", 251), equity, benchmark=equity / 7)
    assert figures["beta"] == pytest.approx(1.0)
    assert figures["alpha"] == pytest.approx(0.0, abs=1e-12)
    assert figures["benchmark_return"] == pytest.approx(figures["total_return"])


def test_datetime64_of_any_unit_is_the_same_instant() -> None:
    days = np.arange("2024-01-01", "2024-02-01", dtype="datetime64[D]")
    equity = random_equity(3, 30)
    assert summary(days, equity) == summary(calendar_days("2024-01-01", 31), equity)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"times": [1, 2], "equity": [1.0]}, "one length"),
        ({"times": [2, 1], "equity": [1.0, 2.0]}, "ascending"),
        ({"times": [1, 2], "equity": [1.0, 2.0], "exposure": [1.0]}, "one length"),
        ({"times": [1, 2], "equity": [1.0, 2.0], "benchmark": [1.0]}, "one length"),
        ({"times": [1], "equity": [[1.0]]}, "one dimension"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summary(**arguments)


anything = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.0, 100.0, math.inf, math.nan, 5e-324, 1e308]))
rows = st.lists(st.tuples(st.integers(0, 2**52), anything, anything, anything), max_size=12)


@settings(max_examples=300)
@given(rows)
def test_no_values_make_a_warning_or_what_json_has_not(values: list[tuple[int, float, float, float]]) -> None:
    times = np.sort(np.array([row[0] for row in values], np.int64))
    equity, exposure, benchmark = (np.array([row[k] for row in values], np.float64) for k in (1, 2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = summary(times, equity, exposure=exposure, benchmark=benchmark)
    assert list(figures) == list(summary([], []))
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
