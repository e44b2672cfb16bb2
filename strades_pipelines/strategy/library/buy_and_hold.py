"""Buying once."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Explanation, Strategy


class BuyAndHold(Strategy):
    """Put `weight` of the equity into the instruments, in equal parts, each at its first bar, and hold them."""

    name: ClassVar[str] = "buy_and_hold"
    weight: float = 1.0

    @property
    def lookback(self) -> int:
        """Nothing is looked back at."""
        return 1

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Buy what was not bought yet."""
        if account.target[bar.i] == 0.0:
            account.set_weight(bar.i, self.weight / account.size)

    def explain(self, event: Any, i: int) -> Explanation:
        """That it is the first bar."""
        return Explanation("first bar", {"weight": self.weight})
