"""The crossing of two moving averages."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Sma
from strades_pipelines.strategy.strategy import Explanation, Strategy


class SmaCross(Strategy):
    """Hold `size` units of an instrument while the fast mean of its closes is above the slow one."""

    name: ClassVar[str] = "sma_cross"
    fast: int = 10
    slow: int = 30
    size: float = 1.0

    def __init__(self, **parameters: Any) -> None:
        """Set the parameters; the fast mean must be the shorter one."""
        super().__init__(**parameters)
        if not 1 <= self.fast < self.slow:
            raise ValueError(f"{self.name}: expected 1 <= fast < slow, was fast {self.fast} and slow {self.slow}")

    @property
    def lookback(self) -> int:
        """The bars of the slow mean."""
        return self.slow

    def on_start(self, account: Account) -> None:
        """A pair of means for each instrument."""
        self.fast_means = [Sma(self.fast) for _ in range(account.size)]
        self.slow_means = [Sma(self.slow) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the means at the close."""
        fast = self.fast_means[bar.i].update(bar.close)
        slow = self.slow_means[bar.i].update(bar.close)
        if self.slow_means[bar.i].ready:
            account.target[bar.i] = self.size if fast > slow else 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The two means."""
        fast, slow = self.fast_means[i].value, self.slow_means[i].value
        relation = "above" if fast > slow else "not above"
        return Explanation(f"mean of {self.fast} closes {relation} mean of {self.slow}", {"fast": fast, "slow": slow})
