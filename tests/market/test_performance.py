from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from strades_pipelines.market.performance import activity, buy_and_hold, statistics
from tests.strategy.builders import fill_event

START = datetime(2023, 1, 1, tzinfo=UTC)
# Four observations, a year apart from first to last.
TIMES = [START + timedelta(days=365.25 / 3 * i) for i in range(4)]


def test_statistics_of_a_small_curve() -> None:
    # Returns 0.1, -0.2, 0.25: mean 0.05, sample variance (0.05^2 + 0.25^2 + 0.2^2) / 2 = 0.0525, three a year.
    measured = statistics(TIMES, np.array([100.0, 110.0, 88.0, 110.0]))
    assert measured["total_return"] == pytest.approx(0.1)
    assert measured["cagr"] == pytest.approx(0.1)
    assert measured["volatility"] == pytest.approx((0.0525 * 3) ** 0.5)
    assert measured["sharpe"] == pytest.approx(0.05 / 0.0525**0.5 * 3**0.5)
    assert measured["max_drawdown"] == pytest.approx(-0.2)
    assert measured["final_equity"] == 110.0


def test_cagr_of_half_a_year_is_squared() -> None:
    times = [START, START + timedelta(days=365.25 / 2)]
    assert statistics(times, np.array([100.0, 110.0]))["cagr"] == pytest.approx(0.21)


@pytest.mark.parametrize("equity", [[100.0], [100.0, 100.0], [100.0, 100.0, 100.0]])
def test_what_is_not_defined_is_none(equity: list[float]) -> None:
    assert statistics(TIMES[: len(equity)], np.array(equity))["sharpe"] is None


def test_less_than_a_month_is_not_brought_to_a_year() -> None:
    times = [START, START + timedelta(minutes=5)]
    assert statistics(times, np.array([100.0, 110.0]))["cagr"] is None


def test_a_curve_without_observations_has_no_statistics() -> None:
    assert statistics([], np.array([])) == {"observations": 0}


def test_activity_counts_what_was_done() -> None:
    fills = [fill_event("buy", "2", "10", fee="0.02"), fill_event("sell", "2", "15", fee="0.03")]
    done = activity(fills, np.array([100.0, 90.0, 110.0]), np.array([0.0, 20.0, 0.0]))
    assert done == {"trades": 2, "traded": 50.0, "fees": 0.05, "turnover": 0.5, "exposure": pytest.approx(1 / 3)} | {
        "round_trips": 1,
        "won": 1,
        "hit_rate": 1.0,
    }


def test_buy_and_hold_splits_the_capital_and_waits_for_late_listings() -> None:
    prices = np.array([[10.0, np.nan], [20.0, 4.0], [5.0, 5.0]])
    # 50 in each: 50 + 50, 100 + 50, 25 + 62.5.
    assert buy_and_hold(prices, 100.0).tolist() == [100.0, 150.0, 87.5]
