"""Where the close stands in its recent range. Ranges without extent give 0, as in TA-Lib."""

import math

from strades_pipelines.strategy.indicators.extremes import RollingMax, RollingMin
from strades_pipelines.strategy.indicators.momentum import Rsi
from strades_pipelines.strategy.indicators.moving_averages import Sma
from strades_pipelines.strategy.indicators.parameters import whole


class Stochastic:
    """George Lane's stochastic oscillator, 0 to 100.

    `fast_k` = 100 (close - lowest low) / (highest high - lowest low) of the last `length` bars; `value` (%K) its
    simple average over `smoothing` bars, `d` (%D) that of %K over `signal` bars, `j` = 3 %K - 2 %D. Slow with the
    default; `smoothing=1` gives the fast one.
    """

    def __init__(self, length: int = 14, smoothing: int = 3, signal: int = 3) -> None:
        self.length = whole("length of Stochastic", length)
        self.highest = RollingMax(length)
        self.lowest = RollingMin(length)
        self.k_average = Sma(whole("smoothing of Stochastic", smoothing))
        self.d_average = Sma(whole("signal length of Stochastic", signal))
        self.fast_k = math.nan
        self.value = math.nan
        self.d = math.nan
        self.j = math.nan

    @property
    def ready(self) -> bool:
        """Whether there is a %D."""
        return not math.isnan(self.d)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return %K."""
        if math.isnan(high + low + close):
            return self.value
        lowest = self.lowest.update(low)
        extent = self.highest.update(high) - lowest
        self.fast_k = 100.0 * ((close - lowest) / extent) if extent != 0.0 else 0.0
        self.value = self.k_average.update(self.fast_k)
        self.d = self.d_average.update(self.value)
        self.j = 3.0 * self.value - 2.0 * self.d
        return self.value


class StochRsi:
    """The stochastic oscillator of the RSI, 0 to 100: `value` (%K) and `d` (%D). One value in.

    Tushar Chande and Stanley Kroll, The New Technical Trader (1994), who scale it 0 to 1; 0 to 100 is TA-Lib's scale
    (STOCHRSI: `smoothing=1`) and the one of `Rsi` and `Stochastic`.
    """

    def __init__(self, length: int = 14, window: int = 14, smoothing: int = 1, signal: int = 3) -> None:
        self.rsi = Rsi(whole("length of StochRsi", length))
        self.stochastic = Stochastic(whole("window of StochRsi", window), smoothing, signal)
        self.value = math.nan
        self.d = math.nan

    @property
    def ready(self) -> bool:
        """Whether there is a %D."""
        return not math.isnan(self.d)

    def update(self, value: float) -> float:
        """Take in the next value and return %K."""
        if value != value:
            return self.value
        rsi = self.rsi.update(value)
        self.value = self.stochastic.update(rsi, rsi, rsi)
        self.d = self.stochastic.d
        return self.value


class WilliamsR:
    """Larry Williams' %R, -100 to 0.

    -100 (highest high - close) / (highest high - lowest low) of the last `length` bars.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of WilliamsR", length)
        self.highest = RollingMax(length)
        self.lowest = RollingMin(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return %R."""
        if math.isnan(high + low + close):
            return self.value
        highest = self.highest.update(high)
        extent = highest - self.lowest.update(low)
        self.value = -100.0 * ((highest - close) / extent) if extent != 0.0 else 0.0
        return self.value


class Cci:
    """Donald Lambert's commodity channel index (1980).

    (p - mean of p) / (0.015 mean absolute deviation of p) over `length` bars, p = (high + low + close) / 3.
    O(length) a bar: the absolute deviation has no running form.
    """

    def __init__(self, length: int = 20) -> None:
        self.length = whole("length of Cci", length, 2)
        self.value = math.nan
        self.index = 0
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the index."""
        if math.isnan(high + low + close):
            return self.value
        price = (high + low + close) / 3.0
        i = self.index
        self.ring[i] = price
        i += 1
        self.index = i if i < self.length else 0
        mean = self._mean(price)
        deviation = 0.0
        for j in range(self.length):
            deviation += abs(self.ring[j] - mean)
        self.value = (price - mean) / (0.015 * deviation / self.length) if deviation != 0.0 else 0.0
        return self.value

    def _mean(self, price: float) -> float:
        """As distance from the newest price, so that of equal prices it is that price, to the bit."""
        total = 0.0
        for j in range(self.length):
            total += self.ring[j] - price
        return price + total / self.length
