"""How far the account fell from its peak, and for how long."""

from dataclasses import dataclass

import numpy as np

from strades_pipelines.analysis.arrays import DAY, Floats, Ints


@dataclass(frozen=True)
class Drawdown:
    """One fall: rows of the peak, the trough and the recovery (None while it lasts); depth is a fraction <= 0."""

    peak: int
    trough: int
    recovery: int | None
    depth: float


def drawdowns(equity: Floats) -> Floats:
    """E[t] / max(E[..t]) - 1, shape (n,), never above 0. nan from the first value that is not a number on.

    Also nan while the peak is not positive: there is nothing to have a fraction of.
    """
    peak = np.maximum.accumulate(equity)
    result = np.full(len(equity), np.nan)
    np.divide(equity, peak, out=result, where=(peak > 0) & np.isfinite(peak) & np.isfinite(equity))
    return result - 1.0


def max_drawdown(equity: Floats) -> float:
    """The deepest fall as a fraction <= 0: 0 for an account that never fell, nan for none or undefined values."""
    return float(np.min(drawdowns(equity))) if len(equity) else np.nan


def longest_drawdown(times: Ints, equity: Floats) -> tuple[float, float]:
    """The longest stretch below a former peak: valuations from the peak to the recovery, or to the end, and days.

    Not always the deepest one. (0, 0) for an account that never fell, nan where equity is.
    """
    below = drawdowns(equity)
    if len(below) == 0 or np.any(np.isnan(below)):
        return np.nan, np.nan
    found = stretches(below)
    if not found:
        return 0.0, 0.0
    peaks, ends = np.array(found).T
    return float(np.max(ends - peaks)), float(np.max(times[ends] - times[peaks]) / DAY)


def deepest(equity: Floats, count: int = 5) -> list[Drawdown]:
    """The deepest falls, deepest first; each from its peak to its recovery. Empty where equity has a nan."""
    below = drawdowns(equity)
    if len(below) == 0 or np.any(np.isnan(below)):
        return []
    falls = [_fall(below, peak, end) for peak, end in stretches(below)]
    return sorted(falls, key=lambda fall: fall.depth)[:count]


def stretches(below: Floats) -> list[tuple[int, int]]:
    """(row of the peak, row of the recovery or the last row) of each stretch of drawdowns under 0."""
    under = np.concatenate(([False], below < 0, [False])).astype(np.int8)
    starts, ends = np.flatnonzero(np.diff(under) == 1), np.flatnonzero(np.diff(under) == -1)
    # The row before the first one under a peak is the peak.
    return [(int(a) - 1, min(int(b), len(below) - 1)) for a, b in zip(starts, ends, strict=True)]


def _fall(below: Floats, peak: int, end: int) -> Drawdown:
    trough = peak + int(np.argmin(below[peak : end + 1]))
    return Drawdown(peak, trough, end if below[end] == 0 else None, float(below[trough]))


def calmar_ratio(cagr: float, max_drawdown: float) -> float:
    """Compound annual growth over the depth of the deepest fall, both of the whole record. nan without a fall.

    Young 1991, "Calmar Ratio: A Smoother Tool", takes the last 36 months; over the whole record as empyrical does.
    """
    return cagr / -max_drawdown if max_drawdown < 0 else np.nan
