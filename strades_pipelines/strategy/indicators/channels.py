"""Bands around a price: `upper`, `middle`, `lower`; `value` is the middle."""

import math

from strades_pipelines.strategy.indicators.extremes import RollingMax, RollingMin
from strades_pipelines.strategy.indicators.moving_averages import Ema
from strades_pipelines.strategy.indicators.parameters import positive, whole
from strades_pipelines.strategy.indicators.statistics import Variance
from strades_pipelines.strategy.indicators.volatility import Atr


class Bollinger:
    """Bollinger bands: mean of the last `length` values, plus and minus `deviations` times their standard deviation.

    John Bollinger, Bollinger on Bollinger Bands (2001); the deviation is the population's. `percent_b` = (x - lower) /
    (upper - lower), 0.5 where the bands meet; `width` = (upper - lower) / middle, 0 where the middle is 0.
    """

    def __init__(self, length: int = 20, deviations: float = 2.0) -> None:
        self.length = whole("length of Bollinger", length)
        self.deviations = positive("deviations of Bollinger", deviations)
        self.variance = Variance(length)
        self.value = math.nan
        self.upper = math.nan
        self.middle = math.nan
        self.lower = math.nan
        self.percent_b = math.nan
        self.width = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the middle."""
        if value != value:
            return self.value
        reach = self.deviations * math.sqrt(self.variance.update(value))
        self.middle = self.variance.mean
        self.upper = self.middle + reach
        self.lower = self.middle - reach
        self.percent_b = 0.5 + (value - self.middle) / (2.0 * reach) if reach != 0.0 else 0.5
        self.width = 2.0 * reach / self.middle if self.middle != 0.0 else 0.0
        self.value = self.middle
        return self.value


class Donchian:
    """Donchian channel: the highest high and the lowest low of the last `length` bars, the newest included.

    For a breakout compare with the channel before the update: a close is never above an upper band it is part of.
    """

    def __init__(self, length: int = 20) -> None:
        self.length = whole("length of Donchian", length)
        self.highest = RollingMax(length)
        self.lowest = RollingMin(length)
        self.value = math.nan
        self.upper = math.nan
        self.middle = math.nan
        self.lower = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float) -> float:
        """Take in the next bar's extremes and return the middle."""
        self.upper = self.highest.update(high)
        self.lower = self.lowest.update(low)
        self.middle = (self.upper + self.lower) / 2.0
        self.value = self.middle
        return self.value


class Keltner:
    """Keltner channel in Linda Raschke's form: EMA of the close, plus and minus `multiplier` average true ranges."""

    def __init__(self, length: int = 20, atr_length: int = 10, multiplier: float = 2.0) -> None:
        self.length = whole("length of Keltner", length)
        self.multiplier = positive("multiplier of Keltner", multiplier)
        self.average = Ema(length)
        self.atr = Atr(whole("atr_length of Keltner", atr_length))
        self.value = math.nan
        self.upper = math.nan
        self.middle = math.nan
        self.lower = math.nan

    @property
    def ready(self) -> bool:
        """Whether there are bands."""
        return not math.isnan(self.upper)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the middle."""
        reach = self.multiplier * self.atr.update(high, low, close)
        self.middle = self.average.update(close)
        self.upper = self.middle + reach
        self.lower = self.middle - reach
        self.value = self.middle
        return self.value
