"""Events in columns: what an event chain gives, block by block, and what compiled code reads."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.strategy.events import BAR, TIMER

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PIECE = 32_768


@dataclass(frozen=True)
class Columns:
    """n events in their total order.

    Args:
        kind: int8, see `events`.
        i: int32, the instrument.
        time: int64, when it is known, microseconds UTC.
        more: int64, the second time of a bar (its open) or gap (its start).
        a, b, c, d, e: float64, the event's numbers in the order of its class.
    """

    kind: NDArray[np.int8]
    i: NDArray[np.int32]
    time: Integers
    more: Integers
    a: Floats
    b: Floats
    c: Floats
    d: Floats
    e: Floats

    def __len__(self) -> int:
        return len(self.time)

    def rows(self, start: int, end: int) -> "Columns":
        """Rows [start, end), as views."""
        if start == 0 and end == len(self):
            return self
        return Columns(*(array[start:end] for array in self.arrays))

    @property
    def arrays(self) -> tuple[Any, ...]:
        """All columns in their order."""
        return self.kind, self.i, self.time, self.more, self.a, self.b, self.c, self.d, self.e

    @cached_property
    def kinds(self) -> tuple[int, ...]:
        """The kinds that occur."""
        first = int(self.kind[0]) if len(self) else 0
        # Strides of 0: one number n times, of which the first tells all.
        if self.kind.strides == (0,) or not np.any(self.kind != first):
            return (first,)
        return tuple(np.flatnonzero(np.bincount(self.kind, minlength=TIMER)).tolist())

    @cached_property
    def addresses(self) -> list[int]:
        """Where each column lies in memory, in their order; 0 for one that is the same number n times."""
        # One number alone lies in memory as any column does, and is read as one (see `laid`).
        return [0 if array.strides == (0,) and len(array) > 1 else array.ctypes.data for array in self.arrays]

    @cached_property
    def laid(self) -> list[bool]:
        """Whether each column, in their order, lies in memory one number behind the other."""
        return [array.strides == (array.itemsize,) or len(array) < 2 for array in self.arrays]

    @cached_property
    def is_rising(self) -> bool:
        """Whether each event is of a later instant than the one before."""
        return is_rising(self.time)

    @cached_property
    def instants(self) -> Integers:
        """The times at which events come, each once."""
        return self.time if self.is_rising else self.time[np.append(True, self.time[1:] != self.time[:-1])]


def is_rising(time: Integers) -> bool:
    """Whether each time is later than the one before; looked at in pieces that fit the processor's cache."""
    return not any(
        np.any(time[start + 1 : start + PIECE + 1] <= time[start : start + PIECE][: len(time) - start - 1])
        for start in range(0, len(time) - 1, PIECE)
    )


def bar_columns(i: int, time: Integers, open_time: Integers, prices: Floats) -> Columns:
    """Bars of one instrument; `prices` has shape (5, n): open, high, low, close, volume."""
    n = len(time)
    rows = np.ascontiguousarray(prices, dtype=np.float64)
    # The same number n times, which takes no memory.
    kind, own = np.broadcast_to(np.int8(BAR), n), np.broadcast_to(np.int32(i), n)
    return Columns(kind, own, time, open_time, rows[0], rows[1], rows[2], rows[3], rows[4])
