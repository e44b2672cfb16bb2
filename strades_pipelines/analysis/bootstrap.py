"""Bands of luck: what the same returns, or the same trades, could have come to in another order.

Every function takes a seed and gives the same numbers for it, however it is called.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from strades_pipelines.analysis.arrays import Floats, Ints
from strades_pipelines.analysis.returns import EPSILON

CHUNK = 4_000_000  # numbers drawn at once: 32 MB an array
Method = Literal["stationary", "circular"]


@dataclass(frozen=True)
class Band:
    """The actual figure, the quantiles of its resamples, and the share of resamples that it is above or equal to."""

    actual: float
    lower: float
    median: float
    upper: float
    rank: float

    @classmethod
    def of(cls, actual: float, samples: Floats, confidence: float) -> "Band":
        """From resamples, nan ones left out; all nan when none is defined."""
        known = samples[np.isfinite(samples)]
        if len(known) == 0 or not np.isfinite(actual):
            return cls(actual, np.nan, np.nan, np.nan, np.nan)
        tail = (1.0 - confidence) / 2.0
        lower, median, upper = (float(q) for q in np.quantile(known, (tail, 0.5, 1.0 - tail)))
        return cls(actual, lower, median, upper, float(np.mean(known <= actual)))


def block_indices(
    rng: np.random.Generator, n: int, samples: int, block_length: float, method: Method = "stationary"
) -> Ints:
    """Rows of resamples, shape (samples, n), from blocks of consecutive rows that wrap around the end.

    stationary: lengths geometric with this mean (Politis and Romano 1994, "The Stationary Bootstrap"); circular: all of
    this length, rounded (Politis and Romano 1992). Every row is as likely as any other at every place.
    """
    columns = np.arange(n)
    if method == "stationary":
        begins = rng.random((samples, n)) < 1.0 / block_length
        begins[:, 0] = True
    else:
        begins = np.broadcast_to(columns % max(1, round(block_length)) == 0, (samples, n))
    begun_at = np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
    # One for each place, though only those where a block begins are used: it takes no loop.
    starts = rng.integers(0, n, (samples, n))
    return (np.take_along_axis(starts, begun_at, axis=1) + columns - begun_at) % n


def bootstrap_bands(
    returns: Floats,
    *,
    periods_per_year: float,
    seed: int,
    samples: int = 1000,
    block_length: float | None = None,
    method: Method = "stationary",
    confidence: float = 0.90,
) -> dict[str, Band]:
    """Bands of `growth` (final over first equity), `sharpe` (annualised) and `max_drawdown` (a fraction <= 0).

    Blocks keep what neighbouring returns have to do with one another, as far as a block is long. It costs samples x n:
    of a long intraday run give it the daily returns (`periods.daily`).

    Args:
        returns: simple, shape (n,).
        block_length: mean rows of a block; None takes the cube root of n, the order that is best for a variance.

    Returns:
        All nan for fewer than two returns or where one is not finite.
    """
    names = ("growth", "sharpe", "max_drawdown")
    n = len(returns)
    if n < 2 or not np.all(np.isfinite(returns)):
        return {name: Band.of(np.nan, np.zeros(0), confidence) for name in names}
    length = max(1.0, n ** (1 / 3)) if block_length is None else float(block_length)
    if not 1.0 <= length <= n:
        raise ValueError(f"block_length: expected 1 to {n}, was {length}")
    rng = np.random.default_rng(seed)
    # One part after the other: only the figures of each are kept.
    parts = (returns[block_indices(rng, n, part, length, method)] for part in _chunks(samples, n))
    figures = np.concatenate([_figures(part, periods_per_year) for part in parts])
    actual = _figures(returns[np.newaxis], periods_per_year)[0]
    return {name: Band.of(float(actual[k]), figures[:, k], confidence) for k, name in enumerate(names)}


def growth_band(
    returns: Floats, *, seed: int, samples: int = 1000, block_length: float, confidence: float = 0.90
) -> Floats:
    """Lower, median and upper growth of one unit of money after each return, over stationary resamples of the returns.

    The quantiles are of each instant by itself: a single resample leaves the band more often than 1 - confidence.

    Args:
        returns: simple and finite, shape (n,), n > 0.
        block_length: mean rows of a block, at least 1.

    Returns:
        Shape (3, n).
    """
    n = len(returns)
    rng = np.random.default_rng(seed)
    parts = [returns[block_indices(rng, n, part, block_length)] for part in _chunks(samples, n)]
    growth = np.cumprod(1.0 + np.concatenate(parts), axis=1)
    tail = (1.0 - confidence) / 2.0
    band: Floats = np.quantile(growth, (tail, 0.5, 1.0 - tail), axis=0)
    return band


def trade_shuffle_bands(
    profits: Floats, capital: float, *, seed: int, samples: int = 1000, confidence: float = 0.90
) -> dict[str, Band]:
    """Bands over the order and the choice of the trades.

    `max_drawdown`: of the same trades in random order, a fraction <= 0 of the peak before it: the final equity is the
    same in every order, the way there is not. `final_equity`: of as many trades drawn with replacement.

    Args:
        profits: money after fees, of the closed trades in the order of their exits, shape (n,).
        capital: money before the first of them, > 0.

    Returns:
        All nan without a trade.
    """
    n = len(profits)
    if n == 0 or not capital > 0 or not np.all(np.isfinite(profits)):
        return {name: Band.of(np.nan, np.zeros(0), confidence) for name in ("max_drawdown", "final_equity")}
    rng = np.random.default_rng(seed)
    depths, finals = [], []
    for part in _chunks(samples, n):
        shuffled = rng.permuted(np.broadcast_to(profits, (part, n)), axis=1)
        depths.append(_depth(capital + np.cumsum(shuffled, axis=1), capital))
        finals.append(capital + profits[rng.integers(0, n, (part, n))].sum(axis=1))
    actual = float(_depth(capital + np.cumsum(profits)[np.newaxis], capital)[0])
    return {
        "max_drawdown": Band.of(actual, np.concatenate(depths), confidence),
        "final_equity": Band.of(float(capital + np.sum(profits)), np.concatenate(finals), confidence),
    }


def _chunks(samples: int, n: int) -> Iterator[int]:
    most = max(1, CHUNK // n)
    for done in range(0, samples, most):
        yield min(most, samples - done)


def _figures(returns: Floats, periods_per_year: float) -> Floats:
    """(growth, sharpe, max drawdown) of each row, shape (rows, 3)."""
    equity: Floats = np.cumprod(1.0 + returns, axis=1, dtype=np.float64)
    spread = np.std(returns, axis=1, ddof=1, dtype=np.float64)
    sharpe: Floats = np.full(len(returns), np.nan)
    # What is smaller is rounding, no variation.
    np.divide(np.mean(returns, axis=1), spread, out=sharpe, where=spread > 4 * EPSILON)
    return np.column_stack((equity[:, -1], sharpe * np.sqrt(periods_per_year), _depth(equity, 1.0)))


def _depth(equity: Floats, start: float) -> Floats:
    """The deepest fall of each row under its peak, the start among the peaks."""
    peak = np.maximum(np.maximum.accumulate(equity, axis=1), start)
    depth: Floats = np.minimum(np.min(equity / peak, axis=1) - 1.0, 0.0)
    return depth
