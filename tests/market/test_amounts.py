from decimal import Decimal

import pytest

from strades_pipelines.market.amounts import CURRENCY, amount_fault


@pytest.mark.parametrize("amount", ["1", "-0.000000000000000001", "999999999999999.99", "1e14", "1.50000"])
def test_an_amount_that_can_be_booked_has_no_fault(amount: str) -> None:
    assert amount_fault(Decimal(amount)) is None


@pytest.mark.parametrize("amount", ["0", "-0.0", "NaN", "-Infinity", "sNaN", "1e15", "1e-19", "0.1000000000000000001"])
def test_what_is_none_too_much_or_too_fine_is_named(amount: str) -> None:
    assert (amount_fault(Decimal(amount)) or "").startswith("expected ")


def test_a_currency_is_two_to_twelve_capitals_or_digits() -> None:
    assert all(CURRENCY.fullmatch(code) for code in ("EUR", "USDT", "GT", "1INCH", "C" * 12))
    assert not any(CURRENCY.fullmatch(code) for code in ("", "E", "eur", "EU R", "EUR\n", "C" * 13))
