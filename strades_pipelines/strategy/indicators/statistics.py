"""Rolling variance and what follows from it. O(1) a value, stable: no square of a price is ever subtracted."""

import math

from strades_pipelines.strategy.indicators.parameters import whole


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
