"""A stop on either side of the range."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Donchian
from strades_pipelines.strategy.strategy import Explanation, Strategy


class RangeStraddle(Strategy):
    """Wait with a stop on either side of the range of `length` bars; be out `hold` bars after a fill.

    The two stops are of one group: what is filled cancels the other.
    """

    name: ClassVar[str] = "range_straddle"
    length: int = 20
    hold: int = 10
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the range."""
        return self.length

    def on_start(self, account: Account) -> None:
        """A range for each instrument, and how many bars a position was held."""
        self.ranges = [Donchian(self.length) for _ in range(account.size)]
        self.held = [0] * account.size

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Renew the two stops while out; count bars while in."""
        i = bar.i
        edges = self.ranges[i]
        edges.update(bar.high, bar.low)
        self.held[i] = self.held[i] + 1 if account.position[i] != 0.0 else 0
        if self.held[i] > self.hold:
            account.cancel_all(i)
            account.order(i, -account.position[i], reduce_only=True)
        elif self.held[i] == 0 and edges.ready:
            account.cancel_all(i)
            group = account.new_group()
            account.order(i, self.size, stop=edges.upper, group=group)
            account.order(i, -self.size, stop=edges.lower, group=group)

    def explain(self, event: Any, i: int) -> Explanation:
        """The range."""
        edges = self.ranges[i]
        return Explanation("stops around the range", {"upper": edges.upper, "lower": edges.lower})
