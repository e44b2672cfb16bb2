"""How returns are spread: mean, deviation, extremes and a histogram. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

MOST_BINS = 40  # as many bars as a chart on a phone has room for


@dataclass(frozen=True)
class ReturnSpread:
    """Simple returns, 0.01 for 1 %; None is not defined.

    Args:
        deviation: of a sample (n - 1).
        bin_edges: ascending, one more than there are bins; empty without a return.
        bin_counts: returns a bin, which has its lower edge in it and not its upper one; the last bin has both.
    """

    mean: float | None
    deviation: float | None
    worst: float | None
    best: float | None
    bin_edges: list[float]
    bin_counts: list[int]


def return_spread(returns: Sequence[float]) -> ReturnSpread:
    """Describe finite returns; bins are of equal width, by the rule of Freedman and Diaconis (1981), at most 40."""
    if not returns:
        return ReturnSpread(None, None, None, None, [], [])
    values = np.asarray(returns, np.float64)
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, bins=_bins(values, low, high))
    return ReturnSpread(
        float(values.mean()),
        float(values.std(ddof=1)) if len(values) > 1 else None,
        low,
        high,
        edges.tolist(),
        counts.tolist(),
    )


def _bins(values: "np.typing.NDArray[np.float64]", low: float, high: float) -> int:
    """The bins of width 2 x interquartile range / cube root of n; without such a range, one a return.

    One where all returns are the same, or differ by rounding alone: no float lies between such edges.
    """
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        return 1
    upper, lower = np.percentile(values, [75, 25])
    width = 2 * float(upper - lower) / len(values) ** (1 / 3)
    wanted = (high - low) / width if width > 0 else len(values)
    return int(min(MOST_BINS, max(1, np.ceil(wanted))))
