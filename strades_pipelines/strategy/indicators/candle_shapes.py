"""Patterns of one candle and of two. `color` 1 is white: the close at the open or above.

Definitions and settings are TA-Lib's (CDL...); each returns 1 (rises), -1 (falls) or 0, where TA-Lib has 100 or 80.
"""

from strades_pipelines.strategy.indicators.candles import Candles


class CandleShapes(Candles):
    """Patterns of the newest candle, and of it and the one before."""

    def middle(self) -> float:
        """The middle of the newest range."""
        return self.low[0] + (self.high[0] - self.low[0]) / 2.0

    def doji(self) -> int:
        """A body of next to nothing."""
        is_pattern = self.is_doji(0)
        return 1 if is_pattern else 0

    def dragonfly_doji(self) -> int:
        """A doji with a lower shadow only."""
        is_pattern = self.is_doji(0) and self.no_upper(0) and self.has_lower(0)
        return 1 if is_pattern else 0

    def gravestone_doji(self) -> int:
        """A doji with an upper shadow only."""
        is_pattern = self.is_doji(0) and self.no_lower(0) and self.has_upper(0)
        return 1 if is_pattern else 0

    def long_legged_doji(self) -> int:
        """A doji with a shadow longer than its body."""
        is_pattern = self.is_doji(0) and (self.lower(0) > self.body(0) or self.upper(0) > self.body(0))
        return 1 if is_pattern else 0

    def rickshaw_man(self) -> int:
        """A doji with two long shadows, near the middle of its range."""
        is_pattern = (
            self.is_doji(0)
            and self.lower(0) > self.body(0)
            and self.upper(0) > self.body(0)
            and self.bottom(0) <= self.middle() + self.near(0)
            and self.top(0) >= self.middle() - self.near(0)
        )
        return 1 if is_pattern else 0

    def takuri(self) -> int:
        """A doji with a lower shadow more than twice its body, and no upper one."""
        is_pattern = self.is_doji(0) and self.no_upper(0) and self.lower(0) > 2.0 * self.body(0)
        return 1 if is_pattern else 0

    def marubozu(self) -> int:
        """A long body without shadows."""
        is_pattern = self.is_long(0) and self.no_upper(0) and self.no_lower(0)
        return self.color(0) if is_pattern else 0

    def closing_marubozu(self) -> int:
        """A long body without a shadow where it closes."""
        is_pattern = self.is_long(0) and (self.no_upper(0) if self.color(0) == 1 else self.no_lower(0))
        return self.color(0) if is_pattern else 0

    def belt_hold(self) -> int:
        """A long body without a shadow where it opens."""
        is_pattern = self.is_long(0) and (self.no_lower(0) if self.color(0) == 1 else self.no_upper(0))
        return self.color(0) if is_pattern else 0

    def long_line(self) -> int:
        """A long body with short shadows."""
        is_pattern = self.is_long(0) and self.upper(0) < self.shadows[0] and self.lower(0) < self.shadows[0]
        return self.color(0) if is_pattern else 0

    def short_line(self) -> int:
        """A short body with short shadows."""
        is_pattern = self.is_short(0) and self.upper(0) < self.shadows[0] and self.lower(0) < self.shadows[0]
        return self.color(0) if is_pattern else 0

    def spinning_top(self) -> int:
        """A short body with shadows longer than it."""
        is_pattern = self.is_short(0) and self.upper(0) > self.body(0) and self.lower(0) > self.body(0)
        return self.color(0) if is_pattern else 0

    def high_wave(self) -> int:
        """A short body with shadows more than twice as long."""
        is_pattern = self.is_short(0) and self.upper(0) > 2.0 * self.body(0) and self.lower(0) > 2.0 * self.body(0)
        return self.color(0) if is_pattern else 0

    def hammer(self) -> int:
        """A short body over a long lower shadow, near the low before."""
        is_pattern = (
            self.is_short(0)
            and self.lower(0) > self.body(0)
            and self.no_upper(0)
            and self.bottom(0) <= self.low[1] + self.near(1)
        )
        return 1 if is_pattern else 0

    def hanging_man(self) -> int:
        """A short body over a long lower shadow, near the high before."""
        is_pattern = (
            self.is_short(0)
            and self.lower(0) > self.body(0)
            and self.no_upper(0)
            and self.bottom(0) >= self.high[1] - self.near(1)
        )
        return -1 if is_pattern else 0

    def inverted_hammer(self) -> int:
        """A short body under a long upper shadow, below the body before."""
        is_pattern = self.is_short(0) and self.upper(0) > self.body(0) and self.no_lower(0) and self.gaps_down(0, 1)
        return 1 if is_pattern else 0

    def shooting_star(self) -> int:
        """A short body under a long upper shadow, above the body before."""
        is_pattern = self.is_short(0) and self.upper(0) > self.body(0) and self.no_lower(0) and self.gaps_up(0, 1)
        return -1 if is_pattern else 0

    def engulfing(self) -> int:
        """A body that covers the one before, of the other color."""
        is_pattern = (
            self.color(0) != self.color(1)
            and self.top(0) >= self.top(1)
            and self.bottom(0) <= self.bottom(1)
            and (self.top(0) > self.top(1) or self.bottom(0) < self.bottom(1))
        )
        return self.color(0) if is_pattern else 0

    def harami(self) -> int:
        """A short body within the long one before."""
        is_pattern = (
            self.is_long(1)
            and self.body(0) <= self.bodies[0]
            and self.top(0) <= self.top(1)
            and self.bottom(0) >= self.bottom(1)
        )
        return -self.color(1) if is_pattern else 0

    def harami_cross(self) -> int:
        """A doji within the long body before."""
        is_pattern = (
            self.is_long(1) and self.is_doji(0) and self.top(0) <= self.top(1) and self.bottom(0) >= self.bottom(1)
        )
        return -self.color(1) if is_pattern else 0

    def piercing(self) -> int:
        """A long white body from below the low of a long black one to above its middle."""
        is_pattern = (
            self.color(1) == -1
            and self.color(0) == 1
            and self.is_long(1)
            and self.is_long(0)
            and self.open[0] < self.low[1]
            and self.close[0] < self.open[1]
            and self.close[0] > self.close[1] + 0.5 * self.body(1)
        )
        return 1 if is_pattern else 0

    def dark_cloud_cover(self) -> int:
        """A black body from above the high of a long white one to below its middle."""
        is_pattern = (
            self.color(1) == 1
            and self.color(0) == -1
            and self.is_long(1)
            and self.open[0] > self.high[1]
            and self.close[0] > self.open[1]
            and self.close[0] < self.close[1] - 0.5 * self.body(1)
        )
        return -1 if is_pattern else 0

    def counterattack(self) -> int:
        """Two long bodies of both colors that close at the same price."""
        is_pattern = (
            self.color(1) != self.color(0)
            and self.is_long(1)
            and self.is_long(0)
            and self.equal(self.close[0], self.close[1], 1)
        )
        return self.color(0) if is_pattern else 0

    def doji_star(self) -> int:
        """A doji beyond the end of a long body."""
        is_pattern = (
            self.is_long(1) and self.is_doji(0) and (self.gaps_up(0, 1) if self.color(1) == 1 else self.gaps_down(0, 1))
        )
        return -self.color(1) if is_pattern else 0

    def homing_pigeon(self) -> int:
        """A short black body within a long black one."""
        is_pattern = (
            self.color(1) == -1
            and self.color(0) == -1
            and self.is_long(1)
            and self.body(0) <= self.bodies[0]
            and self.open[0] < self.open[1]
            and self.close[0] > self.close[1]
        )
        return 1 if is_pattern else 0

    def in_neck(self) -> int:
        """After a long black body a white one from below its low to just above its close."""
        is_pattern = (
            self.color(1) == -1
            and self.color(0) == 1
            and self.is_long(1)
            and self.open[0] < self.low[1]
            and self.close[0] >= self.close[1]
            and self.equal(self.close[0], self.close[1], 1)
        )
        return -1 if is_pattern else 0

    def on_neck(self) -> int:
        """After a long black body a white one from below its low to that low."""
        is_pattern = (
            self.color(1) == -1
            and self.color(0) == 1
            and self.is_long(1)
            and self.open[0] < self.low[1]
            and self.equal(self.close[0], self.low[1], 1)
        )
        return -1 if is_pattern else 0

    def thrusting(self) -> int:
        """After a long black body a white one from below its low to below its middle."""
        is_pattern = (
            self.color(1) == -1
            and self.color(0) == 1
            and self.is_long(1)
            and self.open[0] < self.low[1]
            and self.close[0] > self.close[1] + 0.05 * self.nears[1]
            and self.close[0] <= self.close[1] + 0.5 * self.body(1)
        )
        return -1 if is_pattern else 0

    def kicking(self) -> int:
        """Two marubozus of both colors with a gap between."""
        is_pattern = (
            self.color(1) != self.color(0)
            and self.is_long(1)
            and self.no_upper(1)
            and self.no_lower(1)
            and self.is_long(0)
            and self.no_upper(0)
            and self.no_lower(0)
            and (self.low[0] > self.high[1] if self.color(1) == -1 else self.high[0] < self.low[1])
        )
        return self.color(0) if is_pattern else 0

    def kicking_by_length(self) -> int:
        """The same, named by the longer one."""
        is_pattern = self.kicking() != 0
        return (self.color(0) if self.body(0) > self.body(1) else self.color(1)) if is_pattern else 0

    def matching_low(self) -> int:
        """Two black bodies that close at the same price."""
        is_pattern = self.color(1) == -1 and self.color(0) == -1 and self.equal(self.close[0], self.close[1], 1)
        return 1 if is_pattern else 0

    def separating_lines(self) -> int:
        """After a body of the other color a long one from the same open, without a shadow there."""
        is_pattern = (
            self.color(1) != self.color(0)
            and self.equal(self.open[0], self.open[1], 1)
            and self.is_long(0)
            and (self.no_lower(0) if self.color(0) == 1 else self.no_upper(0))
        )
        return self.color(0) if is_pattern else 0
