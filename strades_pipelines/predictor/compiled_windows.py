"""Statistics of windows of several widths at once, in machine code: one pass over the rows of many listings.

Each function is compiled when it is first called, and the code kept on disk. Each statistic is computed from its own
window only, newest value first: neither the start of history nor an old price changes a bit of it.

Arguments that all functions share, of n bars of several listings, one listing after the other, oldest bar first:

    values: float64 of shape (n,).
    age: int64 of shape (n,), how many bars of the same listing the window of a bar may reach back; -1 for none.
    row: int64 of shape (n,), where a bar's statistics go; -1 where they are not wanted.
    widths: int64 of shape (w,), how many values a window has, rising.
    extra: how many bars before its window a value needs, as a change needs the bar before.

Results are float64 of shape (w, 1 + the largest row), NaN where the window is not complete.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.settings import settings

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """The function in machine code, which runs without Python's lock.

    Numba takes half a second to import, so it comes in with the first call. No `fastmath`: sums keep their order. A
    division by zero gives infinity or NaN, as in NumPy.
    """

    @cache
    def machine_code() -> Any:
        from numba import config, njit

        # In a container the code's own folder is read-only.
        config.CACHE_DIR = str(settings().home / "compiled_windows")  # type: ignore[attr-defined]
        return njit(cache=True, nogil=True, error_model="numpy")(function)

    @wraps(function)
    def call(*given: Any) -> Any:
        return machine_code()(*given)

    return cast(Function, call)


@compiled
def window_sums(values: Floats, age: Indices, row: Indices, widths: Indices, extra: int) -> Floats:
    """The sum of each window."""
    sums = np.full((len(widths), row.max() + 1), np.nan)
    for i in range(len(values)):
        if row[i] < 0:
            continue
        total, lag = 0.0, 0
        for w in range(len(widths)):
            if age[i] < widths[w] - 1 + extra:
                break
            while lag < widths[w]:
                total += values[i - lag]
                lag += 1
            sums[w, row[i]] = total
    return sums


@compiled
def window_lines(
    values: Floats, age: Indices, row: Indices, widths: Indices, extra: int
) -> tuple[Floats, Floats, Floats]:
    """Mean, sample standard deviation, and slope of the least-squares line, a value a bar.

    Sums are of differences from the window's newest value: they lose no digits where values are large and near each
    other, and a window of equal values has a deviation of exactly 0.
    """
    means = np.full((len(widths), row.max() + 1), np.nan)
    deviations, slopes = means.copy(), means.copy()
    for i in range(len(values)):
        if row[i] < 0:
            continue
        total, squares, weighted, lag = 0.0, 0.0, 0.0, 0
        for w in range(len(widths)):
            width = widths[w]
            if age[i] < width - 1 + extra:
                break
            while lag < width:
                difference = values[i - lag] - values[i]
                total += difference
                squares += difference * difference
                weighted += lag * difference
                lag += 1
            means[w, row[i]] = values[i] + total / width
            spread = squares - total * (total / width)
            deviations[w, row[i]] = np.sqrt(spread / (width - 1)) if spread > 0.0 else spread * 0.0
            slopes[w, row[i]] = ((width - 1) / 2.0 * total - weighted) / (width * (width * width - 1.0) / 12.0)
    return means, deviations, slopes


@compiled
def window_correlations(
    first: Floats, second: Floats, age: Indices, row: Indices, widths: Indices, extra: int
) -> tuple[Floats, Floats, Floats]:
    """Pearson's correlation, and the sample standard deviations of both; NaN where one of them does not move."""
    correlations = np.full((len(widths), row.max() + 1), np.nan)
    deviations, others = correlations.copy(), correlations.copy()
    for i in range(len(first)):
        if row[i] < 0:
            continue
        total_a, total_b, squares_a, squares_b, products, lag = 0.0, 0.0, 0.0, 0.0, 0.0, 0
        for w in range(len(widths)):
            width = widths[w]
            if age[i] < width - 1 + extra:
                break
            while lag < width:
                a, b = first[i - lag] - first[i], second[i - lag] - second[i]
                total_a += a
                total_b += b
                squares_a += a * a
                squares_b += b * b
                products += a * b
                lag += 1
            spread_a, spread_b = squares_a - total_a * (total_a / width), squares_b - total_b * (total_b / width)
            deviations[w, row[i]] = np.sqrt(spread_a / (width - 1)) if spread_a > 0.0 else spread_a * 0.0
            others[w, row[i]] = np.sqrt(spread_b / (width - 1)) if spread_b > 0.0 else spread_b * 0.0
            if spread_a > 0.0 and spread_b > 0.0:
                together = products - total_a * (total_b / width)
                correlations[w, row[i]] = together / (np.sqrt(spread_a) * np.sqrt(spread_b))
    return correlations, deviations, others


@compiled
def window_extremes(values: Floats, age: Indices, row: Indices, widths: Indices, extra: int) -> tuple[Floats, Floats]:
    """The largest value, and how many bars ago it was, the oldest of equals."""
    largest = np.full((len(widths), row.max() + 1), np.nan)
    ages = largest.copy()
    for i in range(len(values)):
        if row[i] < 0:
            continue
        found, since, lag = values[i], 0, 1
        for w in range(len(widths)):
            if age[i] < widths[w] - 1 + extra:
                break
            while lag < widths[w]:
                if values[i - lag] >= found:
                    found, since = values[i - lag], lag
                lag += 1
            largest[w, row[i]], ages[w, row[i]] = found, since
    return largest, ages


@compiled
def window_ranks(values: Floats, age: Indices, row: Indices, widths: Indices, extra: int) -> Floats:
    """The rank of the newest value among the window's, ties at their mean, over the width: above 0, at most 1."""
    ranks = np.full((len(widths), row.max() + 1), np.nan)
    for i in range(len(values)):
        if row[i] < 0:
            continue
        below, equal, lag = 0, 0, 0
        for w in range(len(widths)):
            if age[i] < widths[w] - 1 + extra:
                break
            while lag < widths[w]:
                below += values[i - lag] < values[i]
                equal += values[i - lag] == values[i]
                lag += 1
            ranks[w, row[i]] = (below + (equal + 1) / 2.0) / widths[w]
    return ranks


@compiled
def window_quantiles(values: Floats, age: Indices, row: Indices, widths: Indices, shares: Floats) -> Floats:
    """Quantiles by linear interpolation, shape (shares, widths, rows).

    The window's values are kept in order from bar to bar: one goes in and one out. That is exact, unlike a running sum.
    """
    quantiles = np.full((len(shares), len(widths), row.max() + 1), np.nan)
    for w in range(len(widths)):
        width = widths[w]
        ordered, held = np.empty(width), 0
        for i in range(len(values)):
            if age[i] <= 0:
                held = 0
            if age[i] < 0:
                continue
            if held == width:
                gone, place = values[i - width], 0
                while place < width - 1 and ordered[place] != gone:
                    place += 1
                for later in range(place, width - 1):
                    ordered[later] = ordered[later + 1]
                held -= 1
            place = held
            while place > 0 and ordered[place - 1] > values[i]:
                ordered[place] = ordered[place - 1]
                place -= 1
            ordered[place] = values[i]
            held += 1
            if row[i] >= 0 and held == width:
                for s in range(len(shares)):
                    position = shares[s] * (width - 1)
                    below = int(position)
                    low, high = ordered[below], ordered[min(below + 1, width - 1)]
                    quantiles[s, w, row[i]] = low + (high - low) * (position - below)
    return quantiles
