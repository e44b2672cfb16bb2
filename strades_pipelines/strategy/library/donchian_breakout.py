"""The turtles: a breakout, sized by its risk, with a stop."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.indicators import Atr, RollingMax, RollingMin
from strades_pipelines.strategy.strategy import Explanation, Strategy


class DonchianBreakout(Strategy):
    """Buy above the highs of `entry` bars, sell below the lows of `exit` bars, with a stop `stop` ATR away.

    So much is bought that the stop loses `risk` of the equity. The rules of Richard Dennis and William Eckhardt, as in
    Curtis Faith, Way of the Turtle (2007).
    """

    name: ClassVar[str] = "donchian_breakout"
    entry: int = 20
    exit: int = 10
    atr_length: int = 20
    stop: float = 2.0
    risk: float = 0.01

    @property
    def lookback(self) -> int:
        """The channel, and twenty lengths of Wilder's average."""
        return max(self.entry, self.exit, 20 * self.atr_length)

    def on_start(self, account: Account) -> None:
        """Two channels and an average range for each instrument."""
        self.highs = [RollingMax(self.entry) for _ in range(account.size)]
        self.lows = [RollingMin(self.exit) for _ in range(account.size)]
        self.ranges = [Atr(self.atr_length) for _ in range(account.size)]

    def on_fill(self, fill: Fill, account: Account) -> None:
        """Protect a purchase; when all is sold, what still waits is of no use."""
        if fill.quantity > 0.0:
            distance = self.stop * self.ranges[fill.i].value
            account.order(fill.i, -fill.quantity, stop=fill.price - distance, reduce_only=True)
        elif account.position[fill.i] == 0.0:
            account.cancel_all(fill.i)

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the close with the channels as they were before it."""
        i = bar.i
        high, low = self.highs[i].value, self.lows[i].value
        self.highs[i].update(bar.high)
        self.lows[i].update(bar.low)
        distance = self.stop * self.ranges[i].update(bar.high, bar.low, bar.close)
        if account.position[i] == 0.0 and bar.close > high and distance > 0.0:
            account.order(i, self.risk * account.equity / (distance * account.unit[i]))
        elif account.position[i] > 0.0 and bar.close < low:
            account.order(i, -account.position[i], reduce_only=True)

    def explain(self, event: Any, i: int) -> Explanation:
        """The channels and the range."""
        numbers = {"high": self.highs[i].value, "low": self.lows[i].value, "atr": self.ranges[i].value}
        return Explanation("close out of the channel", numbers)
