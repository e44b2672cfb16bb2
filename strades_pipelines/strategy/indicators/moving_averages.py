"""Moving averages: simple, weighted, exponential, Wilder's. One value in, the average out; NaN until ready."""

import math

from strades_pipelines.strategy.indicators.parameters import whole


class Sma:
    """Simple moving average: the mean of the last `length` values.

    O(1) a value, and nothing is ever subtracted: see the package's docstring for the window's two parts. Sums of
    prices on a grid of 1/8 (or of any power of two) are exact, so two averages compare as their true values do.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of Sma", length)
        self.value = math.nan
        self.index = 0
        self.head = 0.0
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether there is an average."""
        return self.value == self.value

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        i = self.index
        ring = self.ring
        head = self.head + value
        ring[i] = value
        i += 1
        if i < self.length:
            self.index = i
            self.head = head
            # In the first lap this is NaN, and so is the mean.
            mean = (head + ring[i]) / self.length
        else:
            mean = head / self.length
            self._turn()
        self.value = mean
        return mean

    def _turn(self) -> None:
        """Replace each value by the sum of it and those after it, and begin a new lap."""
        total = 0.0
        ring = self.ring
        for j in range(self.length - 1, -1, -1):
            total += ring[j]
            ring[j] = total
        self.head = 0.0
        self.index = 0


class Wma:
    """Linearly weighted moving average: weights 1, 2, ... `length`, the newest value the heaviest.

    (1 x_1 + 2 x_2 + ... + n x_n) / (n (n + 1) / 2), as in TA-Lib's WMA. O(1) a value, without subtraction.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of Wma", length)
        self.value = math.nan
        self.divisor = length * (length + 1) / 2
        self.index = 0
        self.head_sum = 0.0
        self.head_weighted = 0.0
        self.ring = [math.nan] * length
        self.weighted = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether there is an average."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        i = self.index
        self.ring[i] = value
        i += 1
        self.head_sum += value
        self.head_weighted += value * i
        if i < self.length:
            self.index = i
            # The values of this lap weigh as much more as there are older ones before them.
            older = self.length - i
            self.value = (self.weighted[i] + self.head_weighted + self.head_sum * older) / self.divisor
        else:
            self.value = self.head_weighted / self.divisor
            self._turn()
        return self.value

    def _turn(self) -> None:
        """For each place: the weighted sum from there to the end of the lap, the value there with weight 1."""
        total = 0.0
        weighted = 0.0
        for j in range(self.length - 1, -1, -1):
            total += self.ring[j]
            weighted += total
            self.weighted[j] = weighted
        self.head_sum = 0.0
        self.head_weighted = 0.0
        self.index = 0


class Ema:
    """Exponential moving average: e += (x - e) * 2 / (length + 1), seeded with the mean of the first `length` values.

    The seed is that of TA-Lib's EMA and of Stock.Indicators. It remembers all of its past, which fades by
    1 - 2 / (length + 1) a value.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of Ema", length)
        self.value = math.nan
        self.alpha = 2.0 / (length + 1)
        self.count = 0
        self.total = 0.0

    @property
    def ready(self) -> bool:
        """Whether there is an average."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        if self.count == self.length:
            self.value += (value - self.value) * self.alpha
        else:
            self.count += 1
            self.total += value
            if self.count == self.length:
                self.value = self.total / self.length
        return self.value


class Smma:
    """Smoothed moving average, also Wilder's or RMA: s += (x - s) / length, seeded with the mean of the first values.

    J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Its past fades by 1 - 1 / length a value.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of Smma", length)
        self.value = math.nan
        self.count = 0
        self.total = 0.0

    @property
    def ready(self) -> bool:
        """Whether there is an average."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        if self.count == self.length:
            self.value += (value - self.value) / self.length
        else:
            self.count += 1
            self.total += value
            if self.count == self.length:
                self.value = self.total / self.length
        return self.value
