"""The commodity channel index beyond a level."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Cci
from strades_pipelines.strategy.strategy import Explanation, Strategy


class CciBreakout(Strategy):
    """Be long `size` units while the CCI is above `level`, short below its negative, out in between."""

    name: ClassVar[str] = "cci_breakout"
    length: int = 20
    level: float = 100.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the index."""
        return self.length

    def on_start(self, account: Account) -> None:
        """An index for each instrument."""
        self.indices = [Cci(self.length) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the index with the level."""
        index = self.indices[bar.i].update(bar.high, bar.low, bar.close)
        target = 0.0
        if index > self.level:
            target = self.size
        elif index < -self.level:
            target = -self.size
        account.target[bar.i] = target

    def explain(self, event: Any, i: int) -> Explanation:
        """The index and the level."""
        numbers = {"cci": self.indices[i].value, "level": self.level}
        return Explanation(f"CCI of {self.length} bars", numbers)
