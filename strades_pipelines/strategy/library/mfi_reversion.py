"""Buying when money has flowed out."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Mfi
from strades_pipelines.strategy.strategy import Explanation, Strategy


class MfiReversion(Strategy):
    """Buy `size` units when the money flow index is below `low`, be out when it is above `high`. Needs volumes."""

    name: ClassVar[str] = "mfi_reversion"
    length: int = 14
    low: float = 20.0
    high: float = 60.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the index."""
        return self.length + 1

    def on_start(self, account: Account) -> None:
        """An index for each instrument."""
        self.indices = [Mfi(self.length) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the index with the two levels."""
        index = self.indices[bar.i]
        value = index.update(bar.high, bar.low, bar.close, bar.volume)
        if index.ready and value < self.low:
            account.target[bar.i] = self.size
        elif index.ready and value > self.high:
            account.target[bar.i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The index and the levels."""
        numbers = {"mfi": self.indices[i].value, "low": self.low, "high": self.high}
        return Explanation(f"money flow index of {self.length} bars", numbers)
