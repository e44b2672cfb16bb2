"""A bracket around an inside bar."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Explanation, Strategy


class InsideBarBracket(Strategy):
    """Buy `size` units after a bar that lies within the one before.

    The stop is at the low of the outer bar, the profit is taken at `reward` times that risk.
    """

    name: ClassVar[str] = "inside_bar_bracket"
    reward: float = 2.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bar before."""
        return 2

    def on_start(self, account: Account) -> None:
        """The high and low of the last bar of each instrument."""
        self.highs = [math.nan] * account.size
        self.lows = [math.nan] * account.size

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Look for an inside bar while nothing is held."""
        i = bar.i
        risk = bar.close - self.lows[i]
        inside = bar.high < self.highs[i] and bar.low > self.lows[i]
        if inside and account.position[i] == 0.0 and account.waiting[i] == 0:
            account.bracket(i, self.size, self.lows[i], bar.close + self.reward * risk)
        self.highs[i] = bar.high
        self.lows[i] = bar.low

    def explain(self, event: Any, i: int) -> Explanation:
        """The bar."""
        return Explanation("inside bar", {"high": self.highs[i], "low": self.lows[i]})
