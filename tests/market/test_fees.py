from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.market.fees import (
    Fee,
    MakerTakerFee,
    PercentFee,
    PerContractFee,
    PerShareFee,
    TieredFee,
    percent_fee,
)


def test_the_fee_is_the_rate_of_the_notional() -> None:
    assert percent_fee(Decimal(25), Decimal("12.34"), Decimal("0.001")) == Decimal("0.3085")


def test_the_fee_has_eight_decimals_and_halves_go_to_even() -> None:
    assert percent_fee(Decimal("0.00001"), Decimal("0.0005"), Decimal(1)) == Decimal("0.00000000")
    assert percent_fee(Decimal("0.00001"), Decimal("0.0015"), Decimal(1)) == Decimal("0.00000002")


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(1, 100))
def test_the_float_fee_is_the_exact_one(lots: int, ticks: int, basis_points: int) -> None:
    quantity, price, rate = Decimal(lots) / 10**5, Decimal(ticks) / 100, Decimal(basis_points) / 10**4
    fee = PercentFee(float(rate)).of(float(quantity), float(price), False)
    assert fee == pytest.approx(float(percent_fee(quantity, price, rate)), rel=1e-15, abs=1e-12)


@pytest.mark.parametrize(("shares", "price", "fee"), [(100, 25, 1.0), (1000, 25, 5.0), (1000, 0.25, 2.5)])
def test_a_fee_per_share_as_a_broker_publishes_it(shares: float, price: float, fee: float) -> None:
    """Interactive Brokers, US stocks, fixed: 0.005 a share, at least 1, at most 1 % of the trade; its own examples."""
    assert PerShareFee(0.005, 1.0, 0.01).of(shares, price, False) == fee


def test_who_waits_pays_another_rate_and_may_be_paid() -> None:
    fee = MakerTakerFee(-0.0002, 0.0005)
    assert fee.of(2, 1000, True) == -0.4
    assert fee.of(2, 1000, False) == 1.0


def test_tiers_fall_with_what_was_traded_before() -> None:
    fee = TieredFee([0, 1000, 5000], [0.01, 0.005, 0.001])
    assert [fee.of(10, 100, False) for _ in range(3)] == [10.0, 5.0, 5.0]
    assert fee.estimate(10, 100) == fee.estimate(10, 100) == 5.0
    assert fee.of(20, 100, False) == 10.0
    assert fee.of(1, 100, False) == 0.1


@pytest.mark.parametrize(
    ("floors", "rates"), [([], []), ([1.0], [0.1]), ([0.0, 2.0, 1.0], [0.1] * 3), ([0.0], [0.1, 0.2])]
)
def test_tiers_that_do_not_rise_from_zero(floors: list[float], rates: list[float]) -> None:
    with pytest.raises(ValueError, match="tiers: expected rising floors from 0 on, and as many rates"):
        TieredFee(floors, rates)


def test_a_fee_per_contract_and_none() -> None:
    assert PerContractFee(2.25).of(3, 250_000, False) == 6.75
    assert Fee().of(3, 250_000, False) == 0.0


@pytest.mark.parametrize(
    "make", [Fee, lambda: PercentFee(0.001), lambda: PerShareFee(0.01), lambda: PerContractFee(1.0)]
)
def test_an_estimate_is_the_fee(make: Callable[[], Fee]) -> None:
    assert make().estimate(7, 11.5) == make().of(7, 11.5, False)
