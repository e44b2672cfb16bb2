"""Where floats become exact: quantities in lots, prices in ticks."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from fractions import Fraction

# Sums and products of money keep all their digits, as those of the database's numeric do: a coin's quantity has up to
# 18 decimals, and times a price of 8 that is more than the 28 digits of Python's default context.
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
# What no decimal is exactly, a third of a unit say, is kept to so many.
SHARE_UNIT = Decimal("0.0000000001")


def exact(value: float) -> Decimal:
    """The decimal a person would write for a float: 0.1 is 0.1, not 0.1000000000000000055.

    Raises:
        ValueError: when the value is not a finite number.
    """
    number = Decimal(repr(float(value)))
    if not number.is_finite():
        raise ValueError(f"expected a finite number, was {value!r}")
    return number


def scaled(amount: Decimal, ratio: Fraction) -> Decimal:
    """The amount times a ratio: exact where a decimal can be, else to ten decimals."""
    whole = Fraction(amount) * ratio
    quotient = EXACT.divide(Decimal(whole.numerator), Decimal(whole.denominator))
    is_decimal = 10 ** whole.denominator.bit_length() % whole.denominator == 0  # no prime factors but 2 and 5
    return quotient if is_decimal else quotient.quantize(SHARE_UNIT, ROUND_HALF_EVEN, EXACT)


def to_lots(quantity: Decimal, lot: Decimal) -> Decimal:
    """The quantity in whole lots, towards zero: never more than was asked for.

    Raises:
        ValueError: when it has more digits than can be traded exactly.
    """
    return _whole(quantity, lot, ROUND_DOWN)


def to_ticks(price: float, tick: Decimal) -> Decimal:
    """The price in whole ticks, or a float's quantity in whole lots, to the nearest, half to even.

    Raises:
        ValueError: when it is not finite or has more digits than can be traded exactly.
    """
    return _whole(exact(price), tick, ROUND_HALF_EVEN)


def _whole(value: Decimal, unit: Decimal, rounding: str) -> Decimal:
    try:
        return (value / unit).quantize(Decimal(1), rounding=rounding) * unit
    except InvalidOperation:
        raise ValueError(f"expected at most 28 digits in units of {unit}, was {value}") from None
