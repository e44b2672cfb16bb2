"""How a price moves, from one value at a time: CMO, TRIX, TSI, PPO and others. A NaN is passed over."""

import math

from strades_pipelines.strategy.indicators.extremes import RollingMax, RollingMin
from strades_pipelines.strategy.indicators.momentum import Roc
from strades_pipelines.strategy.indicators.moving_averages import Ema, Sma, Smma, Wma
from strades_pipelines.strategy.indicators.parameters import whole


class Cmo:
    """Chande momentum oscillator, -100 to 100: 100 (g - l) / (g + l), sums of the last `length` gains and losses.

    Tushar Chande and Stanley Kroll, The New Technical Trader (1994); TA-Lib's CMOU. Where nothing moved it is 0.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Cmo", length)
        self.gains: Sma | Smma = Sma(length)
        self.losses: Sma | Smma = Sma(length)
        self.previous = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the oscillator."""
        if value != value:
            return self.value
        change = value - self.previous
        self.previous = value
        if change == change:
            gain = self.gains.update(change if change > 0.0 else 0.0)
            loss = self.losses.update(-change if change < 0.0 else 0.0)
            moved = gain + loss
            self.value = 100.0 * ((gain - loss) / moved) if moved != 0.0 else 0.0
        return self.value


class SmoothedCmo(Cmo):
    """The Chande momentum oscillator over Wilder's averages of gains and losses: TA-Lib's CMO, and 2 RSI - 100."""

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of SmoothedCmo", length)
        self.gains = Smma(length)
        self.losses = Smma(length)
        self.previous = math.nan
        self.value = math.nan


class EfficiencyRatio:
    """Perry Kaufman's efficiency ratio, 0 to 1: |x - x `length` values ago| / the sum of the |changes| between.

    Smarter Trading (1995). 1 where nothing moved, as in TA-Lib.
    """

    def __init__(self, length: int = 10) -> None:
        self.length = whole("length of EfficiencyRatio", length)
        self.path = Sma(length)
        self.previous = math.nan
        self.value = math.nan
        self.index = 0
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the ratio."""
        if value != value:
            return self.value
        path = self.path.update(abs(value - self.previous)) * self.length
        self.previous = value
        way = abs(value - self.ring[self.index])
        self.ring[self.index] = value
        self.index = self.index + 1 if self.index + 1 < self.length else 0
        if way == way:
            # A sum is rounded: the way is never longer than the path.
            self.value = way / path if path > way else 1.0
        return self.value


class Ppo:
    """Percentage price oscillator: `Macd` in percent of the slow average.

    `value` = 100 (EMA(`fast`) - EMA(`slow`)) / EMA(`slow`), `signal` = its EMA, `histogram` = value - signal. TA-Lib's
    PPO; of volumes it is the PVO. 0 where the slow average is 0.
    """

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        whole("slow length of Ppo", slow, whole("fast length of Ppo", fast) + 1)
        self.fast = Ema(fast)
        self.slow = Ema(slow)
        self.average = Ema(whole("signal length of Ppo", signal))
        self.value = math.nan
        self.signal = math.nan
        self.histogram = math.nan

    @property
    def ready(self) -> bool:
        """Whether there is a signal, after `slow + signal - 1` values; the line is there after `slow`."""
        return not math.isnan(self.signal)

    def update(self, value: float) -> float:
        """Take in the next value and return the difference in percent."""
        if value != value:
            return self.value
        fast = self.fast.update(value)
        slow = self.slow.update(value)
        self.value = 100.0 * ((fast - slow) / slow) if slow != 0.0 else 0.0
        self.signal = self.average.update(self.value)
        self.histogram = self.value - self.signal
        return self.value


class Trix:
    """Jack Hutson's TRIX (1983): the change in percent of a triple EMA.

    Each average is seeded with the mean of its own first `length`, as in TA-Lib, whose default length is 30.
    """

    def __init__(self, length: int = 15) -> None:
        self.length = whole("length of Trix", length)
        self.first = Ema(length)
        self.second = Ema(length)
        self.third = Ema(length)
        self.change = Roc(1)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `3 * length - 1` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the change in percent."""
        if value != value:
            return self.value
        self.value = self.change.update(self.third.update(self.second.update(self.first.update(value))))
        return self.value


class Tsi:
    """William Blau's true strength index, -100 to 100: of changes, 100 EMA(EMA(change)) / EMA(EMA(|change|)).

    `length` is that of the inner average, `smoothing` of the outer. Stocks & Commodities 9:11 (1991). 0 where nothing
    moved.
    """

    def __init__(self, length: int = 25, smoothing: int = 13) -> None:
        self.length = whole("length of Tsi", length)
        whole("smoothing of Tsi", smoothing)
        self.change = Ema(length)
        self.smooth_change = Ema(smoothing)
        self.path = Ema(length)
        self.smooth_path = Ema(smoothing)
        self.previous = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `length + smoothing` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the index."""
        if value != value:
            return self.value
        change = value - self.previous
        self.previous = value
        if change == change:
            net = self.smooth_change.update(self.change.update(change))
            path = self.smooth_path.update(self.path.update(abs(change)))
            self.value = 100.0 * (net / path) if path != 0.0 else 0.0
        return self.value


class Coppock:
    """Edwin Coppock's curve (Barron's, 1962): WMA(`smoothing`) of Roc(`fast`) + Roc(`slow`), made for months."""

    def __init__(self, smoothing: int = 10, fast: int = 11, slow: int = 14) -> None:
        self.average = Wma(whole("smoothing of Coppock", smoothing))
        self.fast = Roc(whole("fast length of Coppock", fast))
        self.slow = Roc(whole("slow length of Coppock", slow))
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `max(fast, slow) + smoothing` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the curve."""
        if value != value:
            return self.value
        fast = self.fast.update(value)
        self.value = self.average.update(fast + self.slow.update(value))
        return self.value


class Dpo:
    """Detrended price oscillator: the value `length` / 2 + 1 values ago less the mean of the last `length`."""

    def __init__(self, length: int = 20) -> None:
        self.length = whole("length of Dpo", length, 2)
        self.average = Sma(length)
        self.value = math.nan
        self.index = 0
        self.ring = [math.nan] * (length // 2 + 1)

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the difference."""
        if value != value:
            return self.value
        self.value = self.ring[self.index] - self.average.update(value)
        self.ring[self.index] = value
        self.index = self.index + 1 if self.index < self.length // 2 else 0
        return self.value


class Vhf:
    """Adam White's vertical horizontal filter (1991): (highest - lowest) / the sum of |changes| over `length` values.

    0 where nothing moved.
    """

    def __init__(self, length: int = 28) -> None:
        self.length = whole("length of Vhf", length, 2)
        self.highest = RollingMax(length)
        self.lowest = RollingMin(length)
        self.path = Sma(length)
        self.previous = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the filter."""
        if value != value:
            return self.value
        extent = self.highest.update(value) - self.lowest.update(value)
        path = self.path.update(abs(value - self.previous)) * self.length
        self.previous = value
        self.value = extent / path if path != 0.0 else 0.0
        return self.value
