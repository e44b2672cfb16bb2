import json
import math

import numpy as np
import pytest

from strades_pipelines.analysis.returns import sharpe_ratio, simple_returns
from strades_pipelines.analysis.significance import Moments, deflated_sharpe_ratio
from strades_pipelines.analysis.significance_report import significance_report
from strades_pipelines.analysis.trials import Trial
from tests.analysis.runs import EQUITY, TIMES, run
from tests.analysis.series import calendar_days, micros, random_equity

RETURNS = simple_returns(EQUITY)


def trials(*ratios: float | None, periods_per_year: float | None = 252) -> list[Trial]:
    return [Trial("data", "code", "s", {"k": k}, r, 500, {}, periods_per_year) for k, r in enumerate(ratios)]


def test_every_trial_on_the_data_deflates_the_ratio() -> None:
    alone = significance_report(TIMES, EQUITY, samples=2)
    found = significance_report(TIMES, EQUITY, trials=trials(0.05, -0.03, None, 0.01), samples=2)
    assert (alone.trials, alone.threshold) == (1, 0.0)
    assert alone.dsr == alone.psr
    assert found.trials == 4
    assert found.dsr == deflated_sharpe_ratio(Moments.of(RETURNS), 4, float(np.var([0.05, -0.03, 0.01], ddof=1)))
    assert found.dsr < found.psr == alone.psr


def test_trials_valued_at_another_pace_are_brought_to_this_one() -> None:
    daily = significance_report(TIMES, EQUITY, trials=trials(0.06, -0.02), samples=2)
    hourly = significance_report(TIMES, EQUITY, trials=trials(0.06 / 2, -0.02 / 2, periods_per_year=252 * 4), samples=2)
    assert hourly.dsr == pytest.approx(daily.dsr)


def test_bands_are_annualised_as_the_figure_is() -> None:
    band = significance_report(TIMES, EQUITY, samples=200).bootstrap["sharpe"]
    assert band.actual == pytest.approx(sharpe_ratio(RETURNS, 252))
    assert band.lower < band.actual < band.upper


def test_a_long_intraday_run_is_drawn_from_by_the_day() -> None:
    times = micros("2024-01-01") + 3_600_000_000 * np.arange(9601)
    equity = random_equity(4, 9600, deviation=0.001)
    found = significance_report(times, equity, samples=20)
    days = equity[np.append(np.arange(23, 9600, 24), 9600)]
    assert found.observations == 9600
    assert found.bootstrap["sharpe"].actual == pytest.approx(sharpe_ratio(simple_returns(days), 365))


@pytest.mark.parametrize("equity", [[], [100.0], [100.0] * 5, [100.0, math.nan, 90.0]])
def test_nothing_to_judge_is_null_in_json(equity: list[float]) -> None:
    found = significance_report(
        calendar_days("2024-01-01", len(equity)), np.array(equity, np.float64), samples=5
    ).as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["psr"] is found["dsr"] is found["bootstrap"]["sharpe"]["median"] is None


def test_a_run_has_bands_over_its_trades() -> None:
    sheet = run()
    assert sheet.significance is not None
    assert sheet.significance.shuffle["final_equity"].actual == pytest.approx(
        EQUITY[0] + sheet.trades.closed().profit.sum()
    )
