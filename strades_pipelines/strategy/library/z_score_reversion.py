"""Back to the mean, by the z-score."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import ZScore
from strades_pipelines.strategy.strategy import Explanation, Strategy


class ZScoreReversion(Strategy):
    """Short above `entry` standard deviations from the mean of `length` closes, long below; out within `exit`."""

    name: ClassVar[str] = "z_score_reversion"
    length: int = 30
    entry: float = 2.0
    exit: float = 0.5
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the score."""
        return self.length

    def on_start(self, account: Account) -> None:
        """A score for each instrument."""
        self.scores = [ZScore(self.length) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the score with the two thresholds."""
        score = self.scores[bar.i].update(bar.close)
        if score > self.entry:
            account.target[bar.i] = -self.size
        elif score < -self.entry:
            account.target[bar.i] = self.size
        elif abs(score) < self.exit:
            account.target[bar.i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The score and the thresholds."""
        numbers = {"score": self.scores[i].value, "entry": self.entry, "exit": self.exit}
        return Explanation(f"z-score of {self.length} closes", numbers)
