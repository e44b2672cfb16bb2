"""Bars whose future is absurd, in place: whoever holds the arrays, in a closure say, sees it too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.simulation.backtest import Bars

ABSURD = 1e12


class Poison:
    """Writes absurd numbers over what is known after a time, and the true ones back.

    Rows are by turns huge and tiny, so that no comparison of neighbours comes out as it was; `turn` swaps the two, so
    that none comes out as it was by chance.
    """

    def __init__(self, bars: Sequence[Bars]) -> None:
        self.bars = [_writeable(one) for one in bars]
        self._tracks = [Track(time, values) for one in self.bars for time, values in _tracks(one)]

    def after(self, time: int | None) -> None:
        """Poison what is known after `time` (microseconds UTC), everything for None; what is known by then is true."""
        for track in self._tracks:
            track.after(0 if time is None else int(np.searchsorted(track.time, time, side="right")))

    def turn(self) -> None:
        """Make huge what would be tiny; what is poisoned now, and what is from now on."""
        for track in self._tracks:
            track.turn()

    def heal(self) -> None:
        """Put every true number back."""
        for track in self._tracks:
            track.after(len(track.time))


class Track:
    """Numbers that are known at times (n,), of shape (..., n): those of the first `reach` times are true."""

    def __init__(self, time: Integers, values: Floats) -> None:
        self.time, self._values, self._true, self._reach = time, values, values.copy(), len(time)
        if values.ndim > 1:
            self._absurd, self._other = (_absurd(len(time), phase) for phase in (0, 1))
        else:  # ratios by turns huge and tiny would have a product of 1
            self._absurd, self._other = (np.full(len(time), value) for value in (ABSURD, 1.0 / ABSURD))

    def after(self, reach: int) -> None:
        """Poison the numbers of the later times; put the true ones of the others back."""
        low, high = sorted((reach, self._reach))
        self._values[..., low:high] = (self._true if reach > self._reach else self._absurd)[..., low:high]
        self._reach = reach

    def turn(self) -> None:
        """Make huge what would be tiny."""
        self._absurd, self._other = self._other, self._absurd
        self._values[..., self._reach :] = self._absurd[..., self._reach :]


def _tracks(bars: Bars) -> Iterator[tuple[Integers, Floats]]:
    """All numbers that are known of an instrument, and when they are."""
    yield bars.time, bars.prices
    if bars.actions is not None:
        yield bars.actions.time, bars.actions.ratio
        yield bars.actions.time, bars.actions.amount
    if bars.rates is not None:
        yield bars.rates.time, bars.rates.rate


def _writeable(bars: Bars) -> Bars:
    """Bars whose numbers may be changed in place: those given, or copies where they are read-only."""
    prices, actions, rates = bars.prices, bars.actions, bars.rates
    if actions is not None:
        actions = replace(actions, ratio=_own(actions.ratio), amount=_own(actions.amount))
    if rates is not None:
        rates = replace(rates, rate=_own(rates.rate))
    return replace(bars, prices=_own(prices), actions=actions, rates=rates)


def _own(values: Floats) -> Floats:
    return values if values.flags.writeable else values.copy()


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
