"""Patterns of three candles.

Definitions and settings are TA-Lib's (CDL...); each returns 1 (rises), -1 (falls) or 0, where TA-Lib has 100 or 80.
"""

from strades_pipelines.strategy.indicators.candle_shapes import CandleShapes


class CandleStars(CandleShapes):
    """Patterns of the three newest candles; two read the one before them too."""

    def weakens(self) -> bool:
        """Whether the last of three white bodies are shorter, or have long upper shadows."""
        shrinks = self.body(0) < self.body(1)
        return (
            (self.body(1) < self.body(2) - self.far(2) and self.body(0) < self.body(1) + self.near(1))
            or self.body(0) < self.body(1) - self.far(1)
            or (
                shrinks
                and self.body(1) < self.body(2)
                and (self.upper(0) > self.shadows[0] or self.upper(1) > self.shadows[1])
            )
            or (shrinks and self.upper(0) > self.body(0))
        )

    def strikes_down(self) -> bool:
        """Three closes up, and one from above them to below the first open."""
        rises = self.close[1] > self.close[2] > self.close[3]
        return rises and self.open[0] > self.close[1] and self.close[0] < self.open[3]

    def strikes_up(self) -> bool:
        """Three closes down, and one from below them to above the first open."""
        falls = self.close[1] < self.close[2] < self.close[3]
        return falls and self.open[0] < self.close[1] and self.close[0] > self.open[3]

    def abandons_above(self) -> bool:
        """A candle above its neighbours, and a close into the first of them."""
        falls = self.close[0] < self.close[2] - 0.3 * self.body(2)
        return falls and self.low[1] > self.high[2] and self.high[0] < self.low[1]

    def abandons_below(self) -> bool:
        """A candle below its neighbours, and a close into the first of them."""
        rises = self.close[0] > self.close[2] + 0.3 * self.body(2)
        return rises and self.high[1] < self.low[2] and self.low[0] > self.high[1]

    def two_crows(self) -> int:
        """Above a long white body a black one, and a second that opens in it and closes in the first."""
        is_pattern = (
            self.color(2) == 1
            and self.color(1) == -1
            and self.color(0) == -1
            and self.is_long(2)
            and self.gaps_up(1, 2)
            and self.open[1] > self.open[0] > self.close[1]
            and self.open[2] < self.close[0] < self.close[2]
        )
        return -1 if is_pattern else 0

    def upside_gap_two_crows(self) -> int:
        """Above a long white body a short black one, and a second that covers it."""
        is_pattern = (
            self.color(2) == 1
            and self.color(1) == -1
            and self.color(0) == -1
            and self.is_long(2)
            and self.body(1) <= self.bodies[1]
            and self.gaps_up(1, 2)
            and self.open[0] > self.open[1]
            and self.close[2] < self.close[0] < self.close[1]
        )
        return -1 if is_pattern else 0

    def three_black_crows(self) -> int:
        """After a white body three black ones, each from within the last, without lower shadows."""
        is_pattern = (
            self.color(3) == 1
            and self.color(2) == -1
            and self.color(1) == -1
            and self.color(0) == -1
            and self.no_lower(2)
            and self.no_lower(1)
            and self.no_lower(0)
            and self.open[2] > self.open[1] > self.close[2]
            and self.open[1] > self.open[0] > self.close[1]
            and self.high[3] > self.close[2] > self.close[1] > self.close[0]
        )
        return -1 if is_pattern else 0

    def identical_three_crows(self) -> int:
        """Three black bodies, each from the last close, without lower shadows."""
        is_pattern = (
            self.color(2) == -1
            and self.color(1) == -1
            and self.color(0) == -1
            and self.no_lower(2)
            and self.no_lower(1)
            and self.no_lower(0)
            and self.close[2] > self.close[1] > self.close[0]
            and self.equal(self.open[1], self.close[2], 2)
            and self.equal(self.open[0], self.close[1], 1)
        )
        return -1 if is_pattern else 0

    def three_inside(self) -> int:
        """A harami, and a close beyond where its long body opened."""
        is_pattern = (
            self.is_long(2)
            and self.body(1) <= self.bodies[1]
            and self.top(1) < self.top(2)
            and self.bottom(1) > self.bottom(2)
            and self.color(0) != self.color(2)
            and (self.close[0] < self.open[2] if self.color(2) == 1 else self.close[0] > self.open[2])
        )
        return -self.color(2) if is_pattern else 0

    def three_outside(self) -> int:
        """An engulfing body, and a close further on."""
        is_pattern = (
            self.color(1) != self.color(2)
            and self.top(1) > self.top(2)
            and self.bottom(1) < self.bottom(2)
            and (self.close[0] > self.close[1] if self.color(1) == 1 else self.close[0] < self.close[1])
        )
        return self.color(1) if is_pattern else 0

    def three_stars_in_south(self) -> int:
        """Three black bodies, each smaller and higher: the selling ends."""
        is_pattern = (
            self.color(2) == -1
            and self.color(1) == -1
            and self.color(0) == -1
            and self.is_long(2)
            and self.lower(2) > self.body(2)
            and self.body(1) < self.body(2)
            and self.close[2] < self.open[1] <= self.high[2]
            and self.low[2] <= self.low[1] < self.close[2]
            and self.has_lower(1)
            and self.is_short(0)
            and self.no_upper(0)
            and self.no_lower(0)
            and self.low[0] > self.low[1]
            and self.high[0] < self.high[1]
        )
        return 1 if is_pattern else 0

    def three_white_soldiers(self) -> int:
        """Three white bodies of like length, each from within the last, without upper shadows."""
        is_pattern = (
            self.color(2) == 1
            and self.color(1) == 1
            and self.color(0) == 1
            and self.close[0] > self.close[1] > self.close[2]
            and self.open[2] < self.open[1] <= self.close[2] + self.near(2)
            and self.open[1] < self.open[0] <= self.close[1] + self.near(1)
            and self.no_upper(2)
            and self.no_upper(1)
            and self.no_upper(0)
            and self.body(1) > self.body(2) - self.far(2)
            and self.body(0) > self.body(1) - self.far(1)
            and self.body(0) > self.bodies[0]
        )
        return 1 if is_pattern else 0

    def advance_block(self) -> int:
        """Three white bodies, each from within the last, that weaken."""
        is_pattern = (
            self.color(2) == 1
            and self.color(1) == 1
            and self.color(0) == 1
            and self.close[0] > self.close[1] > self.close[2]
            and self.open[2] < self.open[1] <= self.close[2] + self.near(2)
            and self.open[1] < self.open[0] <= self.close[1] + self.near(1)
            and self.is_long(2)
            and self.upper(2) < self.shadows[2]
            and self.weakens()
        )
        return -1 if is_pattern else 0

    def stalled_pattern(self) -> int:
        """Two long white bodies, and a short one at the end of the second."""
        is_pattern = (
            self.color(2) == 1
            and self.color(1) == 1
            and self.color(0) == 1
            and self.close[0] > self.close[1] > self.close[2]
            and self.open[2] < self.open[1] <= self.close[2] + self.near(2)
            and self.is_long(2)
            and self.is_long(1)
            and self.no_upper(1)
            and self.is_short(0)
            and self.open[0] >= self.close[1] - self.body(0) - self.near(1)
        )
        return -1 if is_pattern else 0

    def three_line_strike(self) -> int:
        """Three bodies of a color further and further, and one back beyond the first."""
        is_pattern = (
            self.color(3) == self.color(2) == self.color(1)
            and self.color(0) != self.color(1)
            and self.bottom(3) - self.near(3) <= self.open[2] <= self.top(3) + self.near(3)
            and self.bottom(2) - self.near(2) <= self.open[1] <= self.top(2) + self.near(2)
            and (self.strikes_down() if self.color(1) == 1 else self.strikes_up())
        )
        return self.color(1) if is_pattern else 0

    def evening_star(self) -> int:
        """Above a long white body a short body, and a black body down into the first."""
        is_pattern = (
            self.color(2) == 1
            and self.color(0) == -1
            and self.is_long(2)
            and self.body(1) <= self.bodies[1]
            and self.body(0) > self.bodies[0]
            and self.gaps_up(1, 2)
            and self.close[0] < self.close[2] - 0.3 * self.body(2)
        )
        return -1 if is_pattern else 0

    def morning_star(self) -> int:
        """Below a long black body a short body, and a white body up into the first."""
        is_pattern = (
            self.color(2) == -1
            and self.color(0) == 1
            and self.is_long(2)
            and self.body(1) <= self.bodies[1]
            and self.body(0) > self.bodies[0]
            and self.gaps_down(1, 2)
            and self.close[0] > self.close[2] + 0.3 * self.body(2)
        )
        return 1 if is_pattern else 0

    def evening_doji_star(self) -> int:
        """Above a long white body a doji, and a black body down into the first."""
        is_pattern = (
            self.color(2) == 1
            and self.color(0) == -1
            and self.is_long(2)
            and self.is_doji(1)
            and self.body(0) > self.bodies[0]
            and self.gaps_up(1, 2)
            and self.close[0] < self.close[2] - 0.3 * self.body(2)
        )
        return -1 if is_pattern else 0

    def morning_doji_star(self) -> int:
        """Below a long black body a doji, and a white body up into the first."""
        is_pattern = (
            self.color(2) == -1
            and self.color(0) == 1
            and self.is_long(2)
            and self.is_doji(1)
            and self.body(0) > self.bodies[0]
            and self.gaps_down(1, 2)
            and self.close[0] > self.close[2] + 0.3 * self.body(2)
        )
        return 1 if is_pattern else 0

    def abandoned_baby(self) -> int:
        """A star, a doji, with gaps between the shadows on both sides."""
        is_pattern = (
            self.color(0) != self.color(2)
            and self.is_long(2)
            and self.is_doji(1)
            and self.body(0) > self.bodies[0]
            and (self.abandons_above() if self.color(2) == 1 else self.abandons_below())
        )
        return self.color(0) if is_pattern else 0

    def stick_sandwich(self) -> int:
        """A white body between black ones that close at the same price."""
        is_pattern = (
            self.color(2) == -1
            and self.color(1) == 1
            and self.color(0) == -1
            and self.low[1] > self.close[2]
            and self.equal(self.close[0], self.close[2], 2)
        )
        return 1 if is_pattern else 0

    def unique_three_river(self) -> int:
        """A long black body, a black one with a lower low, and a short white one above that."""
        is_pattern = (
            self.color(2) == -1
            and self.color(1) == -1
            and self.color(0) == 1
            and self.is_long(2)
            and self.close[1] > self.close[2]
            and self.open[1] <= self.open[2]
            and self.low[1] < self.low[2]
            and self.is_short(0)
            and self.open[0] > self.low[1]
        )
        return 1 if is_pattern else 0

    def tristar(self) -> int:
        """Three dojis, the middle one beyond the others."""
        widest = 0.1 * self.ranges[2]
        if self.body(2) <= widest and self.body(1) <= widest and self.body(0) <= widest:
            if self.gaps_up(1, 2) and self.top(0) < self.top(1):
                return -1
            if self.gaps_down(1, 2) and self.bottom(0) > self.bottom(1):
                return 1
        return 0
