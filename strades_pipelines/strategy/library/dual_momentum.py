"""The strongest, if it rises at all."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Roc
from strades_pipelines.strategy.strategy import Explanation, Strategy

DAY = 86_400_000_000  # microseconds


class DualMomentum(Strategy):
    """Every `days` put all into what rose most over `length` bars; into nothing where nothing rose.

    Gary Antonacci, Dual Momentum Investing (2014): relative momentum chooses, absolute momentum decides.
    """

    name: ClassVar[str] = "dual_momentum"
    length: int = 120
    days: int = 30

    @property
    def lookback(self) -> int:
        """The change, and the bar before to see that a period begins."""
        return self.length + 2

    def on_start(self, account: Account) -> None:
        """A change for each instrument, and the period of the last bars."""
        self.changes = [Roc(self.length) for _ in range(account.size)]
        self.period = 0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Keep the change."""
        self.changes[bar.i].update(bar.close)

    def on_timer(self, time: int, account: Account) -> None:
        """When a period begins, find the best."""
        period = time // (self.days * DAY)
        if period != self.period and self.period != 0:
            best = -1
            highest = 0.0
            for i in range(account.size):
                if self.changes[i].value > highest:
                    best = i
                    highest = self.changes[i].value
            for i in range(account.size):
                account.set_weight(i, 1.0 if i == best else 0.0)
        self.period = period

    def explain(self, event: Any, i: int) -> Explanation:
        """The change."""
        return Explanation(f"change over {self.length} bars", {"change": self.changes[i].value})
