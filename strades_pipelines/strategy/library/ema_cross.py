"""The crossing of two exponential averages, long and short."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Ema
from strades_pipelines.strategy.strategy import Explanation, Strategy


class EmaCross(Strategy):
    """Be long `size` units while the fast average is above the slow one, short as many while it is below."""

    name: ClassVar[str] = "ema_cross"
    fast: int = 12
    slow: int = 26
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """Ten lengths of the slow average, after which its start has faded to e**-20."""
        return 10 * self.slow

    def on_start(self, account: Account) -> None:
        """A pair of averages for each instrument."""
        self.fast_means = [Ema(self.fast) for _ in range(account.size)]
        self.slow_means = [Ema(self.slow) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the averages at the close."""
        fast = self.fast_means[bar.i].update(bar.close)
        slow = self.slow_means[bar.i].update(bar.close)
        if slow == slow:
            account.target[bar.i] = self.size if fast > slow else -self.size

    def explain(self, event: Any, i: int) -> Explanation:
        """The two averages."""
        fast, slow = self.fast_means[i].value, self.slow_means[i].value
        relation = "above" if fast > slow else "not above"
        return Explanation(f"average of {self.fast} {relation} average of {self.slow}", {"fast": fast, "slow": slow})
