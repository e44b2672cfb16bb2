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
        up = high - self.high
        down = self.low - low
        self.high = high
        self.low = low
        self.range_average.update(self.true_range.update(high, low, close))
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
        self.open = (open + close) / 2.0 if math.isnan(self.close) else (self.open + self.close) / 2.0
        self.close = (open + high + low + close) / 4.0
        self.high = max(high, self.open, self.close)
        self.low = min(low, self.open, self.close)
        self.value = self.close
        return self.value
