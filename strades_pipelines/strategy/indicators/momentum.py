"""How fast a price moves: momentum, rate of change, RSI, MACD. One value in, one number out."""

import math

from strades_pipelines.strategy.indicators.moving_averages import Ema
from strades_pipelines.strategy.indicators.parameters import whole


class Momentum:
    """x - x `length` values ago."""

    def __init__(self, length: int) -> None:
        self.length = whole("length of Momentum", length)
        self.value = math.nan
        self.index = 0
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the difference."""
        if value != value:
            return self.value
        i = self.index
        self.value = value - self.ring[i]
        self.ring[i] = value
        i += 1
        self.index = i if i < self.length else 0
        return self.value


class Roc:
    """Rate of change in percent: 100 (x / x `length` values ago - 1); 0 where that was 0 (TA-Lib's ROC)."""

    def __init__(self, length: int) -> None:
        self.length = whole("length of Roc", length)
        self.value = math.nan
        self.index = 0
        self.ring = [math.nan] * length

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the change in percent."""
        if value != value:
            return self.value
        i = self.index
        past = self.ring[i]
        self.value = 100.0 * ((value - past) / past) if past != 0.0 else 0.0
        self.ring[i] = value
        i += 1
        self.index = i if i < self.length else 0
        return self.value


class Rsi:
    """Relative strength index, 0 to 100: 100 g / (g + l), g and l Wilder's averages of the gains and of the losses.

    J. Welles Wilder, New Concepts in Technical Trading Systems (1978). The averages are seeded with the mean of the
    first `length` changes. Where nothing ever moved it is 0, as in TA-Lib.
    """

    def __init__(self, length: int = 14) -> None:
        self.length = whole("length of Rsi", length)
        self.value = math.nan
        self.previous = math.nan
        self.count = 0
        self.gain = 0.0
        self.loss = 0.0

    @property
    def ready(self) -> bool:
        """Whether there were more than `length` values."""
        return not math.isnan(self.value)

    def update(self, value: float) -> float:
        """Take in the next value and return the index."""
        if value != value:
            return self.value
        change = value - self.previous
        self.previous = value
        gain = change if change > 0.0 else 0.0
        loss = -change if change < 0.0 else 0.0
        if self.count == self.length:
            self.gain += (gain - self.gain) / self.length
            self.loss += (loss - self.loss) / self.length
            # Without a change both averages fade alike: their share stays, and should to the bit.
            moved = self.gain + self.loss
            if change != 0.0 and moved != 0.0:
                self.value = 100.0 * (self.gain / moved)
        elif change == change:
            self._seed(gain, loss)
        return self.value

    def _seed(self, gain: float, loss: float) -> None:
        """Add to the first changes; with the last of them there is a first value."""
        self.gain += gain
        self.loss += loss
        self.count += 1
        if self.count == self.length:
            moved = self.gain + self.loss
            self.value = 100.0 * (self.gain / moved) if moved != 0.0 else 0.0
            self.gain /= self.length
            self.loss /= self.length


class Macd:
    """Moving average convergence divergence, by Gerald Appel.

    `value` = EMA(`fast`) - EMA(`slow`), `signal` = its EMA, `histogram` = value - signal. Each average is
    seeded with the mean of its own first values, as in Stock.Indicators. (TA-Lib starts the fast one later, with the
    slow one; the difference fades.) The line is there before the signal; ready when both are.
    """

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        whole("slow length of Macd", slow, whole("fast length of Macd", fast) + 1)
        self.fast = Ema(fast)
        self.slow = Ema(slow)
        self.average = Ema(whole("signal length of Macd", signal))
        self.value = math.nan
        self.signal = math.nan
        self.histogram = math.nan

    @property
    def ready(self) -> bool:
        """Whether there is a signal."""
        return not math.isnan(self.signal)

    def update(self, value: float) -> float:
        """Take in the next value and return the MACD line."""
        if value != value:
            return self.value
        self.value = self.fast.update(value) - self.slow.update(value)
        self.signal = self.average.update(self.value)
        self.histogram = self.value - self.signal
        return self.value
