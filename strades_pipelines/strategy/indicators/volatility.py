"""How far prices range: true range, ATR, Chaikin's and Dorsey's volatility, choppiness, ulcer index."""

import math

from strades_pipelines.strategy.indicators.extremes import RollingMax, RollingMin
from strades_pipelines.strategy.indicators.momentum import Roc
from strades_pipelines.strategy.indicators.moving_averages import Ema, Sma, Smma
from strades_pipelines.strategy.indicators.parameters import whole
from strades_pipelines.strategy.indicators.statistics import Variance


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
        if math.isnan(high + low + close):
            return self.value
        previous = self.close
        self.close = close
        if previous == previous:
            # With the last close among its prices the range is the greatest of the three.
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
        if math.isnan(high + low + close):
            return self.value
        self.value = self.average.update(self.true_range.update(high, low, close))
        self.percent = 100.0 * (self.value / close) if close != 0.0 else 0.0
        return self.value


class AverageDayRange:
    """The mean of high - low of the last `length` bars (TA-Lib's ADR). A bar with a NaN is passed over."""

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of AverageDayRange", length)
        self.average = Sma(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float) -> float:
        """Take in the next bar's extremes and return the mean range."""
        self.value = self.average.update(high - low)
        return self.value


class ChaikinVolatility:
    """Marc Chaikin's volatility: the change in percent, over `change` bars, of the EMA(`length`) of high - low.

    0 where there was no range `change` bars ago. A bar with a NaN is passed over.
    """

    def __init__(self, length: int = 10, change: int = 10) -> None:
        self.length = whole("length of ChaikinVolatility", length)
        self.average = Ema(length)
        self.change = Roc(whole("change of ChaikinVolatility", change))
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `length + change` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float) -> float:
        """Take in the next bar's extremes and return the change in percent."""
        extent = high - low
        if extent != extent:
            return self.value
        self.value = self.change.update(self.average.update(extent))
        return self.value


class MassIndex:
    """Donald Dorsey's mass index: the sum over `window` bars of EMA(high - low) / EMA(EMA(high - low)).

    Stocks & Commodities 10:6 (1992). A bar counts 1 where there was no range, as in TA-Lib. A bar with a NaN is passed
    over.
    """

    def __init__(self, length: int = 9, window: int = 25) -> None:
        self.length = whole("length of MassIndex", length)
        self.window = whole("window of MassIndex", window)
        self.first = Ema(length)
        self.second = Ema(length)
        self.average = Sma(window)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `2 * length + window - 2` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float) -> float:
        """Take in the next bar's extremes and return the index."""
        extent = high - low
        if extent != extent:
            return self.value
        first = self.first.update(extent)
        second = self.second.update(first)
        self.value = self.average.update(first / second if second != 0.0 else 1.0) * self.window
        return self.value


class RelativeVolatility:
    """Donald Dorsey's relative volatility index, 0 to 100: 100 u / (u + d).

    u and d are Wilder's averages of a standard deviation: that of the last `window` values counts for u where the value
    rose and for d where it fell. Stocks & Commodities 11:6 (1993). Where nothing moved it is 50, as in TA-Lib. A NaN is
    passed over.
    """

    def __init__(self, length: int = 14, window: int = 10) -> None:
        self.length = whole("length of RelativeVolatility", length)
        self.variance = Variance(whole("window of RelativeVolatility", window, 2))
        self.up = Smma(length)
        self.down = Smma(length)
        self.previous = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `length + window - 1` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the index."""
        if value != value:
            return self.value
        change = value - self.previous
        self.previous = value
        deviation = math.sqrt(self.variance.update(value))
        if deviation == deviation:
            up = self.up.update(deviation if change > 0.0 else 0.0)
            moved = up + self.down.update(deviation if change < 0.0 else 0.0)
            self.value = 100.0 * (up / moved) if moved != 0.0 else 50.0
        return self.value


class Chop:
    """Bill Dreiss' choppiness index, 0 to 100: 100 log(sum of true ranges / (highest high - lowest low)) / log(length).

    Of the last `length` bars; true ranges from the second bar on. 100 where there was no range. A bar with a NaN is
    passed over.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Chop", length, 2)
        self.scale = math.log10(length)
        self.true_range = TrueRange()
        self.average = Sma(length)
        self.highest = RollingMax(length)
        self.lowest = RollingMin(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the index."""
        if math.isnan(high + low + close):
            return self.value
        extent = self.highest.update(high) - self.lowest.update(low)
        path = self.average.update(self.true_range.update(high, low, close)) * self.length
        if path == path:
            flat = extent <= 0.0 or path <= 0.0
            self.value = 100.0 if flat else 100.0 * (math.log10(path / extent) / self.scale)
        return self.value


class Ulcer:
    """Peter Martin's ulcer index: the root of the mean squared drawdown in percent over the last `length` values.

    Each drawdown is from the highest value since the window's begin. Martin and McCann, The Investor's Guide to
    Fidelity Funds (1989). O(length) a value. Prices are above 0; a NaN is passed over.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Ulcer", length)
        self.value = math.nan
        self.count = 0
        self.index = 0
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the index."""
        if value != value:
            return self.value
        self.ring[self.index] = value
        self.index = self.index + 1 if self.index + 1 < self.length else 0
        if self.count < self.length:
            self.count += 1
        if self.count == self.length:
            self.value = math.sqrt(self._squares() / self.length)
        return self.value

    def _squares(self) -> float:
        """The sum of the squared drawdowns, from the oldest value to the newest."""
        highest = 0.0
        total = 0.0
        # What is written over next is the oldest.
        place = self.index
        for _ in range(self.length):
            highest = max(highest, self.ring[place])
            drawdown = 100.0 * ((self.ring[place] - highest) / highest) if highest > 0.0 else 0.0
            total += drawdown * drawdown
            place = place + 1 if place + 1 < self.length else 0
        return total
