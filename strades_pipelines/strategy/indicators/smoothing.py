"""More averages: DEMA, TEMA, T3, TRIMA, HMA, ZLEMA, KAMA, by volume, of a changing length. NaN until ready."""

import math

from strades_pipelines.strategy.indicators.extremes import RollingMax, RollingMin
from strades_pipelines.strategy.indicators.momentum_oscillators import EfficiencyRatio
from strades_pipelines.strategy.indicators.moving_averages import Ema, Sma, Wma
from strades_pipelines.strategy.indicators.parameters import between, whole


class Dema:
    """Double exponential moving average: 2 e1 - e2, e1 the EMA of the values and e2 that of e1.

    Patrick Mulloy, Smoothing Data with Faster Moving Averages, Stocks & Commodities 12:1 (1994). Each average is seeded
    with the mean of its own first `length`, as in TA-Lib.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of Dema", length)
        self.first = Ema(length)
        self.second = Ema(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `2 * length - 1` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        first = self.first.update(value)
        self.value = 2.0 * first - self.second.update(first)
        return self.value


class Tema:
    """Triple exponential moving average: 3 e1 - 3 e2 + e3, each the EMA of the one before.

    Patrick Mulloy, Stocks & Commodities 12:1 (1994). Each average is seeded with the mean of its own first `length`, as
    in TA-Lib; Stock.Indicators seeds all three with the first, which fades.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of Tema", length)
        self.first = Ema(length)
        self.second = Ema(length)
        self.third = Ema(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `3 * length - 2` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        first = self.first.update(value)
        second = self.second.update(first)
        self.value = 3.0 * first - 3.0 * second + self.third.update(second)
        return self.value


class T3:
    """Tim Tillson's T3: the generalised DEMA, (1 + v) e - v EMA(e), applied three times; `factor` is v.

    Tillson, Better Moving Averages, Stocks & Commodities 16:1 (1998). Six averages in a row, seeded as in TA-Lib.
    """

    def __init__(self, length: int = 5, factor: float = 0.7) -> None:
        self.length = whole("length of T3", length)
        v = between("factor of T3", factor, 0.0, 1.0)
        self.averages = [Ema(length) for _ in range(6)]
        # The three times multiplied out.
        self.sixth = -v * v * v
        self.fifth = 3.0 * v * v + 3.0 * v * v * v
        self.fourth = -6.0 * v * v - 3.0 * v - 3.0 * v * v * v
        self.third = 1.0 + 3.0 * v + v * v * v + 3.0 * v * v
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `6 * length - 5` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        smooth = value
        for k in range(6):
            smooth = self.averages[k].update(smooth)
        self.value = (
            self.sixth * smooth
            + self.fifth * self.averages[4].value
            + self.fourth * self.averages[3].value
            + self.third * self.averages[2].value
        )
        return self.value


class Trima:
    """Triangular moving average: the middle of the window weighs most. The simple average of a simple average.

    Of an odd `length` both are (length + 1) / 2 long, else length / 2 and length / 2 + 1 (TA-Lib's TRIMA).
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of Trima", length)
        self.inner = Sma((length + 1) // 2)
        self.outer = Sma(length // 2 + 1)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        self.value = self.outer.update(self.inner.update(value))
        return self.value


class Hma:
    """Alan Hull's moving average (2005): WMA(isqrt(`length`)) of 2 WMA(`length` // 2) - WMA(`length`)."""

    def __init__(self, length: int) -> None:
        self.length = whole("length of Hma", length, 2)
        self.half = Wma(length // 2)
        self.full = Wma(length)
        self.outer = Wma(math.isqrt(length))
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `length + isqrt(length) - 1` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        half = self.half.update(value)
        self.value = self.outer.update(2.0 * half - self.full.update(value))
        return self.value


class Zlema:
    """Zero-lag EMA: the EMA of x + (x - x (length - 1) / 2 values ago). John Ehlers and Ric Way, Zero Lag (2010)."""

    def __init__(self, length: int) -> None:
        self.length = whole("length of Zlema", length)
        self.lag = (length - 1) // 2
        self.average = Ema(length)
        self.value = math.nan
        self.index = 0
        self.ring = [math.nan] * (self.lag + 1)

    @property
    def ready(self) -> bool:
        """Whether there were `length + (length - 1) // 2` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        self.ring[self.index] = value
        self.index = self.index + 1 if self.index < self.lag else 0
        self.value = self.average.update(value + (value - self.ring[self.index]))
        return self.value


class Kama:
    """Perry Kaufman's adaptive moving average: k += (x - k) c, c = (e (f - s) + s)^2, e the efficiency ratio.

    f = 2 / (`fast` + 1), s = 2 / (`slow` + 1). Kaufman, Smarter Trading (1995). It begins with the value before its
    first one, as in TA-Lib, whose default length is 30.
    """

    def __init__(self, length: int = 10, fast: int = 2, slow: int = 30) -> None:
        self.length = whole("length of Kama", length)
        whole("slow length of Kama", slow, whole("fast length of Kama", fast) + 1)
        self.fast = 2.0 / (fast + 1)
        self.slow = 2.0 / (slow + 1)
        self.efficiency = EfficiencyRatio(length)
        self.previous = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the average."""
        if value != value:
            return self.value
        ratio = self.efficiency.update(value)
        if ratio == ratio:
            speed = ratio * (self.fast - self.slow) + self.slow
            before = self.value if self.value == self.value else self.previous
            self.value = before + (value - before) * (speed * speed)
        self.previous = value
        return self.value


class Vwma:
    """Volume-weighted moving average: the sum of price * volume over that of volume, of `length` bars.

    NaN without volume. A bar without a price or a volume is passed over.
    """

    def __init__(self, length: int) -> None:
        self.length = whole("length of Vwma", length)
        self.traded = Sma(length)
        self.volume = Sma(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full and has volume."""
        return not math.isnan(self.value)

    def update(self, value: float, volume: float) -> float:
        """Take in the next price and volume and return the average."""
        if math.isnan(value + volume):
            return self.value
        traded = self.traded.update(value * volume)
        volumes = self.volume.update(volume)
        self.value = traded / volumes if volumes != 0.0 else math.nan
        return self.value


class Mavp:
    """Simple moving average whose length each value brings along (TA-Lib's MAVP). O(longest) a value.

    A length is cut to whole numbers and kept in `shortest` ... `longest`; it begins with `longest` values.
    """

    def __init__(self, shortest: int = 2, longest: int = 30) -> None:
        self.shortest = whole("shortest length of Mavp", shortest)
        self.longest = whole("longest length of Mavp", longest, shortest)
        self.value = math.nan
        self.count = 0
        self.index = 0
        self.ring = [math.nan] * longest

    @property
    def ready(self) -> bool:
        """Whether there were `longest` values."""
        return not math.isnan(self.value)

    def update(self, value: float, length: float) -> float:
        """Take in the next value and its length, and return the average."""
        if math.isnan(value + length):
            return self.value
        self.ring[self.index] = value
        if self.count < self.longest:
            self.count += 1
        if self.count == self.longest:
            window = int(max(float(self.shortest), min(float(self.longest), length)))
            total = 0.0
            for k in range(window):
                place = self.index - k
                total += self.ring[place if place >= 0 else place + self.longest]
            self.value = total / window
        self.index = self.index + 1 if self.index + 1 < self.longest else 0
        return self.value


class Midpoint:
    """(highest + lowest) / 2 of the last `length` values (TA-Lib's MIDPOINT; of highs and lows: `Donchian.middle`)."""

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Midpoint", length)
        self.highest = RollingMax(length)
        self.lowest = RollingMin(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the middle."""
        self.value = (self.highest.update(value) + self.lowest.update(value)) / 2.0
        return self.value
