"""Exact decimal numbers: written without exponent, rounded down to a step."""

from decimal import ROUND_DOWN, Decimal, localcontext

PRECISION = 60  # digits: no product of a price and a quantity here has as many


def plain(value: Decimal) -> str:
    """A number without exponent and without trailing zeros, as both providers print it."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def rounded(value: Decimal, decimals: int) -> str:
    """A number cut to `decimals` places, without trailing zeros."""
    return plain(floor_to(value, Decimal(1).scaleb(-decimals)))


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` that is nearest to `value` from the side of zero."""
    with localcontext() as context:
        context.prec = PRECISION
        return (value / step).quantize(Decimal(1), rounding=ROUND_DOWN) * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of steps."""
    return floor_to(value, step) == value
