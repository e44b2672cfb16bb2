"""Buying what fell, by the relative strength index."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Rsi
from strades_pipelines.strategy.strategy import Explanation, Strategy


class RsiReversion(Strategy):
    """Buy `size` units when the RSI falls below `low`, and be out when it is above `high`."""

    name: ClassVar[str] = "rsi_reversion"
    length: int = 14
    low: float = 30.0
    high: float = 55.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """Twenty lengths, after which the start of Wilder's averages has faded to e**-20."""
        return 20 * self.length

    def on_start(self, account: Account) -> None:
        """An index for each instrument."""
        self.indices = [Rsi(self.length) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the index with the two levels."""
        rsi = self.indices[bar.i].update(bar.close)
        if rsi < self.low:
            account.target[bar.i] = self.size
        elif rsi > self.high:
            account.target[bar.i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The index and the levels."""
        numbers = {"rsi": self.indices[i].value, "low": self.low, "high": self.high}
        return Explanation(f"RSI of {self.length} bars passed a level", numbers)
