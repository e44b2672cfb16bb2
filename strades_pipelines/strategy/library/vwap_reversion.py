"""Back to the volume-weighted average price."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import RollingVwap
from strades_pipelines.strategy.strategy import Explanation, Strategy


class VwapReversion(Strategy):
    """Buy `size` units at `distance` (a part of the price) below the VWAP of `length` bars; be out at or above it."""

    name: ClassVar[str] = "vwap_reversion"
    length: int = 60
    distance: float = 0.01
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the average."""
        return self.length

    def on_start(self, account: Account) -> None:
        """An average price for each instrument."""
        self.averages = [RollingVwap(self.length) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the close with the average price."""
        vwap = self.averages[bar.i].update(bar.high, bar.low, bar.close, bar.volume)
        if bar.close < vwap * (1.0 - self.distance):
            account.target[bar.i] = self.size
        elif bar.close >= vwap:
            account.target[bar.i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The average price."""
        return Explanation(f"close against the VWAP of {self.length} bars", {"vwap": self.averages[i].value})
