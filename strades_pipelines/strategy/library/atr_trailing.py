"""In with the trend, out by a trailing stop."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.indicators import Atr, Ema
from strades_pipelines.strategy.strategy import Explanation, Strategy


class AtrTrailing(Strategy):
    """Buy `size` units when the close crosses above its exponential average; a stop trails it by `multiplier` ATR."""

    name: ClassVar[str] = "atr_trailing"
    length: int = 50
    atr_length: int = 14
    multiplier: float = 3.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """So many bars that the start of the averages has faded to e**-20."""
        return 10 * max(self.length, 2 * self.atr_length)

    def on_start(self, account: Account) -> None:
        """An average, a range, and how far the last close was above the average, for each instrument."""
        self.means = [Ema(self.length) for _ in range(account.size)]
        self.ranges = [Atr(self.atr_length) for _ in range(account.size)]
        self.gaps = [math.nan] * account.size

    def on_fill(self, fill: Fill, account: Account) -> None:
        """Put a trailing stop under a purchase."""
        if fill.quantity > 0.0:
            distance = self.multiplier * self.ranges[fill.i].value
            account.order(fill.i, -fill.quantity, trail=distance, reduce_only=True)

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Look for a crossing."""
        i = bar.i
        self.ranges[i].update(bar.high, bar.low, bar.close)
        gap = bar.close - self.means[i].update(bar.close)
        # NaN before there is an average: nothing crosses then.
        if gap > 0.0 and self.gaps[i] <= 0.0 and account.position[i] == 0.0:
            account.order(i, self.size)
        self.gaps[i] = gap

    def explain(self, event: Any, i: int) -> Explanation:
        """The average and the range."""
        numbers = {"mean": self.means[i].value, "atr": self.ranges[i].value}
        return Explanation(f"close crossed its average of {self.length}", numbers)
