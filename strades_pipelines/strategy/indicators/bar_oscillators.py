"""How a price moves, from whole bars: Awesome, Ultimate, Vortex and others. A bar with a NaN is passed over."""

import math

from strades_pipelines.strategy.indicators.extremes import RollingMax, RollingMin
from strades_pipelines.strategy.indicators.moving_averages import Ema, Sma, Smma
from strades_pipelines.strategy.indicators.parameters import whole
from strades_pipelines.strategy.indicators.volatility import TrueRange


class Awesome:
    """Bill Williams' awesome oscillator: SMA(`fast`) - SMA(`slow`) of (high + low) / 2.

    New Trading Dimensions (1998). `acceleration` is his accelerator: the oscillator less its mean of `signal` bars.
    """

    def __init__(self, fast: int = 5, slow: int = 34, signal: int = 5) -> None:
        whole("slow length of Awesome", slow, whole("fast length of Awesome", fast) + 1)
        self.fast = Sma(fast)
        self.slow = Sma(slow)
        self.average = Sma(whole("signal length of Awesome", signal))
        self.value = math.nan
        self.acceleration = math.nan

    @property
    def ready(self) -> bool:
        """Whether there is an acceleration: after `slow + signal - 1` bars; the oscillator is there after `slow`."""
        return not math.isnan(self.acceleration)

    def update(self, high: float, low: float) -> float:
        """Take in the next bar's extremes and return the oscillator."""
        middle = (high + low) / 2.0
        if middle != middle:
            return self.value
        fast = self.fast.update(middle)
        self.value = fast - self.slow.update(middle)
        self.acceleration = self.value - self.average.update(self.value)
        return self.value


class Ultimate:
    """Larry Williams' ultimate oscillator, 0 to 100. Stocks & Commodities 3:4 (1985).

    100 (4 a1 + 2 a2 + a3) / 7, a = sum of buying pressure / sum of true range over the `short`, `middle` and `long`
    length; buying pressure is close - min(low, previous close). A length without range counts 0, as in TA-Lib.
    """

    def __init__(self, short: int = 7, middle: int = 14, long: int = 28) -> None:
        whole("middle length of Ultimate", middle, whole("short length of Ultimate", short))
        whole("long length of Ultimate", long, middle)
        self.pressures = [Sma(short), Sma(middle), Sma(long)]
        self.ranges = [Sma(short), Sma(middle), Sma(long)]
        self.close = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `long` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the oscillator."""
        if math.isnan(high + low + close):
            return self.value
        previous = self.close
        self.close = close
        if previous == previous:
            bottom = min(low, previous)
            extent = max(high, previous) - bottom
            total = 0.0
            weight = 4.0
            for k in range(3):
                pressure = self.pressures[k].update(close - bottom)
                mean_range = self.ranges[k].update(extent)
                if mean_range != 0.0:
                    total += weight * (pressure / mean_range)
                weight /= 2.0
            self.value = 100.0 * (total / 7.0)
        return self.value


class Vortex:
    """Vortex indicator: `plus` and `minus`; `value` is plus - minus.

    Each is the sum of movements, |high - previous low| and |low - previous high|, over that of true ranges, of the last
    `length` bars; 0 without range. Etienne Botes and Douglas Siepman, Stocks & Commodities 28:1 (2010).
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Vortex", length)
        self.range = TrueRange()
        self.range_average = Sma(length)
        self.plus_average = Sma(length)
        self.minus_average = Sma(length)
        self.high = math.nan
        self.low = math.nan
        self.value = math.nan
        self.plus = math.nan
        self.minus = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the difference."""
        if math.isnan(high + low + close):
            return self.value
        extent = self.range_average.update(self.range.update(high, low, close))
        # NaN at the first bar, which the averages pass over.
        up = self.plus_average.update(abs(high - self.low))
        down = self.minus_average.update(abs(low - self.high))
        self.high = high
        self.low = low
        self.plus = up / extent if extent != 0.0 else 0.0
        self.minus = down / extent if extent != 0.0 else 0.0
        self.value = self.plus - self.minus
        return self.value


class BalanceOfPower:
    """Igor Livshin's balance of power, -1 to 1: (close - open) / (high - low); 0 where there is no range.

    Stocks & Commodities 19:8 (2001).
    """

    def __init__(self) -> None:
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was a bar."""
        return not math.isnan(self.value)

    def update(self, open: float, high: float, low: float, close: float) -> float:
        """Take in the next bar and return its balance."""
        if math.isnan(open + high + low + close):
            return self.value
        self.value = (close - open) / (high - low) if high > low else 0.0
        return self.value


class ElderRay:
    """Alexander Elder's rays: `bull` = high - EMA of the closes, `bear` = low - EMA; `value` is their sum.

    Trading for a Living (1993).
    """

    def __init__(self, length: int = 13) -> None:
        self.length = whole("length of ElderRay", length)
        self.average = Ema(length)
        self.value = math.nan
        self.bull = math.nan
        self.bear = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `length` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the sum of both powers."""
        if math.isnan(high + low + close):
            return self.value
        average = self.average.update(close)
        self.bull = high - average
        self.bear = low - average
        self.value = self.bull + self.bear
        return self.value


class Imi:
    """Tushar Chande's intraday momentum index, 0 to 100: 100 g / (g + l).

    g and l are the sums of close - open of the bars that rose and that fell, of the last `length`.
    Where no bar moved it is 50, as in TA-Lib.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Imi", length)
        self.gains = Sma(length)
        self.losses = Sma(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, open: float, close: float) -> float:
        """Take in the next bar and return the index."""
        change = close - open
        if change != change:
            return self.value
        gain = self.gains.update(change if change > 0.0 else 0.0)
        moved = gain + self.losses.update(-change if change < 0.0 else 0.0)
        self.value = 100.0 * (gain / moved) if moved != 0.0 else 50.0
        return self.value


class Qstick:
    """Tushar Chande's Qstick: the mean of close - open of the last `length` bars. The New Technical Trader (1994)."""

    def __init__(self, length: int = 10) -> None:
        self.length = whole("length of Qstick", length)
        self.average = Sma(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return not math.isnan(self.value)

    def update(self, open: float, close: float) -> float:
        """Take in the next bar and return the mean."""
        self.value = self.average.update(close - open)
        return self.value


class Smi:
    """William Blau's stochastic momentum index, -100 to 100, and `signal`, its EMA. Stocks & Commodities 11:1 (1993).

    100 EMA(EMA(close - middle)) / EMA(EMA((highest - lowest) / 2)), middle and extremes of the last `length` bars,
    `slow` the length of the inner average and `fast` that of the outer. 0 where there was no range.
    """

    def __init__(self, length: int = 13, fast: int = 2, slow: int = 25, signal: int = 9) -> None:
        self.length = whole("length of Smi", length)
        self.highest = RollingMax(length)
        self.lowest = RollingMin(length)
        self.inner_distance = Ema(whole("slow length of Smi", slow))
        self.outer_distance = Ema(whole("fast length of Smi", fast))
        self.inner_range = Ema(slow)
        self.outer_range = Ema(fast)
        self.average = Ema(whole("signal length of Smi", signal))
        self.value = math.nan
        self.signal = math.nan

    @property
    def ready(self) -> bool:
        """Whether there is a signal, after `length + slow + fast + signal - 3` bars; the index is there before."""
        return not math.isnan(self.signal)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the index."""
        if math.isnan(high + low + close):
            return self.value
        highest = self.highest.update(high)
        lowest = self.lowest.update(low)
        distance = self.outer_distance.update(self.inner_distance.update(close - (highest + lowest) / 2.0))
        extent = self.outer_range.update(self.inner_range.update((highest - lowest) / 2.0))
        self.value = 100.0 * (distance / extent) if extent != 0.0 else 0.0
        self.signal = self.average.update(self.value)
        return self.value


class Kdj:
    """The KDJ form of the stochastic oscillator: `value` (%K) and `d` by Wilder's averages, `j` = 3 %K - 2 %D."""

    def __init__(self, length: int = 9, smoothing: int = 3, signal: int = 3) -> None:
        self.length = whole("length of Kdj", length)
        self.highest = RollingMax(length)
        self.lowest = RollingMin(length)
        self.k_average = Smma(whole("smoothing of Kdj", smoothing))
        self.d_average = Smma(whole("signal length of Kdj", signal))
        self.value = math.nan
        self.d = math.nan
        self.j = math.nan

    @property
    def ready(self) -> bool:
        """Whether there is a %D, after `length + smoothing + signal - 2` bars."""
        return not math.isnan(self.d)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return %K."""
        if math.isnan(high + low + close):
            return self.value
        lowest = self.lowest.update(low)
        extent = self.highest.update(high) - lowest
        self.value = self.k_average.update(100.0 * ((close - lowest) / extent) if extent != 0.0 else 0.0)
        self.d = self.d_average.update(self.value)
        self.j = 3.0 * self.value - 2.0 * self.d
        return self.value
