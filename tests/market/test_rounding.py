import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.market.rounding import exact, to_lots, to_ticks


def test_exact_is_the_decimal_a_person_would_write() -> None:
    assert exact(0.1) == Decimal("0.1")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_exact_refuses_what_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="expected a finite number"):
        exact(value)


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [("0.123456", "0.12345"), ("-0.123456", "-0.12345"), ("0.00001", "0.00001"), ("0.000009", "0"), ("3", "3")],
)
def test_quantities_are_cut_towards_zero(quantity: str, expected: str) -> None:
    assert to_lots(Decimal(quantity), Decimal("0.00001")) == Decimal(expected)


@pytest.mark.parametrize(("price", "expected"), [(28.98999977, "28.99"), (0.125, "0.12"), (0.135, "0.14"), (7.0, "7")])
def test_prices_go_to_the_nearest_tick_and_halves_to_even(price: float, expected: str) -> None:
    assert to_ticks(price, Decimal("0.01")) == Decimal(expected)


@pytest.mark.parametrize("quantity", ["1e300", "123456789012345678901234"])
def test_a_quantity_with_too_many_digits_is_refused(quantity: str) -> None:
    with pytest.raises(ValueError, match="at most 28 digits"):
        to_lots(Decimal(quantity), Decimal("0.00001"))


@given(st.decimals(-(10**9), 10**9, places=8), st.sampled_from(["1", "0.1", "0.00001", "0.25"]))
def test_lots_are_whole_and_never_more_than_asked_for(quantity: Decimal, lot: str) -> None:
    cut = to_lots(quantity, Decimal(lot))
    assert cut % Decimal(lot) == 0
    assert abs(cut) <= abs(quantity) < abs(cut) + Decimal(lot)
