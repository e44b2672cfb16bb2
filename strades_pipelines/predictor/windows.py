"""Windowed sums that see their own window and nothing else.

Every result is the sum of its window's values, added oldest first, one vectorised addition a lag. A cumulative sum, or
a sum whose order depends on the array's length, would change in its last bits with the day history starts at, and would
carry one bad price into every later value. Arrays are float64 of shape (n,), oldest first; results have the same shape,
NaN where the window is not complete or holds a NaN.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def window_sum(values: Floats, width: int) -> Floats:
    """The sum of each value and the `width - 1` before it."""
    count = len(values) - width + 1
    result = np.full(len(values), np.nan)
    if count > 0:
        total = values[:count].copy()
        for lag in range(1, width):
            total += values[lag : lag + count]
        result[width - 1 :] = total
    return result


def window_mean(values: Floats, width: int) -> Floats:
    """The mean of each value and the `width - 1` before it."""
    return window_sum(values, width) / width


def window_std(values: Floats, width: int) -> Floats:
    """The sample standard deviation (divisor `width - 1`) of each value and those before it, in two passes."""
    count = len(values) - width + 1
    result = np.full(len(values), np.nan)
    if count > 0:
        mean = window_mean(values, width)[width - 1 :]
        total = np.zeros(count)
        for lag in range(width):
            total += (values[lag : lag + count] - mean) ** 2
        result[width - 1 :] = np.sqrt(total / (width - 1))
    return result


def log_change(values: Floats, lag: int) -> Floats:
    """The logarithm of each value over the one `lag` places before it."""
    result = np.full(len(values), np.nan)
    result[lag:] = np.log(values[lag:] / values[: len(values) - lag]) if len(values) > lag else result[lag:]
    return result


def trailing_max(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """The largest of each value and those of the `width - 1` before it that there are; never missing."""
    result = values.copy()
    for lag in range(1, min(width, len(values))):
        np.maximum(result[lag:], values[: len(values) - lag], out=result[lag:])
    return result
