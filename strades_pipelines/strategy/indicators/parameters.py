"""The check of a constructor's parameters; it runs outside compiled code."""

import math


def whole(what: str, number: int, least: int = 1) -> int:
    """Return `number` if it is an int of `least` or more; else raise ValueError naming `what`."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError(f"{what}: expected a whole number, was {number!r}")
    if number < least:
        raise ValueError(f"{what}: expected {least} or more, was {number}")
    return number


def positive(what: str, number: float) -> float:
    """Return `number` as a float if it is finite and above zero; else raise ValueError naming `what`."""
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{what}: expected a number above 0, was {number!r}")
    return float(number)
