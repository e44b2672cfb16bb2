"""Returns of an account that money flows into and out of.

Time-weighted: what one unit of money that was there all along would have made, whatever flowed (GIPS 2020 glossary,
"time-weighted return": sub-periods are cut at each external flow and linked geometrically). Money-weighted: the one
yearly rate at which all flows, grown to the end, make the final value (the internal rate of return; the day count is
actual/365, as Excel's and LibreOffice's XIRR have it).
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

YEAR_SECONDS = 365 * 86_400
# Rates of -99.99... % to 10^9 a year, on the axis ln(1 + rate): where bracketing looks for roots.
LOWEST, HIGHEST, STEPS = math.log(1e-9), math.log(1e9 + 1), 2_000
BISECTIONS = 65  # of the whole range, to 1e-18
Floats = npt.NDArray[np.float64]


class Sum(NamedTuple):
    """What all flows make beyond the value at a growth, and how that changes with the growth; both in one scale."""

    value: float
    slope: float


class TimeWeighted:
    """A time-weighted return, built up one sub-period after the other.

    Args:
        value: what the account is worth at the beginning.
    """

    def __init__(self, value: Decimal) -> None:
        self._growth: float | None = 1.0
        self._base = value

    def cut(self, before: Decimal, flow: Decimal) -> None:
        """End a sub-period at a flow: the account was worth `before`, and `before + flow` after it."""
        if self._base > 0 and self._growth is not None:
            self._growth *= float(before / self._base)
        elif before != self._base:
            self._growth = None  # what grew from nothing, or from a debt, grew by no ratio
        self._base = before + flow

    def result(self, value: Decimal) -> float | None:
        """The return up to now, 0.01 for 1 %; None where a sub-period began with nothing and ended with something."""
        if self._base > 0 and self._growth is not None:
            return self._growth * float(value / self._base) - 1
        return self._growth - 1 if self._growth is not None and value == self._base else None


def link(returns: Sequence[float | None]) -> float | None:
    """The return over consecutive periods; None where one of theirs is."""
    growth = 1.0
    for one in returns:
        if one is None:
            return None
        growth *= 1 + one
    return growth - 1


def money_weighted(flows: Sequence[tuple[datetime, Decimal]], value: Decimal, at: datetime) -> float | None:
    """The yearly rate r with sum(flow * (1 + r) ** (years to `at`)) = value.

    Args:
        flows: into the account positive, out of it negative, with their times.
        value: what the account is worth at `at`.

    It costs 68 evaluations of the sum where the flows and then the value change their sign once at most, as where
    money only came in; else 2,001, and 66 for each root and each turn towards zero, since only a grid says whether
    there is another one.

    Returns:
        None where there is no such rate, or more than one: no time has passed, nothing flowed in, all was lost (no
        finite rate gives 0), or the flows change sign so often that several rates fit (Descartes' rule of signs).
    """
    years = np.array([(at - time).total_seconds() / YEAR_SECONDS for time, _ in flows])
    amounts = np.array([float(amount) for _, amount in flows])
    if not np.any((years > 0) & (amounts != 0)):
        return None

    def excess(log_growth: float) -> Sum:
        return _excess(log_growth, years, amounts, float(value))

    # The value at the end counts as money that flows out last.
    in_time = np.append(amounts[np.argsort(-years, kind="stable")], -float(value))
    roots = _one_root(excess) if _sign_changes(in_time) <= 1 else _roots(excess)
    return math.expm1(roots[0]) if len(roots) == 1 else None


def _excess(log_growth: float, years: Floats, amounts: Floats, value: float) -> Sum:
    """What all flows, grown to the end, make beyond the value: divided by the largest growth, so as not to overflow."""
    scale = max(0.0, float(years.max()) * log_growth)
    grown = amounts * np.exp(years * log_growth - scale)
    return Sum(float(np.sum(grown)) - value * math.exp(-scale), float(np.sum(grown * years)))


def _sign_changes(amounts: Floats) -> int:
    signs = np.sign(amounts[amounts != 0])
    return int(np.count_nonzero(signs[1:] != signs[:-1]))


def _one_root(function: Callable[[float], Sum]) -> list[float]:
    """The root, if it is in the range, of a function whose terms change their sign once at most (Descartes)."""
    is_bracket = function(LOWEST).value * function(HIGHEST).value < 0
    return [_bisect(function, LOWEST, HIGHEST)] if is_bracket else []


def _roots(function: Callable[[float], Sum]) -> list[float]:
    """Where the function is zero between LOWEST and HIGHEST, by bisection.

    SciPy's brentq would do, but SciPy weighs 100 MB and is used in tests alone; bisection of the few brackets that a
    grid finds costs 66 evaluations each. Two roots within a step of the grid (2 % of growth) leave no change of sign:
    they are looked for where the function turns within a step. Three within one are found as one.
    """
    step = (HIGHEST - LOWEST) / STEPS
    grid = [LOWEST + k * step for k in range(STEPS + 1)]
    sums = [function(x) for x in grid]
    found = []
    for k in range(STEPS):
        low, high = sums[k], sums[k + 1]
        if low.value == 0.0:
            found.append(grid[k])
        elif low.value * high.value < 0:
            found.append(_bisect(function, grid[k], grid[k + 1]))
        elif low.value * low.slope < 0 and high.value * high.slope > 0:  # towards zero, and away from it
            found += _roots_of_turn(function, grid[k], grid[k + 1], sign=math.copysign(1.0, low.value))
    return found


def _roots_of_turn(function: Callable[[float], Sum], low: float, high: float, *, sign: float) -> list[float]:
    """The two roots between `low` and `high`, of whose sign the function is at both, if it goes past zero and back."""
    start, end = low, high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        value, slope = function(middle)
        if sign * value <= 0:
            return [_bisect(function, start, middle), _bisect(function, middle, end)]
        if sign * slope < 0:
            low = middle
        else:
            high = middle
    return []


def _bisect(function: Callable[[float], Sum], low: float, high: float) -> float:
    is_rising = function(low).value < 0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if (function(middle).value < 0) == is_rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2
