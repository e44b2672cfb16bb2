"""Statistics of the windows of 5, 10, 20, 30 and 60 values before and with each value, all widths at once.

A window's statistic is merged from those of its two parts: 10 values are 5 and 5, 20 are 10 and 10, 30 are 20 and 10,
60 are 30 and 30. So each costs a dozen additions instead of 125, and is still computed from its own window alone, in
one fixed order: neither the start of history nor an old price changes a bit of it, as with a running sum.

Arrays are float64 of shape (n,), oldest first; results have the shape (5, n). The first `width - 1` values of a width
have no whole window: what stands there means nothing.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from strades_pipelines.predictor.windows import Floats, earlier

WIDTHS = (5, 10, 20, 30, 60)
PARTS = ((5, 5), (10, 10), (20, 10), (30, 30))  # how many of the newer values, and of those before them
Statistics = tuple[Floats, ...]


def _merge(five: Statistics, merged: Callable[[Statistics, Statistics, int, int], Statistics]) -> Statistics:
    """The statistics of all widths from those of five values, and a rule for two neighbouring windows."""
    found = {5: five}
    for newer, older in PARTS:
        before = tuple(earlier(column, newer) for column in found[older])
        found[newer + older] = merged(found[newer], before, newer, older)
    return tuple(np.stack(columns) for columns in zip(*found.values(), strict=True))


def window_sums(values: Floats) -> Floats:
    """The sum of each window."""
    five = sum((earlier(values, lag) for lag in range(1, 5)), start=values)
    [sums] = _merge((five,), lambda newer, older, *_: (newer[0] + older[0],))
    return sums


def window_lines(values: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean, sample standard deviation, and slope of the least-squares line, a value a place.

    Differences from the newest of five values, and between the means of two parts, lose no digits where values are
    large and near each other (Chan, Golub, LeVeque, 1979); equal values have a deviation of exactly 0.
    """
    differences = [earlier(values, lag) - values for lag in range(1, 5)]
    total = sum(differences, start=np.zeros(len(values)))
    squares = sum((one * one for one in differences), start=np.zeros(len(values)))
    # Places from the middle are 2, 1, 0, -1, -2, the newest first; its own difference is 0.
    products = differences[0] - differences[2] - 2.0 * differences[3]

    def merged(newer: Statistics, older: Statistics, m: int, n: int) -> Statistics:
        apart = newer[0] - older[0]
        return (
            older[0] + apart * (m / (m + n)),
            newer[1] + older[1] + apart * apart * (m * n / (m + n)),
            newer[2] + older[2] + apart * (m * n / 2.0),  # the middles are (m + n) / 2 places apart
        )

    five = (values + total / 5.0, np.maximum(squares - total * total / 5.0, 0.0), products)
    means, squares, products = _merge(five, merged)
    width = np.array(WIDTHS, np.float64)[:, None]
    return means, np.sqrt(squares / (width - 1.0)), products / (width * (width * width - 1.0) / 12.0)


def window_correlations(first: Floats, second: Floats) -> tuple[Floats, Floats, Floats]:
    """Pearson's correlation, and the sample standard deviations of both; NaN where one of them does not move."""
    apart = [(earlier(first, lag) - first, earlier(second, lag) - second) for lag in range(1, 5)]
    nothing = np.zeros(len(first))
    total_a, total_b = (sum(column, start=nothing) for column in zip(*apart, strict=True))
    squares_a = sum((a * a for a, _ in apart), start=nothing) - total_a * total_a / 5.0
    squares_b = sum((b * b for _, b in apart), start=nothing) - total_b * total_b / 5.0
    products = sum((a * b for a, b in apart), start=nothing) - total_a * total_b / 5.0

    def merged(newer: Statistics, older: Statistics, m: int, n: int) -> Statistics:
        a, b, weight = newer[0] - older[0], newer[1] - older[1], m * n / (m + n)
        return (
            older[0] + a * (m / (m + n)),
            older[1] + b * (m / (m + n)),
            newer[2] + older[2] + a * a * weight,
            newer[3] + older[3] + b * b * weight,
            newer[4] + older[4] + a * b * weight,
        )

    five = (first + total_a / 5.0, second + total_b / 5.0, np.maximum(squares_a, 0.0), np.maximum(squares_b, 0.0))
    _, _, squares_a, squares_b, products = _merge((*five, products), merged)
    scale = np.sqrt(squares_a) * np.sqrt(squares_b)
    freedom = np.array(WIDTHS, np.float64)[:, None] - 1.0
    return products / np.where(scale > 0.0, scale, np.nan), np.sqrt(squares_a / freedom), np.sqrt(squares_b / freedom)


def window_extremes(values: Floats) -> tuple[Floats, Floats]:
    """The largest value, and how many places ago it was, the oldest of equals."""

    def merged(newer: Statistics, older: Statistics, m: int, _: int) -> Statistics:
        is_older = older[0] >= newer[0]
        return np.where(is_older, older[0], newer[0]), np.where(is_older, older[1] + m, newer[1])

    largest, since = values, np.zeros(len(values))
    for lag in range(1, 5):
        largest, since = merged((largest, since), (earlier(values, lag), np.zeros(len(values))), lag, 1)
    largest, since = _merge((largest, since), merged)
    return largest, since


def window_ranks(values: Floats) -> Floats:
    """The rank of the newest value among the window's, ties at their mean, over the width: above 0, at most 1."""
    below, equal = np.zeros(len(values), np.int8), np.ones(len(values), np.int8)
    ranks = []
    for lag in range(1, WIDTHS[-1]):
        below[lag:] += (values[:-lag] < values[lag:]).view(np.int8)
        equal[lag:] += (values[:-lag] == values[lag:]).view(np.int8)
        if lag + 1 in WIDTHS:
            ranks.append((below + (equal + 1.0) / 2.0) / (lag + 1.0))
    return np.stack(ranks)


def window_quantiles(values: Floats, shares: tuple[float, ...]) -> tuple[Floats, ...]:
    """Quantiles by linear interpolation, one array for each share."""
    quantiles = np.full((len(shares), len(WIDTHS), len(values)), np.nan)
    for found, width in zip(quantiles.swapaxes(0, 1), WIDTHS, strict=True):
        if len(values) >= width:
            ordered = np.sort(sliding_window_view(values, width), axis=1)
            for column, share in zip(found, shares, strict=True):
                place = share * (width - 1)
                low, high = ordered[:, int(place)], ordered[:, min(int(place) + 1, width - 1)]
                column[width - 1 :] = low + (high - low) * (place - int(place))
    return tuple(quantiles)
