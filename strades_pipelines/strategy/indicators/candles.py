"""The last candles of a price, and what TA-Lib calls long, short, near and equal among them."""

import math

from strades_pipelines.strategy.indicators.moving_averages import Sma

# How many candles a pattern reads: the newest is number 0.
KEPT = 6


class Candles:
    """The last six candles, the newest first, each with the means that its parts are compared with.

    A mean is of the 10 candles before (`near`, `far`, `equal`: 5): of bodies, of ranges, of both shadows. These are
    TA-Lib's default settings. A bar with a NaN is passed over.
    """

    def __init__(self) -> None:
        self.count = 0
        self.body_mean = Sma(10)
        self.range_mean = Sma(10)
        self.shadow_mean = Sma(10)
        self.near_mean = Sma(5)
        self.open = [math.nan] * KEPT
        self.high = [math.nan] * KEPT
        self.low = [math.nan] * KEPT
        self.close = [math.nan] * KEPT
        self.bodies = [math.nan] * KEPT
        self.ranges = [math.nan] * KEPT
        self.shadows = [math.nan] * KEPT
        self.nears = [math.nan] * KEPT
        self.value = math.nan

    @property
    def ready(self) -> bool:
        """Whether every pattern has the candles it reads: after 16 bars."""
        return self.count == KEPT + 10

    def update(self, open: float, high: float, low: float, close: float) -> float:
        """Take in the next bar and return its body, close - open."""
        if math.isnan(open + high + low + close):
            return self.value
        # Counted no further: all that is asked is whether there are enough.
        if self.count < KEPT + 10:
            self.count += 1
        for k in range(KEPT - 1, 0, -1):
            self.open[k] = self.open[k - 1]
            self.high[k] = self.high[k - 1]
            self.low[k] = self.low[k - 1]
            self.close[k] = self.close[k - 1]
            self.bodies[k] = self.bodies[k - 1]
            self.ranges[k] = self.ranges[k - 1]
            self.shadows[k] = self.shadows[k - 1]
            self.nears[k] = self.nears[k - 1]
        self.bodies[0] = self.body_mean.value
        self.ranges[0] = self.range_mean.value
        # It is of both shadows together.
        self.shadows[0] = self.shadow_mean.value / 2.0
        self.nears[0] = self.near_mean.value
        self.open[0] = open
        self.high[0] = high
        self.low[0] = low
        self.close[0] = close
        self.body_mean.update(abs(close - open))
        self.range_mean.update(high - low)
        self.shadow_mean.update(high - low - abs(close - open))
        self.near_mean.update(high - low)
        self.value = close - open
        return self.value

    def color(self, k: int) -> int:
        """1 for a candle that closes at its open or above, else -1."""
        return 1 if self.close[k] >= self.open[k] else -1

    def body(self, k: int) -> float:
        """|close - open|."""
        return abs(self.close[k] - self.open[k])

    def top(self, k: int) -> float:
        """The upper end of the body."""
        return max(self.open[k], self.close[k])

    def bottom(self, k: int) -> float:
        """The lower end of the body."""
        return min(self.open[k], self.close[k])

    def upper(self, k: int) -> float:
        """The upper shadow."""
        return self.high[k] - self.top(k)

    def lower(self, k: int) -> float:
        """The lower shadow."""
        return self.bottom(k) - self.low[k]

    def is_long(self, k: int) -> bool:
        """A body longer than the mean."""
        return self.body(k) > self.bodies[k]

    def is_short(self, k: int) -> bool:
        """A body shorter than the mean."""
        return self.body(k) < self.bodies[k]

    def is_doji(self, k: int) -> bool:
        """A body of at most a tenth of the mean range."""
        return self.body(k) <= 0.1 * self.ranges[k]

    def no_upper(self, k: int) -> bool:
        """An upper shadow of less than a tenth of the mean range."""
        return self.upper(k) < 0.1 * self.ranges[k]

    def no_lower(self, k: int) -> bool:
        """A lower shadow of less than a tenth of the mean range."""
        return self.lower(k) < 0.1 * self.ranges[k]

    def has_upper(self, k: int) -> bool:
        """An upper shadow of more than a tenth of the mean range."""
        return self.upper(k) > 0.1 * self.ranges[k]

    def has_lower(self, k: int) -> bool:
        """A lower shadow of more than a tenth of the mean range."""
        return self.lower(k) > 0.1 * self.ranges[k]

    def gaps_up(self, k: int, j: int) -> bool:
        """Whether the body of `k` is above that of `j`."""
        return self.bottom(k) > self.top(j)

    def gaps_down(self, k: int, j: int) -> bool:
        """Whether the body of `k` is below that of `j`."""
        return self.top(k) < self.bottom(j)

    def equal(self, price: float, level: float, k: int) -> bool:
        """Whether a price is that of a level at candle `k`, within a twentieth of the mean range."""
        tolerance = 0.05 * self.nears[k]
        return level - tolerance <= price <= level + tolerance

    def near(self, k: int) -> float:
        """How far prices may be from those of candle `k` and count as near; three times that is far."""
        return 0.2 * self.nears[k]

    def far(self, k: int) -> float:
        """From which distance on lengths are much different from those of candle `k`."""
        return 0.6 * self.nears[k]
