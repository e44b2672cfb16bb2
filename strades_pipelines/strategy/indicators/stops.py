"""Lines that trail a price and turn with it: parabolic SAR and SuperTrend. A bar with a NaN is skipped."""

import math

from strades_pipelines.strategy.indicators.parameters import positive, whole
from strades_pipelines.strategy.indicators.volatility import Atr


class ParabolicSar:
    """Welles Wilder's parabolic stop and reverse: below the bars while the trend rises (`rising`), else above.

    New Concepts in Technical Trading Systems (1978): the stop moves by a share of its distance from the trend's
    extreme; the share grows by `acceleration` with each new extreme up to `maximum`; the stop is never within the last
    two bars. The first trend falls if the second bar moved further down than up, as in TA-Lib.
    """

    def __init__(self, acceleration: float = 0.02, maximum: float = 0.2) -> None:
        self.acceleration = positive("acceleration of ParabolicSar", acceleration)
        self.maximum = positive("maximum of ParabolicSar", maximum)
        # TA-Lib's rule: a step above the maximum is the maximum.
        self.acceleration = min(self.acceleration, self.maximum)
        self.value = math.nan
        self.rising = False
        self.stop = math.nan
        self.extreme = math.nan
        self.share = self.acceleration
        self.high = math.nan
        self.low = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were two bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float) -> float:
        """Update with the next bar's high and low; returns the stop that was in force for it."""
        if math.isnan(high + low):
            return self.value
        if self.high == self.high:
            if math.isnan(self.stop):
                self._begin(high, low)
            if self.rising:
                self._rise(high, low)
            else:
                self._fall(high, low)
        self.high = high
        self.low = low
        return self.value

    def _begin(self, high: float, low: float) -> None:
        """From two bars to the first trend."""
        down = self.low - low
        self.rising = not (down > 0.0 and down > high - self.high)
        self.stop = self.low if self.rising else self.high
        self.extreme = high if self.rising else low
        # The stop stays outside this bar and the one before it; at the start both are the second bar.
        self.high = high
        self.low = low

    def _rise(self, high: float, low: float) -> None:
        if low <= self.stop:
            self._turn(max(self.extreme, self.high, high), low)
            self.stop = max(self.stop, self.high, high)
            return
        self.value = self.stop
        if high > self.extreme:
            self._extend(high)
        self.stop = min(self.stop + self.share * (self.extreme - self.stop), self.low, low)

    def _fall(self, high: float, low: float) -> None:
        if high >= self.stop:
            self._turn(min(self.extreme, self.low, low), high)
            self.stop = min(self.stop, self.low, low)
            return
        self.value = self.stop
        if low < self.extreme:
            self._extend(low)
        self.stop = max(self.stop + self.share * (self.extreme - self.stop), self.high, high)

    def _extend(self, extreme: float) -> None:
        """The trend has a new extreme."""
        self.extreme = extreme
        self.share = min(self.share + self.acceleration, self.maximum)

    def _turn(self, stop: float, extreme: float) -> None:
        """A new trend begins at the extreme of the old one."""
        self.rising = not self.rising
        self.value = stop
        self.share = self.acceleration
        self.extreme = extreme
        self.stop = stop + self.share * (extreme - stop)


class SuperTrend:
    """Olivier Seban's SuperTrend: `value` is the `lower` band while the trend rises (`rising`), else the `upper` one.

    Bands are (high + low) / 2 plus and minus `multiplier` average true ranges; each moves only towards the price until
    a close passes it. The trend turns when a close passes its band. The first is rising.
    """

    def __init__(self, length: int = 10, multiplier: float = 3.0) -> None:
        self.length = whole("length of SuperTrend", length)
        self.multiplier = positive("multiplier of SuperTrend", multiplier)
        self.atr = Atr(length)
        self.value = math.nan
        self.upper = math.nan
        self.lower = math.nan
        self.rising = True
        self.close = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float) -> float:
        """Update with the next bar; returns the line."""
        if math.isnan(high + low + close):
            return self.value
        reach = self.multiplier * self.atr.update(high, low, close)
        if reach == reach:
            middle = (high + low) / 2.0
            # Negated, so that a band that is NaN, at first, is set.
            if not (self.upper <= middle + reach and self.close <= self.upper):
                self.upper = middle + reach
            if not (self.lower >= middle - reach and self.close >= self.lower):
                self.lower = middle - reach
            self.rising = close >= self.lower if self.rising else close > self.upper
            self.value = self.lower if self.rising else self.upper
        self.close = close
        return self.value
