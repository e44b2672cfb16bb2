"""Waiting at the edges of a channel."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Donchian
from strades_pipelines.strategy.strategy import Explanation, Strategy


class ChannelLimitOrders(Strategy):
    """While out wait with a limit at the lowest low of `length` bars, while in with one at the middle."""

    name: ClassVar[str] = "channel_limit_orders"
    length: int = 20
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the channel."""
        return self.length

    def on_start(self, account: Account) -> None:
        """A channel for each instrument."""
        self.channels = [Donchian(self.length) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Take back the last order and leave a new one."""
        i = bar.i
        channel = self.channels[i]
        channel.update(bar.high, bar.low)
        account.cancel_all(i)
        if account.position[i] > 0.0:
            account.order(i, -account.position[i], limit=channel.middle, reduce_only=True)
        elif channel.ready and channel.lower < bar.close:
            account.order(i, self.size, limit=channel.lower)

    def explain(self, event: Any, i: int) -> Explanation:
        """The channel."""
        channel = self.channels[i]
        return Explanation("limit renewed", {"lower": channel.lower, "middle": channel.middle})
