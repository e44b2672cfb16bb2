"""Streaming indicators: one value in, one number out, the same whatever came before their window."""

import math
from collections import deque


class Sma:
    """The simple moving average of the last `length` values; NaN until there are so many.

    The sum is taken over the window anew and rounded once (`math.fsum`), so a warm-up cannot leave a trace in it.
    """

    def __init__(self, length: int) -> None:
        if length < 1:
            raise ValueError(f"length of a moving average: expected 1 or more, was {length}")
        self._window: deque[float] = deque(maxlen=length)

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return len(self._window) == self._window.maxlen

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        self._window.append(value)
        return math.fsum(self._window) / len(self._window) if self.ready else math.nan
