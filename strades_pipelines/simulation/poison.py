"""Bars whose future is absurd, in place: whoever holds the arrays, in a closure say, sees it too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from strades_pipelines.engine.columns import Floats
from strades_pipelines.simulation.backtest import Bars

ABSURD = 1e12


class Poison:
    """Writes absurd numbers over what is known after a time, and the true ones back.

    Rows are by turns huge and tiny, so that no comparison of neighbours comes out as it was; `turn` swaps the two, so
    that none comes out as it was by chance.
    """

    def __init__(self, bars: Sequence[Bars]) -> None:
        self.bars = [one if one.prices.flags.writeable else replace(one, prices=one.prices.copy()) for one in bars]
        self._true = [one.prices.copy() for one in self.bars]
        self._absurd = [_absurd(one.prices.shape[1], 0) for one in self.bars]
        self._other = [_absurd(one.prices.shape[1], 1) for one in self.bars]
        self._reach = [one.prices.shape[1] for one in self.bars]

    def after(self, time: int | None) -> None:
        """Poison what is known after `time` (microseconds UTC), everything for None; what is known by then is true."""
        for k, one in enumerate(self.bars):
            reach = 0 if time is None else int(np.searchsorted(one.time, time, side="right"))
            known, (low, high) = self._reach[k], sorted((reach, self._reach[k]))
            one.prices[:, low:high] = (self._true if reach > known else self._absurd)[k][:, low:high]
            self._reach[k] = reach

    def turn(self) -> None:
        """Make huge what would be tiny; what is poisoned now, and what is from now on."""
        self._absurd, self._other = self._other, self._absurd
        for k, one in enumerate(self.bars):
            one.prices[:, self._reach[k] :] = self._absurd[k][:, self._reach[k] :]

    def heal(self) -> None:
        """Put every true number back."""
        for k, one in enumerate(self.bars):
            one.prices[...] = self._true[k]
            self._reach[k] = one.prices.shape[1]


@contextmanager
def poisonable(bars: Sequence[Bars]) -> Iterator[Poison]:
    """Bars that can be poisoned; they are as they were when the block ends."""
    poison = Poison(bars)
    try:
        yield poison
    finally:
        poison.heal()


def _absurd(n: int, phase: int) -> Floats:
    """n bars without extent, shape (5, n), by turns far too dear and all but worthless."""
    huge = np.arange(n) % 2 == phase
    prices, volumes = np.where(huge, ABSURD, 1.0 / ABSURD), np.where(huge, ABSURD, 0.0)
    return np.array([prices, prices, prices, prices, volumes])
