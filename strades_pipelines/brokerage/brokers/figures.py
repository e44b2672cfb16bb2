"""Numbers and ids as venues write them."""

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


def identifier(value: Any) -> str:
    """A venue's id of something: a fill is booked once by it, so that one without an id cannot be booked.

    Raises:
        ValueError: there is none.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise ValueError(f"expected an id, was {value!r}")
    return str(value)
