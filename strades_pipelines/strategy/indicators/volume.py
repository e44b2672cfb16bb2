"""What was traded at which price: OBV, VWAP, money flow. Volumes are 0 or more."""

import math

from strades_pipelines.strategy.indicators.moving_averages import Sma
from strades_pipelines.strategy.indicators.parameters import whole

# Of a sum of three prices, relative: 184.43 + 184.36 + 184.36 and 184.41 + 184.37 + 184.37 differ in the last digit.
ROUNDING = 1e-14


class Obv:
    """On-balance volume: plus the volume of a bar that closes higher than the last one, minus that of a lower one.

    Joseph Granville, New Key to Stock Market Profits (1963). 0 at the first bar (TA-Lib begins with its volume).
    """

    def __init__(self) -> None:
        self.value = math.nan
        self.close = math.nan

    @property
    def ready(self) -> bool:
        """Whether there was a bar."""
        return not math.isnan(self.value)

    def update(self, close: float, volume: float) -> float:
        """Take in the next bar and return the balance."""
        if math.isnan(close + volume):
            return self.value
        if math.isnan(self.value):
            self.value = 0.0
        elif close > self.close:
            self.value += volume
        elif close < self.close:
            self.value -= volume
        self.close = close
        return self.value


class Vwap:
    """Volume-weighted average of (high + low + close) / 3 since the start or the last `reset()`; NaN without volume.

    For the VWAP of a session call `reset()` before its first bar.
    """

    def __init__(self) -> None:
        self.value = math.nan
        self.traded = 0.0
        self.volume = 0.0

    @property
    def ready(self) -> bool:
        """Whether there was volume."""
        return not math.isnan(self.value)

    def reset(self) -> None:
        """Forget what was traded."""
        self.value = math.nan
        self.traded = 0.0
        self.volume = 0.0

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take in the next bar and return the average price."""
        if math.isnan(high + low + close + volume):
            return self.value
        self.traded += (high + low + close) / 3.0 * volume
        self.volume += volume
        if self.volume > 0.0:
            self.value = self.traded / self.volume
        return self.value


class RollingVwap:
    """Volume-weighted average of (high + low + close) / 3 over the last `length` bars; NaN without volume."""

    def __init__(self, length: int) -> None:
        self.length = whole("length of RollingVwap", length)
        self.traded = Sma(length)
        self.volume = Sma(length)
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether the window is full and has volume."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take in the next bar and return the average price."""
        if math.isnan(high + low + close + volume):
            return self.value
        traded = self.traded.update((high + low + close) / 3.0 * volume)
        volumes = self.volume.update(volume)
        self.value = traded / volumes if volumes != 0.0 else math.nan
        return self.value


class Mfi:
    """Money flow index, 0 to 100: 100 P / (P + N), P and N the flows of the last `length` bars that rose and that fell.

    The flow of a bar is p * volume, p = (high + low + close) / 3; it rose where p is above the last bar's, and counts
    as neither where p is the same but for rounding. Gene Quong and Avrum Soudack (1989). Without flow 0, as in TA-Lib.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Mfi", length)
        self.rising = Sma(length)
        self.falling = Sma(length)
        self.price = math.nan
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` bars."""
        return not math.isnan(self.value)

    def update(self, high: float, low: float, close: float, volume: float) -> float:
        """Take in the next bar and return the index."""
        if math.isnan(high + low + close + volume):
            return self.value
        price = (high + low + close) / 3.0
        previous = self.price
        self.price = price
        if previous == previous:
            change = price - previous
            tie = ROUNDING * price
            rising = self.rising.update(price * volume if change > tie else 0.0)
            flow = rising + self.falling.update(price * volume if change < -tie else 0.0)
            self.value = 100.0 * (rising / flow) if flow != 0.0 else 0.0
        return self.value
