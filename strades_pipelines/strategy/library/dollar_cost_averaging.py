"""The same amount again and again."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Explanation, Strategy

DAY = 86_400_000_000  # microseconds


class DollarCostAveraging(Strategy):
    """Buy for `amount` at the first bar of each period of `days` (counted from 1970, UTC), by orders of its own."""

    name: ClassVar[str] = "dollar_cost_averaging"
    amount: float = 1_000.0
    days: int = 30

    @property
    def lookback(self) -> int:
        """The bar before, to see that a period begins."""
        return 2

    def on_start(self, account: Account) -> None:
        """The period of the last bar of each instrument."""
        self.periods = [0] * account.size

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Buy when a period begins; nothing is bought in the one that it starts in."""
        i = bar.i
        period = bar.time // (self.days * DAY)
        if self.periods[i] != 0 and period != self.periods[i]:
            account.order(i, self.amount / (bar.close * account.unit[i]))
        self.periods[i] = period

    def explain(self, event: Any, i: int) -> Explanation:
        """The amount."""
        return Explanation(f"a period of {self.days} days began", {"amount": self.amount})
