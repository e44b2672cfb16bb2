"""Williams' %R at its ends, within the trend."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Sma, WilliamsR
from strades_pipelines.strategy.strategy import Explanation, Strategy


class WilliamsReversion(Strategy):
    """Buy `size` units when %R is below `low` and the close above the mean of `trend`; be out above `high`."""

    name: ClassVar[str] = "williams_reversion"
    length: int = 10
    low: float = -90.0
    high: float = -30.0
    trend: int = 100
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the longer of the two."""
        return max(self.length, self.trend)

    def on_start(self, account: Account) -> None:
        """An oscillator and a mean for each instrument."""
        self.oscillators = [WilliamsR(self.length) for _ in range(account.size)]
        self.means = [Sma(self.trend) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Look at the trend and at the oscillator."""
        value = self.oscillators[bar.i].update(bar.high, bar.low, bar.close)
        mean = self.means[bar.i].update(bar.close)
        if value < self.low and bar.close > mean:
            account.target[bar.i] = self.size
        elif value > self.high:
            account.target[bar.i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The oscillator and the mean."""
        numbers = {"percent_r": self.oscillators[i].value, "mean": self.means[i].value}
        return Explanation(f"%R of {self.length} bars", numbers)
