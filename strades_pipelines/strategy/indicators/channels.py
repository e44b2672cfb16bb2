"""Bands around a price: `upper`, `middle`, `lower`; `value` is the middle."""

import math

from strades_pipelines.strategy.indicators.extremes import RollingMax, RollingMin
from strades_pipelines.strategy.indicators.moving_averages import Ema, Sma
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
        if math.isnan(high + low):
            return self.value
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
        if math.isnan(high + low + close):
            return self.value
        reach = self.multiplier * self.atr.update(high, low, close)
        self.middle = self.average.update(close)
        self.upper = self.middle + reach
        self.lower = self.middle - reach
        self.value = self.middle
        return self.value


class AccelerationBands:
    """Price Headley's acceleration bands, Big Trends in Trading (2002); a bar with a NaN is passed over.

    The middle is SMA(close), the upper band SMA(high (1 + 4 (high - low) / (high + low))), the lower one SMA(low (1 - 4
    (high - low) / (high + low))) of `length` bars (TA-Lib's ACCBANDS).
    """

    def __init__(self, length: int = 20) -> None:
        self.length = whole("length of AccelerationBands", length)
        self.high_average = Sma(length)
        self.average = Sma(length)
        self.low_average = Sma(length)
        self.value = math.nan
        self.upper = math.nan
        self.middle = math.nan
        self.lower = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the middle."""
        if math.isnan(high + low + close):
            return self.value
        total = high + low
        width = 4.0 * ((high - low) / total) if total != 0.0 else 0.0
        self.upper = self.high_average.update(high * (1.0 + width))
        self.lower = self.low_average.update(low * (1.0 - width))
        self.middle = self.average.update(close)
        self.value = self.middle
        return self.value


class Ichimoku:
    """Ichimoku Kinko Hyo, by Goichi Hosoda (1968): `value` is the conversion line, `base` the base line.

    Each is (highest high + lowest low) / 2, of `conversion` and of `base` bars. `span_a` = (conversion + base) / 2 and
    `span_b`, the middle of `span` bars, are drawn `base` bars ahead: `ahead_a`, `ahead_b` are worked out with this bar,
    `span_a`, `span_b` are the cloud at this bar. The lagging span is this bar's close, drawn `base` bars back: compare
    it with `past`, the close of then. A bar with a NaN is passed over.
    """

    def __init__(self, conversion: int = 9, base: int = 26, span: int = 52) -> None:
        whole("conversion length of Ichimoku", conversion)
        whole("span length of Ichimoku", span, whole("base length of Ichimoku", base))
        self.conversion_channel = Donchian(conversion)
        self.base_channel = Donchian(base)
        self.span_channel = Donchian(span)
        self.shift = base
        self.index = 0
        self.ring_a = [math.nan] * base
        self.ring_b = [math.nan] * base
        self.closes = [math.nan] * base
        self.value = math.nan
        self.base = math.nan
        self.span_a = math.nan
        self.span_b = math.nan
        self.ahead_a = math.nan
        self.ahead_b = math.nan
        self.past = math.nan

    @property
    def ready(self) -> bool:
        """Whether there is a cloud: after `span + base` bars. The conversion line is there after `conversion`."""
        return not math.isnan(self.span_b)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the conversion line."""
        if math.isnan(high + low + close):
            return self.value
        i = self.index
        self.value = self.conversion_channel.update(high, low)
        self.base = self.base_channel.update(high, low)
        # What was written `base` bars ago, before it is written over.
        self.span_a = self.ring_a[i]
        self.span_b = self.ring_b[i]
        self.past = self.closes[i]
        self.ahead_a = (self.value + self.base) / 2.0
        self.ahead_b = self.span_channel.update(high, low)
        self.ring_a[i] = self.ahead_a
        self.ring_b[i] = self.ahead_b
        self.closes[i] = close
        self.index = i + 1 if i + 1 < self.shift else 0
        return self.value
