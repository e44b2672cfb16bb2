"""All patterns; here are those of five candles, and those of three beyond a gap.

Definitions and settings are TA-Lib's (CDL...); each returns 1 (rises), -1 (falls) or 0, where TA-Lib has 100 or 80.
"""

from strades_pipelines.strategy.indicators.candle_stars import CandleStars


class CandlePatterns(CandleStars):
    """59 patterns of candlesticks. Feed it bars, then ask: `if self.candles.engulfing() == 1`."""

    def breaks_down(self) -> bool:
        """Up over a gap and on, then a close back within the gap."""
        rises = (
            self.gaps_up(3, 4)
            and self.high[1] > self.high[2] > self.high[3]
            and self.low[1] > self.low[2] > self.low[3]
        )
        return rises and self.close[4] < self.close[0] < self.open[3]

    def breaks_up(self) -> bool:
        """Down over a gap and on, then a close back within the gap."""
        falls = (
            self.gaps_down(3, 4)
            and self.high[1] < self.high[2] < self.high[3]
            and self.low[1] < self.low[2] < self.low[3]
        )
        return falls and self.open[3] < self.close[0] < self.close[4]

    def is_within(self, k: int, j: int) -> bool:
        """Whether the body of `k` reaches into the range of `j`."""
        return self.bottom(k) < self.high[j] and self.top(k) > self.low[j]

    def moves(self, k: int, j: int) -> bool:
        """Whether `j` closes beyond `k`, against the fifth candle."""
        return (self.close[j] - self.close[k]) * self.color(4) < 0.0

    def breakaway(self) -> int:
        """A long body, a gap, two candles further, and one back into the gap."""
        is_pattern = (
            self.is_long(4)
            and self.color(4) == self.color(3) == self.color(1)
            and self.color(0) != self.color(1)
            and (self.breaks_down() if self.color(4) == 1 else self.breaks_up())
        )
        return self.color(0) if is_pattern else 0

    def concealing_baby_swallow(self) -> int:
        """Two black marubozus, a black body below them with an upper shadow, and one that covers it."""
        is_pattern = (
            self.color(3) == -1
            and self.color(2) == -1
            and self.color(1) == -1
            and self.color(0) == -1
            and self.no_lower(3)
            and self.no_upper(3)
            and self.no_lower(2)
            and self.no_upper(2)
            and self.gaps_down(1, 2)
            and self.has_upper(1)
            and self.high[1] > self.close[2]
            and self.high[0] > self.high[1]
            and self.low[0] < self.low[1]
        )
        return 1 if is_pattern else 0

    def ladder_bottom(self) -> int:
        """Three black bodies down, a fourth with an upper shadow, and a white one above it."""
        is_pattern = (
            self.color(4) == -1
            and self.color(3) == -1
            and self.color(2) == -1
            and self.color(1) == -1
            and self.color(0) == 1
            and self.open[4] > self.open[3] > self.open[2]
            and self.close[4] > self.close[3] > self.close[2]
            and self.has_upper(1)
            and self.open[0] > self.open[1]
            and self.close[0] > self.high[1]
        )
        return 1 if is_pattern else 0

    def mat_hold(self) -> int:
        """A long white body, three short ones that fall less than half of it, and one above all."""
        is_pattern = (
            self.color(4) == 1
            and self.color(3) == -1
            and self.color(0) == 1
            and self.is_long(4)
            and self.is_short(3)
            and self.is_short(2)
            and self.is_short(1)
            and self.gaps_up(3, 4)
            and self.close[4] - 0.5 * self.body(4) < self.bottom(2) < self.close[4]
            and self.close[4] - 0.5 * self.body(4) < self.bottom(1) < self.close[4]
            and self.top(2) < self.open[3]
            and self.top(1) < self.top(2)
            and self.open[0] > self.close[1]
            and self.close[0] > max(self.high[3], self.high[2], self.high[1])
        )
        return 1 if is_pattern else 0

    def three_methods(self) -> int:
        """A long body, three short ones back within its range, and a long one beyond it: rising or falling."""
        is_pattern = (
            self.is_long(4)
            and self.is_short(3)
            and self.is_short(2)
            and self.is_short(1)
            and self.is_long(0)
            and self.color(4) == self.color(0)
            and self.color(3) == self.color(2) == self.color(1)
            and self.color(3) != self.color(4)
            and self.is_within(3, 4)
            and self.is_within(2, 4)
            and self.is_within(1, 4)
            and self.moves(3, 2)
            and self.moves(2, 1)
            and (self.open[0] - self.close[1]) * self.color(4) > 0.0
            and (self.close[0] - self.close[4]) * self.color(4) > 0.0
        )
        return self.color(4) if is_pattern else 0

    def fills_above(self) -> bool:
        """A close within the gap below a white body."""
        return self.gaps_up(1, 2) and self.top(2) < self.close[0] < self.open[1]

    def fills_below(self) -> bool:
        """A close within the gap above a black body."""
        return self.gaps_down(1, 2) and self.open[1] < self.close[0] < self.bottom(2)

    def gap_side_side_white(self) -> int:
        """Beyond a gap two white bodies alike."""
        is_pattern = (
            ((self.gaps_up(1, 2) and self.gaps_up(0, 2)) or (self.gaps_down(1, 2) and self.gaps_down(0, 2)))
            and self.color(1) == 1
            and self.color(0) == 1
            and abs(self.body(0) - self.body(1)) <= self.near(1)
            and self.equal(self.open[0], self.open[1], 1)
        )
        return (1 if self.gaps_up(1, 2) else -1) if is_pattern else 0

    def tasuki_gap(self) -> int:
        """Beyond a gap a body, and one as long of the other color from within it into the gap."""
        is_pattern = (
            self.color(0) != self.color(1)
            and self.bottom(1) < self.open[0] < self.top(1)
            and abs(self.body(1) - self.body(0)) < self.near(1)
            and (self.fills_above() if self.color(1) == 1 else self.fills_below())
        )
        return self.color(1) if is_pattern else 0

    def gap_three_methods(self) -> int:
        """Beyond a gap a body of the same color, and one back through the gap."""
        is_pattern = (
            self.color(2) == self.color(1)
            and self.color(0) != self.color(1)
            and self.bottom(1) < self.open[0] < self.top(1)
            and self.bottom(2) < self.close[0] < self.top(2)
            and (self.gaps_up(1, 2) if self.color(2) == 1 else self.gaps_down(1, 2))
        )
        return self.color(2) if is_pattern else 0
