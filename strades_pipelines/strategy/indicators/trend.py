"""Whether there is a trend, and which: ADX, Aroon, Heikin-Ashi candles."""

import math

from strades_pipelines.strategy.indicators.extremes import BarsSinceHighest
from strades_pipelines.strategy.indicators.moving_averages import Smma
from strades_pipelines.strategy.indicators.parameters import whole
from strades_pipelines.strategy.indicators.volatility import TrueRange


class Adx:
    """Average directional index, 0 to 100, with `plus_di` and `minus_di`.

    J. Welles Wilder, New Concepts in Technical Trading Systems (1978): directional movements and true range are
    smoothed from the second bar on, seeded with their first `length`; the ADX is Wilder's average of DX. (TA-Lib seeds
    with one bar fewer; the difference fades by 1 - 1 / length a bar.) Where neither index moves, the ADX stays.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Adx", length)
        self.true_range = TrueRange()
        self.range_average = Smma(length)
        self.plus_average = Smma(length)
        self.minus_average = Smma(length)
        self.average = Smma(length)
        self.high = math.nan
        self.low = math.nan
        self.value = math.nan
        self.plus_di = math.nan
        self.minus_di = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `2 * length` bars, of which neither index of the last `length` was all zero."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the ADX."""
        if math.isnan(high + low + close):
            return self.value
        up = high - self.high
        down = self.low - low
        self.high = high
        self.low = low
        self.range_average.update(self.true_range.update(high, low, close))
        # NaN at the first bar, which has none before it.
        if up == up:
            self.plus_average.update(up if up > down and up > 0.0 else 0.0)
            self.minus_average.update(down if down > up and down > 0.0 else 0.0)
        if self.range_average.ready:
            self._direct()
        return self.value

    def _direct(self) -> None:
        """From the averages to the indices."""
        extent = self.range_average.value
        self.plus_di = 100.0 * (self.plus_average.value / extent) if extent != 0.0 else 0.0
        self.minus_di = 100.0 * (self.minus_average.value / extent) if extent != 0.0 else 0.0
        total = self.plus_di + self.minus_di
        if total != 0.0:
            self.value = self.average.update(100.0 * (abs(self.plus_di - self.minus_di) / total))


class Aroon:
    """Tushar Chande's Aroon (1995): `up` = 100 (length - bars since the highest high) / length, `down` of the lowest.

    The extremes are those of `length + 1` bars; of equal ones the newest counts, as in TA-Lib. `value` is the
    oscillator, up - down, -100 to 100.
    """

    def __init__(self, length: int = 25) -> None:
        self.length = whole("length of Aroon", length)
        self.since_high = BarsSinceHighest(length + 1)
        self.since_low = BarsSinceHighest(length + 1)
        self.value = math.nan
        self.up = math.nan
        self.down = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float) -> float:
        """Take in the next bar's extremes and return the oscillator."""
        if math.isnan(high + low):
            return self.value
        self.up = 100.0 * ((self.length - self.since_high.update(high)) / self.length)
        self.down = 100.0 * ((self.length - self.since_low.update(-low)) / self.length)
        self.value = self.up - self.down
        return self.value


class HeikinAshi:
    """Heikin-Ashi candles: `open`, `high`, `low`, `close`; `value` is the close.

    close = (open + high + low + close) / 4; open = the mean of the previous candle's open and close, of the bar's own
    for the first; high and low include both. Dan Valcu, Using the Heikin-Ashi Technique (2004).
    """

    def __init__(self) -> None:
        self.open = math.nan
        self.high = math.nan
        self.low = math.nan
        self.close = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was a bar."""
        return not math.isnan(self.value)

    def update(self, open: float, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the candle's close."""
        if math.isnan(open + high + low + close):
            return self.value
        self.open = (open + close) / 2.0 if math.isnan(self.close) else (self.open + self.close) / 2.0
        self.close = (open + high + low + close) / 4.0
        self.high = max(high, self.open, self.close)
        self.low = min(low, self.open, self.close)
        self.value = self.close
        return self.value


class Adxr:
    """Wilder's directional movement rating: the mean of the ADX and the one `length` - 1 bars ago; `adx` is the ADX.

    TA-Lib's distance, which a seed of one bar fewer separates from ours as it does the ADX.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Adxr", length, 2)
        self.index = Adx(length)
        self.place = 0
        self.ring = [math.nan] * (length - 1)
        self.value = math.nan
        self.adx = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was an ADX `length - 1` bars ago."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Take in the next bar and return the rating."""
        if math.isnan(high + low + close):
            return self.value
        self.adx = self.index.update(high, low, close)
        self.value = (self.adx + self.ring[self.place]) / 2.0
        self.ring[self.place] = self.adx
        self.place = self.place + 1 if self.place + 1 < self.length - 1 else 0
        return self.value


class DirectionalMovement:
    """Wilder's directional movements: `plus` and `minus` (TA-Lib's PLUS_DM, MINUS_DM); `value` = plus - minus.

    Their sums fade: s += m - s / length, seeded with the sum of the first `length` - 1. A bar with a NaN is passed
    over.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of DirectionalMovement", length, 2)
        self.count = 0
        self.plus_sum = 0.0
        self.minus_sum = 0.0
        self.high = math.nan
        self.low = math.nan
        self.value = math.nan
        self.plus = math.nan
        self.minus = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were `length` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float) -> float:
        """Take in the next bar's extremes and return the difference of the sums."""
        if math.isnan(high + low):
            return self.value
        up = high - self.high
        down = self.low - low
        self.high = high
        self.low = low
        self.count += 1
        if self.count > self.length:
            # Kept where it is: only whether the seed is whole is asked.
            self.count = self.length + 1
            self.plus_sum -= self.plus_sum / self.length
            self.minus_sum -= self.minus_sum / self.length
        self.plus_sum += up if up > down and up > 0.0 else 0.0
        self.minus_sum += down if down > up and down > 0.0 else 0.0
        if self.count >= self.length:
            self.plus = self.plus_sum
            self.minus = self.minus_sum
            self.value = self.plus - self.minus
        return self.value


class Fractal:
    """Bill Williams' fractals: `up`, the high of the latest bar above its neighbours, and `down`, the low of one below.

    A bar is one when `left` bars before and `right` bars after it are all lower (higher), so it is known `right` bars
    later; `since_up`, `since_down` count bars since then. `value` is `up`. Trading Chaos (1995). O(left + right) a bar.
    """

    def __init__(self, left: int = 2, right: int = 2) -> None:
        self.left = whole("left bars of Fractal", left)
        self.right = whole("right bars of Fractal", right)
        self.width = left + right + 1
        self.index = 0
        self.highs = [math.nan] * self.width
        self.lows = [math.nan] * self.width
        self.value = math.nan
        self.up = math.nan
        self.down = math.nan
        self.since_up = math.nan
        self.since_down = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was one of each."""
        return not math.isnan(self.up + self.down)

    def update(self, high: float, low: float) -> float:
        """Take in the next bar's extremes and return the latest up fractal."""
        if math.isnan(high + low):
            return self.value
        self.highs[self.index] = high
        self.lows[self.index] = low
        self.index = self.index + 1 if self.index + 1 < self.width else 0
        middle = self.index + self.left
        middle = middle if middle < self.width else middle - self.width
        self.since_up += 1.0
        self.since_down += 1.0
        above = 0
        below = 0
        for k in range(self.width):
            # A NaN of before the first bar is neither.
            if self.highs[k] < self.highs[middle]:
                above += 1
            if self.lows[k] > self.lows[middle]:
                below += 1
        if above == self.width - 1:
            self.up = self.highs[middle]
            self.since_up = float(self.right)
        if below == self.width - 1:
            self.down = self.lows[middle]
            self.since_down = float(self.right)
        self.value = self.up
        return self.value
