"""The strongest few of many."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Roc
from strades_pipelines.strategy.strategy import Explanation, Strategy

DAY = 86_400_000_000  # microseconds


class MomentumRotation(Strategy):
    """Every `days` choose the `top` instruments that rose most over `length` bars; hold them in equal parts."""

    name: ClassVar[str] = "momentum_rotation"
    length: int = 60
    top: int = 1
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
        """When a period begins, rank all instruments."""
        period = time // (self.days * DAY)
        if period != self.period and self.period != 0:
            for i in range(account.size):
                chosen = self.changes[i].ready and self.rank(i, account.size) < self.top
                account.set_weight(i, 1.0 / self.top if chosen else 0.0)
        self.period = period

    def rank(self, i: int, size: int) -> int:
        """How many instruments rose more; of equal ones the first comes first."""
        own = self.changes[i].value
        above = 0
        for j in range(size):
            other = self.changes[j].value
            if other > own or (j < i and other == own):
                above += 1
        return above

    def explain(self, event: Any, i: int) -> Explanation:
        """The change."""
        return Explanation(f"rank by the change over {self.length} bars", {"change": self.changes[i].value})
