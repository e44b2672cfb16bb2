"""With the trend, where there is one."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Adx
from strades_pipelines.strategy.strategy import Explanation, Strategy


class AdxTrend(Strategy):
    """While the ADX is above `threshold` be long or short `size` units, as the directional index says; else be out."""

    name: ClassVar[str] = "adx_trend"
    length: int = 14
    threshold: float = 25.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """Twenty-five lengths: Wilder's average of an average fades more slowly."""
        return 25 * self.length

    def on_start(self, account: Account) -> None:
        """An index for each instrument."""
        self.indices = [Adx(self.length) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Look at strength first, then at direction."""
        adx = self.indices[bar.i]
        adx.update(bar.high, bar.low, bar.close)
        if adx.ready and adx.value > self.threshold:
            account.target[bar.i] = self.size if adx.plus_di > adx.minus_di else -self.size
        elif adx.ready:
            account.target[bar.i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The three indices."""
        adx = self.indices[i]
        numbers = {"adx": adx.value, "plus_di": adx.plus_di, "minus_di": adx.minus_di}
        return Explanation(f"ADX against {self.threshold:g}", numbers)
