"""Numbers, times and ids as venues write them: what the books could not keep is no answer."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

MOST_DIGITS = 30  # before the point, and behind it
MOST_LETTERS = 200
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def figure(value: Any, *, positive: bool = False) -> Decimal:
    """A number of a venue's answer, exactly as it stands there.

    Raises:
        ValueError: it is none, not finite, too long, or not more than nothing where it has to be.
    """
    try:
        # Decimal(0.1) has 55 digits; `repr` is the shortest text of the same float, which is what the venue wrote.
        number = Decimal(repr(value) if isinstance(value, float) else value)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"expected a number, was {value!r:.100}") from None
    # For Python `true` is the number 1.
    is_number = isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool) and number.is_finite()
    if not is_number or (positive and number <= 0):
        raise ValueError(f"expected a number{' above 0' if positive else ''}, was {value!r:.100}")
    # `1e999999` is finite and eight letters long, and a million digits once it is written out.
    exponent = number.as_tuple().exponent
    if number.adjusted() > MOST_DIGITS or not isinstance(exponent, int) or exponent < -MOST_DIGITS:
        raise ValueError(f"expected a number of at most {MOST_DIGITS} digits, was {value!r:.100}")
    return number


def instant(value: Any) -> datetime:
    """A time of a venue's answer in ISO 8601, UTC.

    Raises:
        ValueError: it is none, has no offset, or is of another age.
    """
    if not isinstance(value, str):
        raise ValueError(f"expected a time, was {value!r:.100}")
    time = datetime.fromisoformat(value)
    if time.tzinfo is None or not FIRST <= time < LAST:
        raise ValueError(f"expected a time with its offset, of 2000 to 2199, was {value!r:.100}")
    return time.astimezone(UTC)


def identifier(value: Any) -> str:
    """A venue's id or name of something: a fill is booked once by it, so that one without an id cannot be booked.

    Raises:
        ValueError: there is none, or no text that can be kept.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise ValueError(f"expected an id, was {value!r:.100}")
    text = str(value)
    # PostgreSQL keeps no NUL in a text: such an id ended the pass and halted the wallet.
    if len(text) > MOST_LETTERS or not text.isprintable():
        raise ValueError(f"expected an id of at most {MOST_LETTERS} letters, was {text[:100]!r}")
    return text
