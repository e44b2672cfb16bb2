"""As much as keeps the volatility level."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import StandardDeviation
from strades_pipelines.strategy.strategy import Explanation, Strategy


class VolatilityTarget(Strategy):
    """Hold the weight at which the last `length` returns have `volatility` (of one bar); change it from `band` on."""

    name: ClassVar[str] = "volatility_target"
    length: int = 60
    volatility: float = 0.01
    maximum: float = 1.0
    band: float = 0.1

    @property
    def lookback(self) -> int:
        """The returns, and the close before the first."""
        return self.length + 1

    def on_start(self, account: Account) -> None:
        """A deviation of returns for each instrument, and the last close."""
        self.deviations = [StandardDeviation(self.length) for _ in range(account.size)]
        self.closes = [math.nan] * account.size

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the weight that fits with the one that is aimed at; each instrument has an equal share."""
        i = bar.i
        deviation = self.deviations[i].update(bar.close / self.closes[i] - 1.0)
        self.closes[i] = bar.close
        if deviation > 0.0:
            wanted = min(self.volatility / deviation, self.maximum) / account.size
            has = account.target[i] * bar.close / account.equity
            if abs(wanted - has) > self.band * wanted:
                account.set_weight(i, wanted)

    def explain(self, event: Any, i: int) -> Explanation:
        """The deviation of the returns."""
        return Explanation(f"volatility of {self.length} returns", {"deviation": self.deviations[i].value})
