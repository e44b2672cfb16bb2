"""Short-term weakness in a long-term rise."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Rsi, Sma
from strades_pipelines.strategy.strategy import Explanation, Strategy


class ConnorsRsi2(Strategy):
    """Buy when the two-bar RSI is below `low` above the mean of `trend` closes; be out above the mean of `exit` closes.

    Larry Connors and Cesar Alvarez, Short Term Trading Strategies That Work (2008).
    """

    name: ClassVar[str] = "connors_rsi2"
    low: float = 10.0
    trend: int = 200
    exit: int = 5
    weight: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the long mean."""
        return self.trend

    def on_start(self, account: Account) -> None:
        """An index and two means for each instrument."""
        self.indices = [Rsi(2) for _ in range(account.size)]
        self.trends = [Sma(self.trend) for _ in range(account.size)]
        self.exits = [Sma(self.exit) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Buy weakness in a rise; the weight is shared among the instruments."""
        i = bar.i
        rsi = self.indices[i].update(bar.close)
        trend = self.trends[i].update(bar.close)
        if bar.close > self.exits[i].update(bar.close):
            account.target[i] = 0.0
        elif account.target[i] == 0.0 and rsi < self.low and bar.close > trend:
            account.set_weight(i, self.weight / account.size)

    def explain(self, event: Any, i: int) -> Explanation:
        """The index and the means."""
        numbers = {"rsi": self.indices[i].value, "trend": self.trends[i].value, "exit": self.exits[i].value}
        return Explanation("two-bar RSI within the trend", numbers)
