"""The check of a constructor's parameters; it runs outside compiled code."""

import math

# A window is memory of every instrument and set of a sweep: a slip of the keyboard must not take all of it.
LONGEST = 1_000_000


def whole(what: str, number: int, least: int = 1) -> int:
    """Return `number` if it is an int from `least` to a million; else raise ValueError naming `what`."""
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError(f"{what}: expected a whole number, was {number!r}")
    if number < least:
        raise ValueError(f"{what}: expected {least} or more, was {number}")
    if number > LONGEST:
        raise ValueError(f"{what}: expected {LONGEST} or less, was {number}")
    return number


def positive(what: str, number: float) -> float:
    """Return `number` as a float if it is finite and above zero; else raise ValueError naming `what`."""
    if not math.isfinite(number) or number <= 0:
        raise ValueError(f"{what}: expected a number above 0, was {number!r}")
    return float(number)


def between(what: str, number: float, least: float, most: float) -> float:
    """Return `number` as a float if it is in [`least`, `most`]; else raise ValueError naming `what`."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not least <= number <= most:
        raise ValueError(f"{what}: expected a number from {least:g} to {most:g}, was {number!r}")
    return float(number)
