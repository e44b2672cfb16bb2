"""With whoever takes more: the imbalance of the trades themselves."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Trade
from strades_pipelines.strategy.strategy import Explanation, Strategy


class TradeImbalance(Strategy):
    """Hold `size` units while buyers take more than sellers, out when sellers do or after `hold` bars.

    The imbalance is (bought - sold) / (bought + sold), from -1 to 1, of the sizes of trades by the side that took, each
    weighted by exp(-age / `window` seconds). It is bought above `enter`, and sold below `leave`.
    """

    name: ClassVar[str] = "trade_imbalance"
    window: float = 120.0
    enter: float = 0.2
    leave: float = -0.2
    hold: int = 30
    size: float = 1.0

    @property
    def trade_window(self) -> float:
        """Behind five times the window a trade weighs less than a hundredth."""
        return 5.0 * self.window

    def on_start(self, account: Account) -> None:
        """Of each instrument: what was taken, who took it, when that was, and how many bars it is held."""
        self.volume = [0.0] * account.size
        self.flow = [0.0] * account.size
        self.heard = [0.0] * account.size
        self.held = [0] * account.size

    def on_trade(self, trade: Trade, account: Account) -> None:
        """Weigh the trade in, and compare."""
        i = trade.i
        left = math.exp((self.heard[i] - trade.time) / (self.window * 1e6))
        self.heard[i] = float(trade.time)
        self.volume[i] = self.volume[i] * left + trade.size
        self.flow[i] = self.flow[i] * left + trade.size * trade.buyer
        if self.flow[i] > self.enter * self.volume[i]:
            account.target[i] = self.size
        elif self.flow[i] < self.leave * self.volume[i]:
            account.target[i] = 0.0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Be out when it was held for long enough."""
        i = bar.i
        self.held[i] = self.held[i] + 1 if account.position[i] != 0.0 else 0
        if self.held[i] > self.hold:
            account.target[i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The imbalance."""
        imbalance = self.flow[i] / self.volume[i] if self.volume[i] else math.nan
        return Explanation("what buyers and sellers took", {"imbalance": imbalance, "volume": self.volume[i]})
