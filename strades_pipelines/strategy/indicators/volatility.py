"""True range and its average."""

import math

from strades_pipelines.strategy.indicators.moving_averages import Smma
from strades_pipelines.strategy.indicators.parameters import whole


class TrueRange:
    """The greatest of high - low, |high - previous close|, |low - previous close|; NaN for the first bar."""

    def __init__(self) -> None:
        self.value = math.nan
        self.close = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was a previous close."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return its true range."""
        previous = self.close
        self.close = close
        if previous == previous:
            self.value = max(high, previous) - min(low, previous)
        return self.value


class Atr:
    """Average true range: Wilder's average of the true range, from the second bar on; `percent` is 100 ATR / close.

    J. Welles Wilder, New Concepts in Technical Trading Systems (1978); seeded with the mean of the first `length`.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Atr", length)
        self.true_range = TrueRange()
        self.average = Smma(length)
        self.value = math.nan
        self.percent = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the average."""
        self.value = self.average.update(self.true_range.update(high, low, close))
        self.percent = 100.0 * (self.value / close) if close != 0.0 else 0.0
        return self.value
