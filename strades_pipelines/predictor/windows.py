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


def window_weighted(values: Floats, weights: Floats) -> Floats:
    """The sum of each window's values times `weights`, shape (width,), of which the last is the newest value's."""
    width, count = len(weights), len(values) - len(weights) + 1
    result = np.full(len(values), np.nan)
    if count > 0:
        total = values[:count] * weights[0]
        for lag in range(1, width):
            total += values[lag : lag + count] * weights[lag]
        result[width - 1 :] = total
    return result


def window_slope(values: Floats, width: int) -> Floats:
    """The slope of the least-squares line through each window, a value a place."""
    place = np.arange(width) - (width - 1) / 2.0
    return window_weighted(values, place / np.sum(place**2))


def window_ema(values: Floats, width: int, length: int) -> Floats:
    """An exponential mean of smoothing 2 / (length + 1), of the last `width` values only, their weights adding up to 1.

    The usual recursion never forgets where history began; what it holds beyond `width` weighs
    `(1 - 2 / (length + 1)) ** width`.
    """
    weights = (1.0 - 2.0 / (length + 1)) ** np.arange(width - 1, -1, -1)
    return window_weighted(values, weights / np.sum(weights))


def window_skew(values: Floats, width: int) -> Floats:
    """Fisher's skewness m3 / m2 ** 1.5 of each window's population; NaN where all its values are equal."""
    mean = window_mean(values, width)
    second, third = np.zeros_like(mean), np.zeros_like(mean)
    for lag in range(width):
        difference = earlier(values, lag) - mean
        second += difference**2
        third += difference**3
    scale = np.where(second > 0.0, second / width, np.nan) ** 1.5
    return third / width / scale


def window_correlation(first: Floats, second: Floats, width: int) -> Floats:
    """Pearson's correlation of each two windows, in two passes; NaN where one of them does not move."""
    mean_first, mean_second = window_mean(first, width), window_mean(second, width)
    products, squares_first, squares_second = (np.zeros_like(mean_first) for _ in range(3))
    for lag in range(width):
        a, b = earlier(first, lag) - mean_first, earlier(second, lag) - mean_second
        products += a * b
        squares_first += a * a
        squares_second += b * b
    scale = np.sqrt(squares_first) * np.sqrt(squares_second)
    return products / np.where(scale > 0.0, scale, np.nan)


def window_max(values: Floats, width: int) -> Floats:
    """The largest of each value and the `width - 1` before it."""
    result = values.copy()
    for lag in range(1, width):
        result = np.maximum(result, earlier(values, lag))
    return result


def window_min(values: Floats, width: int) -> Floats:
    """The least of each value and the `width - 1` before it."""
    return -window_max(-values, width)


def since_max(values: Floats, width: int) -> Floats:
    """How many places ago the largest of the last `width` values was, the latest of equals."""
    largest = window_max(values, width)
    result = np.full(len(values), np.nan)
    for lag in range(width - 1, -1, -1):
        result = np.where(earlier(values, lag) == largest, float(lag), result)
    return result


def earlier(values: Floats, lag: int = 1) -> Floats:
    """The values `lag` places before; NaN where there are none."""
    result = np.empty(len(values))
    result[:lag], result[lag:] = np.nan, values[: max(len(values) - lag, 0)]
    return result


def log_change(values: Floats, lag: int) -> Floats:
    """The logarithm of each value over the one `lag` places before it."""
    result = np.full(len(values), np.nan)
    result[lag:] = np.log(values[lag:] / values[: len(values) - lag]) if len(values) > lag else result[lag:]
    return result


def trailing_max(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """The largest of each value and those of the `width - 1` before it that there are; never missing."""
    result = values.copy()
    if np.all(values[1:] >= values[:-1]):
        return result
    for lag in range(1, min(width, len(values))):
        np.maximum(result[lag:], values[: len(values) - lag], out=result[lag:])
    return result
