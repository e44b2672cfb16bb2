"""The curve of an account without what flowed in and out."""

from decimal import Decimal

import numpy as np
import pytest

from strades_pipelines.brokerage.equity_curve import growth_curve
from strades_pipelines.brokerage.movements import CashFlow

TIMES = np.array([1, 2, 3, 4], np.int64)


def test_a_deposit_is_no_growth() -> None:
    """100 grow to 110; with 50 more, 160 grow to 165 and 330: by 10 %, 3.125 % and 100 %."""
    flows = [CashFlow(3, Decimal(50), is_external=True), CashFlow(4, Decimal(7), is_external=False)]
    found = growth_curve(TIMES, np.array([100.0, 110.0, 165.0, 330.0]), flows)
    assert found.tolist() == pytest.approx([100.0, 110.0, 113.4375, 226.875])


def test_where_all_was_taken_out_the_curve_stays_level() -> None:
    flows = [CashFlow(3, Decimal(-110), is_external=True)]
    found = growth_curve(TIMES, np.array([100.0, 110.0, 0.0, 0.0]), flows)
    assert found.tolist() == pytest.approx([100.0, 110.0, 110.0, 110.0])


def test_without_external_flows_it_is_the_equity() -> None:
    equity = np.array([100.0, 90.0, 95.0, 99.0])
    assert growth_curve(TIMES, equity, [CashFlow(2, Decimal(-3), is_external=False)]) is equity
