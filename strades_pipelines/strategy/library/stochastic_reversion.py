"""The stochastic oscillator at its ends."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Stochastic
from strades_pipelines.strategy.strategy import Explanation, Strategy


class StochasticReversion(Strategy):
    """Buy `size` units when %K crosses above %D below `low`, be out when it crosses below %D above `high`."""

    name: ClassVar[str] = "stochastic_reversion"
    length: int = 14
    low: float = 20.0
    high: float = 80.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the oscillator, its two averages, and the one before."""
        return self.length + 5

    def on_start(self, account: Account) -> None:
        """An oscillator for each instrument, and how far %K was above %D at the bar before."""
        self.oscillators = [Stochastic(self.length) for _ in range(account.size)]
        self.gaps = [math.nan] * account.size

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Look for a crossing near an end."""
        i = bar.i
        oscillator = self.oscillators[i]
        value = oscillator.update(bar.high, bar.low, bar.close)
        gap = value - oscillator.d
        # NaN before there is an oscillator: nothing crosses then.
        if gap > 0.0 and self.gaps[i] <= 0.0 and value < self.low:
            account.target[i] = self.size
        elif gap < 0.0 and self.gaps[i] >= 0.0 and value > self.high:
            account.target[i] = 0.0
        self.gaps[i] = gap

    def explain(self, event: Any, i: int) -> Explanation:
        """%K and %D."""
        oscillator = self.oscillators[i]
        return Explanation("%K crossed %D", {"k": oscillator.value, "d": oscillator.d})
