"""The bars of the engine's benchmark: geometric walks on a grid of 1/8, where sums are exact and money comparable."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TICK = 0.125
BARS, INSTRUMENTS, DAYS, SWEPT = 1_000_000, 100, 2_520, 100_000
FAST, SLOW = 10, 30
PAIRS = [(fast, slow) for fast in range(5, 25) for slow in range(30, 130, 5)]
# Ten thousand, in an order in which a part of them has as many different means as all.
MANY_PAIRS = [(5 + k % 100, 110 + 5 * ((k // 100 + k) % 100)) for k in range(10_000)]
CASH, FEE = 1_000_000.0, 0.001


def walk(rng: np.random.Generator, n: int, sigma: float) -> Floats:
    """n bars from 1000 on, shape (n, 5): open, high, low, close, volume. The open is not the close before."""
    close = 1000.0 * np.exp(np.cumsum(rng.normal(0.0, sigma, n) - 0.5 * sigma * sigma))
    before = np.concatenate(([1000.0], close[:-1]))
    opened = before * np.exp(rng.normal(0.0, 0.3 * sigma, n))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0.0, 0.4 * sigma, n)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0.0, 0.4 * sigma, n)))
    opened, high, low, close = (np.maximum(np.round(x / TICK), 1.0) * TICK for x in (opened, high, low, close))
    high, low = np.maximum(high, np.maximum(opened, close)), np.minimum(low, np.minimum(opened, close))
    return np.column_stack([opened, high, low, close, rng.integers(1_000, 100_000, n).astype(float)])


def write(folder: Path) -> None:
    """w1.npy of shape (bars, 5), and w2.npy of shape (instruments, days, 5); the same each time."""
    rng = np.random.default_rng(42)
    np.save(folder / "w1.npy", walk(rng, BARS, 0.0005))
    np.save(folder / "w2.npy", np.stack([walk(rng, DAYS, 0.02) for _ in range(INSTRUMENTS)]))
