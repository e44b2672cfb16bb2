"""Out of the Keltner channel."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Keltner
from strades_pipelines.strategy.strategy import Explanation, Strategy


class KeltnerBreakout(Strategy):
    """Buy `size` units when the close is above the upper band; be out when it is below the middle."""

    name: ClassVar[str] = "keltner_breakout"
    length: int = 20
    atr_length: int = 10
    multiplier: float = 2.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """So many bars that the start of the averages has faded to e**-20."""
        return 10 * max(self.length, 2 * self.atr_length)

    def on_start(self, account: Account) -> None:
        """A channel for each instrument."""
        self.channels = [Keltner(self.length, self.atr_length, self.multiplier) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """See where the close is in the channel."""
        channel = self.channels[bar.i]
        channel.update(bar.high, bar.low, bar.close)
        if bar.close > channel.upper:
            account.target[bar.i] = self.size
        elif bar.close < channel.middle:
            account.target[bar.i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The channel."""
        channel = self.channels[i]
        return Explanation("close against the Keltner channel", {"upper": channel.upper, "middle": channel.middle})
