"""Equal risk from each instrument."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import StandardDeviation
from strades_pipelines.strategy.strategy import Explanation, Strategy

DAY = 86_400_000_000  # microseconds


class RiskParity(Strategy):
    """Every `days` weigh the instruments by the inverse of the deviation of their last `length` returns."""

    name: ClassVar[str] = "risk_parity"
    length: int = 60
    days: int = 30
    weight: float = 1.0

    @property
    def lookback(self) -> int:
        """The returns, the close before the first, and the bar before to see that a period begins."""
        return self.length + 2

    def on_start(self, account: Account) -> None:
        """A deviation and a close for each instrument, and the period of the last bars."""
        self.deviations = [StandardDeviation(self.length) for _ in range(account.size)]
        self.closes = [math.nan] * account.size
        self.period = 0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Keep the return."""
        self.deviations[bar.i].update(bar.close / self.closes[bar.i] - 1.0)
        self.closes[bar.i] = bar.close

    def on_timer(self, time: int, account: Account) -> None:
        """When a period begins, share the weight out."""
        period = time // (self.days * DAY)
        if period != self.period and self.period != 0:
            total = 0.0
            for i in range(account.size):
                # What has no deviation yet gets no part.
                if self.deviations[i].value > 0.0:
                    total += 1.0 / self.deviations[i].value
            for i in range(account.size):
                if self.deviations[i].value > 0.0:
                    account.set_weight(i, self.weight / self.deviations[i].value / total)
        self.period = period

    def explain(self, event: Any, i: int) -> Explanation:
        """The deviation."""
        return Explanation(f"inverse deviation of {self.length} returns", {"deviation": self.deviations[i].value})
