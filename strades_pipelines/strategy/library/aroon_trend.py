"""New highs against new lows."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Aroon
from strades_pipelines.strategy.strategy import Explanation, Strategy


class AroonTrend(Strategy):
    """Hold `size` units from when the Aroon oscillator is above `threshold` until it is below its negative."""

    name: ClassVar[str] = "aroon_trend"
    length: int = 25
    threshold: float = 50.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the oscillator."""
        return self.length + 1

    def on_start(self, account: Account) -> None:
        """An oscillator for each instrument."""
        self.oscillators = [Aroon(self.length) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the oscillator with the threshold."""
        oscillator = self.oscillators[bar.i].update(bar.high, bar.low)
        if oscillator > self.threshold:
            account.target[bar.i] = self.size
        elif oscillator < -self.threshold:
            account.target[bar.i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The oscillator."""
        numbers = {"oscillator": self.oscillators[i].value, "threshold": self.threshold}
        return Explanation(f"Aroon oscillator of {self.length} bars", numbers)
