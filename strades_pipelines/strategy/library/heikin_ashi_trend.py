"""The colour of Heikin-Ashi candles."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import HeikinAshi
from strades_pipelines.strategy.strategy import Explanation, Strategy


class HeikinAshiTrend(Strategy):
    """Hold `size` units after `run` rising candles in a row, until one falls."""

    name: ClassVar[str] = "heikin_ashi_trend"
    run: int = 3
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The open of a candle is the mean of all before, each weighing half of the next: 40 halvings."""
        return 40 + self.run

    def on_start(self, account: Account) -> None:
        """A candle for each instrument, and how many rose in a row."""
        self.candles = [HeikinAshi() for _ in range(account.size)]
        self.rising = [0] * account.size

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Count rising candles."""
        i = bar.i
        candle = self.candles[i]
        candle.update(bar.open, bar.high, bar.low, bar.close)
        self.rising[i] = self.rising[i] + 1 if candle.close > candle.open else 0
        if self.rising[i] >= self.run:
            account.target[i] = self.size
        elif self.rising[i] == 0:
            account.target[i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The candle."""
        candle = self.candles[i]
        return Explanation("colour of the candles", {"open": candle.open, "close": candle.close})
