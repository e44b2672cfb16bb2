from decimal import Decimal

from strades_pipelines.market.fees import percent_fee


def test_the_fee_is_the_rate_of_the_notional() -> None:
    assert percent_fee(Decimal(25), Decimal("12.34"), Decimal("0.001")) == Decimal("0.3085")


def test_the_fee_has_eight_decimals_and_halves_go_to_even() -> None:
    assert percent_fee(Decimal("0.00001"), Decimal("0.0005"), Decimal(1)) == Decimal("0.00000000")
    assert percent_fee(Decimal("0.00001"), Decimal("0.0015"), Decimal(1)) == Decimal("0.00000002")
