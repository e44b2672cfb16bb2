"""The MACD and its signal."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Macd
from strades_pipelines.strategy.strategy import Explanation, Strategy


class MacdTrend(Strategy):
    """Hold `size` units while the MACD is above zero and above its signal."""

    name: ClassVar[str] = "macd_trend"
    fast: int = 12
    slow: int = 26
    signal: int = 9
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """Ten lengths of the slow average, after which its start has faded to e**-20."""
        return 10 * (self.slow + self.signal)

    def on_start(self, account: Account) -> None:
        """A MACD for each instrument."""
        self.macds = [Macd(self.fast, self.slow, self.signal) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Look at both conditions at the close."""
        macd = self.macds[bar.i]
        macd.update(bar.close)
        if macd.ready:
            account.target[bar.i] = self.size if macd.value > 0.0 and macd.value > macd.signal else 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The MACD and its signal."""
        macd = self.macds[i]
        return Explanation("MACD against zero and its signal", {"macd": macd.value, "signal": macd.signal})
