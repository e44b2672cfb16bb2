"""Numbers as venues write them."""

from decimal import Decimal, InvalidOperation
from typing import Any


def figure(value: Any, *, positive: bool = False) -> Decimal:
    """A number of a venue's answer, exactly as it stands there.

    Raises:
        ValueError: it is none, not finite, or not more than nothing where it has to be.
    """
    try:
        number = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"expected a number, was {value!r}") from None
    if isinstance(value, bool) or not number.is_finite() or (positive and number <= 0):
        raise ValueError(f"expected a number{' above 0' if positive else ''}, was {value!r}")
    return number
