"""Rolling variance and what follows from it. O(1) a value, stable: no square of a price is ever subtracted."""

import math

from strades_pipelines.strategy.indicators.moving_averages import Sma
from strades_pipelines.strategy.indicators.parameters import between, whole


class Variance:
    """Variance of the last `length` values, and their `mean`. Of the population; `ddof=1`: of a sample.

    Means and sums of squared deviations of the window's two parts are merged: Chan, Golub and LeVeque, Algorithms
    for Computing the Sample Variance (1983). Of equal values it is exactly 0.
    """

    def __init__(self, length: int, ddof: int = 0) -> None:
        self.ddof = whole("ddof of Variance", ddof, 0)
        self.length = whole("length of Variance", length, ddof + 1)
        self.value = math.nan
        self.mean = math.nan
        self.index = 0
        self.head_mean = 0.0
        self.head_squares = 0.0
        self.means = [math.nan] * length
        self.squares = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the variance."""
        if value != value:
            return self.value
        i = self.index
        self.means[i] = value
        i += 1
        step = value - self.head_mean
        self.head_mean += step / i
        self.head_squares += step * (value - self.head_mean)
        if i < self.length:
            self._merge(i)
        else:
            self.mean = self.head_mean
            self.value = self.head_squares / (self.length - self.ddof)
            self._turn()
        return self.value

    def _merge(self, i: int) -> None:
        """Join the `i` values of this lap with those of the last lap from place `i` on."""
        gap = self.head_mean - self.means[i]
        share = i / self.length
        self.mean = self.means[i] + gap * share
        squares = self.head_squares + self.squares[i] + gap * gap * share * (self.length - i)
        self.value = squares / (self.length - self.ddof)
        self.index = i

    def _turn(self) -> None:
        """For each place the mean and the squared deviations from there to the end of the lap; begin a new one."""
        mean = 0.0
        squares = 0.0
        for j in range(self.length - 1, -1, -1):
            value = self.means[j]
            step = value - mean
            mean += step / (self.length - j)
            squares += step * (value - mean)
            self.means[j] = mean
            self.squares[j] = squares
        self.head_mean = 0.0
        self.head_squares = 0.0
        self.index = 0


class StandardDeviation:
    """Standard deviation of the last `length` values, and their `mean`. Of the population; `ddof=1`: of a sample."""

    def __init__(self, length: int, ddof: int = 0) -> None:
        self.variance = Variance(length, ddof)
        self.length = length
        self.value = math.nan
        self.mean = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the standard deviation."""
        self.value = math.sqrt(self.variance.update(value))
        self.mean = self.variance.mean
        return self.value


class ZScore:
    """(x - mean) / standard deviation of the last `length` values, x the newest; of equal values 0."""

    def __init__(self, length: int, ddof: int = 0) -> None:
        self.variance = Variance(length, ddof)
        self.length = length
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return its z-score."""
        if value != value:
            return self.value
        deviation = math.sqrt(self.variance.update(value))
        self.value = (value - self.variance.mean) / deviation if deviation != 0.0 else 0.0
        return self.value


class RollingSum:
    """The sum of the last `length` values (TA-Lib's SUM)."""

    def __init__(self, length: int) -> None:
        self.length = whole("length of RollingSum", length)
        self.average = Sma(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the sum."""
        self.value = self.average.update(value) * self.length
        return self.value


class AverageDeviation:
    """Mean absolute deviation from the mean of the last `length` values (TA-Lib's AVGDEV). O(length) a value."""

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of AverageDeviation", length, 2)
        self.average = Sma(length)
        self.value = math.nan
        self.index = 0
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the deviation."""
        if value != value:
            return self.value
        self.ring[self.index] = value
        self.index = self.index + 1 if self.index + 1 < self.length else 0
        mean = self.average.update(value)
        total = 0.0
        for k in range(self.length):
            total += abs(self.ring[k] - mean)
        self.value = total / self.length
        return self.value


class PercentRank:
    """How many percent of the `length` values before are below the newest (TA-Lib's PERCENTRANK). O(length) a value."""

    def __init__(self, length: int = 100) -> None:
        self.length = whole("length of PercentRank", length)
        self.value = math.nan
        self.count = 0
        self.index = 0
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return its rank."""
        if value != value:
            return self.value
        if self.count < self.length:
            self.count += 1
        else:
            below = 0
            for k in range(self.length):
                if self.ring[k] < value:
                    below += 1
            self.value = 100.0 * (below / self.length)
        self.ring[self.index] = value
        self.index = self.index + 1 if self.index + 1 < self.length else 0
        return self.value


class Percentile:
    """The value at a `percent` of the last `length` values in order, by the nearest rank. O(length^2) a value at worst.

    The smallest value of which at least `percent` percent of the window are at or below (TA-Lib's PERCENTILE).
    """

    def __init__(self, length: int = 30, percent: float = 50.0) -> None:
        self.length = whole("length of Percentile", length)
        share = between("percent of Percentile", percent, 0.0, 100.0)
        # Multiplied before it is divided: 0.07 * 100 is more than 7.
        self.rank = max(1, math.ceil(share * length / 100.0))
        self.value = math.nan
        self.count = 0
        self.index = 0
        self.ring = [math.nan] * length
        # Free places come behind every value.
        self.ordered = [math.inf] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the one at the rank."""
        if value != value:
            return self.value
        place = self._free_place(self.ring[self.index])
        self.ring[self.index] = value
        self.index = self.index + 1 if self.index + 1 < self.length else 0
        while place > 0 and self.ordered[place - 1] > value:
            self.ordered[place] = self.ordered[place - 1]
            place -= 1
        while place < self.length - 1 and self.ordered[place + 1] < value:
            self.ordered[place] = self.ordered[place + 1]
            place += 1
        self.ordered[place] = value
        if self.count == self.length:
            self.value = self.ordered[self.rank - 1]
        return self.value

    def _free_place(self, oldest: float) -> int:
        """The place, in order, of the value that leaves the window; the first free one while it fills."""
        if self.count < self.length:
            self.count += 1
            return self.count - 1
        place = 0
        while self.ordered[place] != oldest:
            place += 1
        return place
