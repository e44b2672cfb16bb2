"""What an amount of money that a person gives may be."""

import re
from decimal import Decimal

CURRENCY = re.compile(r"[A-Z0-9]{2,12}")
MOST_DECIMALS, LARGEST = 18, Decimal(10) ** 15


def amount_fault(amount: Decimal) -> str | None:
    """What is wrong with an amount; None where it can be booked."""
    if not amount.is_finite() or amount == 0:
        return f"expected a finite number other than 0, was {amount}"
    exponent = amount.normalize().as_tuple().exponent
    if abs(amount) >= LARGEST or (isinstance(exponent, int) and -exponent > MOST_DECIMALS):
        return f"expected less than 10^15 with at most {MOST_DECIMALS} decimals, was {amount}"
    return None
