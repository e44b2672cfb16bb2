"""The spread of the first two instruments."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.indicators import ZScore
from strades_pipelines.strategy.strategy import Explanation, Strategy


class PairsZScore(Strategy):
    """Sell the first and buy the second, each for `weight` of the equity, when their ratio is high.

    High: its logarithm is `entry` deviations above its mean of `length`; low the other way round; out within `exit`.
    """

    name: ClassVar[str] = "pairs_zscore"
    length: int = 60
    entry: float = 2.0
    exit: float = 0.5
    weight: float = 0.5

    @property
    def lookback(self) -> int:
        """The bars of the score."""
        return self.length

    def on_start(self, account: Account) -> None:
        """One score for the pair."""
        self.score = ZScore(self.length)

    def on_timer(self, time: int, account: Account) -> None:
        """When both have a bar of this time, compare them."""
        if account.size < 2 or account.price_time[0] != time or account.price_time[1] != time:
            return
        score = self.score.update(math.log(account.price[0] / account.price[1]))
        side = 0 if account.target[0] == 0.0 else (1 if account.target[0] > 0.0 else -1)
        wanted = side
        if score > self.entry:
            wanted = -1
        elif score < -self.entry:
            wanted = 1
        elif abs(score) < self.exit:
            wanted = 0
        if wanted != side:
            account.set_weight(0, wanted * self.weight)
            account.set_weight(1, -wanted * self.weight)

    def explain(self, event: Any, i: int) -> Explanation:
        """The score."""
        return Explanation(f"z-score of the ratio over {self.length} bars", {"score": self.score.value})
