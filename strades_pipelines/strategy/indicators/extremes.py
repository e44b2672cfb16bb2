"""The highest and the lowest of a window, and how long ago it was. Amortised O(1), by the window's two parts."""

import math

from strades_pipelines.strategy.indicators.parameters import whole


class RollingMax:
    """The highest of the last `length` values."""

    def __init__(self, length: int) -> None:
        self.length = whole("length of RollingMax", length)
        self.value = math.nan
        self.index = 0
        self.head = -math.inf
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the highest."""
        if value != value:
            return self.value
        i = self.index
        if value > self.head:
            self.head = value
        self.ring[i] = value
        i += 1
        if i < self.length:
            self.index = i
            # In this order a NaN of the first lap comes through.
            self.value = self.head if self.head > self.ring[i] else self.ring[i]
        else:
            self.value = self.head
            self._turn()
        return self.value

    def _turn(self) -> None:
        """Replace each value by the highest from there to the end of the lap, and begin a new one."""
        highest = -math.inf
        for j in range(self.length - 1, -1, -1):
            if self.ring[j] > highest:
                highest = self.ring[j]
            self.ring[j] = highest
        self.head = -math.inf
        self.index = 0


class RollingMin:
    """The lowest of the last `length` values."""

    def __init__(self, length: int) -> None:
        self.length = whole("length of RollingMin", length)
        self.value = math.nan
        self.index = 0
        self.head = math.inf
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the lowest."""
        if value != value:
            return self.value
        i = self.index
        if value < self.head:
            self.head = value
        self.ring[i] = value
        i += 1
        if i < self.length:
            self.index = i
            # In this order a NaN of the first lap comes through.
            self.value = self.head if self.head < self.ring[i] else self.ring[i]
        else:
            self.value = self.head
            self._turn()
        return self.value

    def _turn(self) -> None:
        """Replace each value by the lowest from there to the end of the lap, and begin a new one."""
        lowest = math.inf
        for j in range(self.length - 1, -1, -1):
            if self.ring[j] < lowest:
                lowest = self.ring[j]
            self.ring[j] = lowest
        self.head = math.inf
        self.index = 0


class BarsSinceHighest:
    """How many values ago the highest of the last `length` values came; 0: it is the newest. Of equals the newest.

    For the lowest, feed it the negated values.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of BarsSinceHighest", length)
        self.value = math.nan
        self.index = 0
        self.head = -math.inf
        self.head_place = 0
        self.ring = [math.nan] * length
        self.places = [0] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the age of the highest."""
        if value != value:
            return self.value
        i = self.index
        if value >= self.head:
            self.head = value
            self.head_place = i
        self.ring[i] = value
        age = float(i - self.head_place)
        i += 1
        if i < self.length:
            self.index = i
            self.value = age if self.head >= self.ring[i] else self._age_of_older(i)
        else:
            self.value = age
            self._turn()
        return self.value

    def _age_of_older(self, i: int) -> float:
        """The age of the highest of the last lap from place `i` on; NaN where there was no last lap."""
        if math.isnan(self.ring[i]):
            return math.nan
        return float(i - 1 + self.length - self.places[i])

    def _turn(self) -> None:
        """For each place the highest from there to the end of the lap, and its place; begin a new lap."""
        highest = -math.inf
        place = self.length - 1
        for j in range(self.length - 1, -1, -1):
            if self.ring[j] > highest:
                highest = self.ring[j]
                place = j
            self.ring[j] = highest
            self.places[j] = place
        self.head = -math.inf
        self.index = 0
