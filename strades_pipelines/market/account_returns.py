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

YEAR_SECONDS = 365 * 86_400
# Rates of -99.99... % to 10^9 a year, on the axis ln(1 + rate): where bracketing looks for roots.
LOWEST, HIGHEST, STEPS = math.log(1e-9), math.log(1e9 + 1), 2_000


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

    Returns:
        None where there is no such rate, or more than one: no time has passed, nothing flowed in, all was lost (no
        finite rate gives 0), or the flows change sign so often that several rates fit (Descartes' rule of signs).
    """
    dated = [((at - time).total_seconds() / YEAR_SECONDS, float(amount)) for time, amount in flows]
    if not any(years > 0 and amount for years, amount in dated):
        return None

    def excess(log_growth: float) -> float:
        # Divided by the largest term, so that high rates over many years do not overflow.
        scale = max(0.0, max(years for years, _ in dated) * log_growth)
        grown = sum(amount * math.exp(years * log_growth - scale) for years, amount in dated)
        return grown - float(value) * math.exp(-scale)

    roots = _roots(excess)
    return math.expm1(roots[0]) if len(roots) == 1 else None


def _roots(function: Callable[[float], float]) -> list[float]:
    """Where the function changes its sign between LOWEST and HIGHEST, by bisection.

    SciPy's brentq would do, but SciPy weighs 100 MB and is used in tests alone; bisection of the few brackets that a
    grid finds costs 60 evaluations each.
    """
    step = (HIGHEST - LOWEST) / STEPS
    grid = [LOWEST + k * step for k in range(STEPS + 1)]
    values = [function(x) for x in grid]
    found = []
    for k in range(STEPS):
        low, high = grid[k], grid[k + 1]
        if values[k] == 0.0:
            found.append(low)
        elif values[k] * values[k + 1] < 0:
            found.append(_bisect(function, low, high))
    return found


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    is_rising = function(low) < 0
    for _ in range(60):
        middle = (low + high) / 2
        if (function(middle) < 0) == is_rising:
            low = middle
        else:
            high = middle
    return (low + high) / 2
