"""The fee of a fill: one function, so that every engine and the ledger take the same."""

from decimal import ROUND_HALF_EVEN, Decimal

FEE_UNIT = Decimal("0.00000001")


def percent_fee(quantity: Decimal, price: Decimal, rate: Decimal) -> Decimal:
    """`rate` of the notional (0.001 is 0.1 %), in the quote currency, to 8 decimals, half to even."""
    return (quantity * price * rate).quantize(FEE_UNIT, rounding=ROUND_HALF_EVEN)
