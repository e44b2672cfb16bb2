"""Exact decimal numbers: formatting and rounding to a step."""

from decimal import ROUND_DOWN, Decimal, localcontext

PRECISION = 60  # digits, more than any product of a price and a quantity here


def plain(value: Decimal) -> str:
    """Format a number without exponent and trailing zeros, as both providers do."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def rounded(value: Decimal, decimals: int) -> str:
    """Format a number truncated to `decimals` places, without trailing zeros."""
    return plain(floor_to(value, Decimal(1).scaleb(-decimals)))


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round `value` towards zero to a multiple of `step`."""
    with localcontext() as context:
        context.prec = PRECISION
        return (value / step).quantize(Decimal(1), rounding=ROUND_DOWN) * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of steps."""
    return floor_to(value, step) == value
