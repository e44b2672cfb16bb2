"""A strategy that orders at random, of every kind an account takes; the same seed orders the same."""

import random
from typing import ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.orders import ANY, DAY, FOK, GTC, IOC, ON_CLOSE, ON_OPEN
from strades_pipelines.strategy.strategy import Strategy

MOST_ORDERS = 12


class RandomOrders(Strategy):
    """One or two orders, targets or cancels a bar, whatever came of the others."""

    name: ClassVar[str] = "random_orders"
    seed: int = 0

    def on_start(self, account: Account) -> None:
        """Draw anew from the seed."""
        self.random = random.Random(int(self.seed))
        self.fills = 0

    def on_fill(self, fill: Fill, account: Account) -> None:
        """Count fills: what is drawn next depends on them."""
        self.fills += 1

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Act once or twice. What is cancelled was there before the bar: what is not, is never sent on paper."""
        if account.count > MOST_ORDERS or self.random.random() < 0.15:
            account.cancel_all(bar.i)
        for _ in range(1 + (self.fills + self.random.randrange(2)) % 2):
            self.act(bar, account)

    def act(self, bar: Bar, account: Account) -> None:
        """One thing, drawn evenly."""
        draw = self.random
        i, buys = bar.i, draw.random() < 0.6
        size = draw.choice((1.0, 2.0, 3.0)) * (1.0 if buys else -1.0)
        away = draw.choice((0.0, 0.5, 1.0, 2.0)) * (1.0 if buys else -1.0)
        force = draw.choice((GTC, GTC, DAY, IOC, FOK))
        kind = draw.randrange(1, 9)
        if kind == 1:
            account.target[i] = draw.choice((0.0, 1.0, 4.0))
        elif kind == 2:
            account.order(i, size, time_in_force=force, reduce_only=not buys)
        elif kind == 3:
            account.order(i, size, limit=bar.close - away, time_in_force=force)
        elif kind == 4:
            account.order(i, size, stop=bar.close + away, time_in_force=draw.choice((GTC, DAY)))
        elif kind == 5:
            account.order(i, -abs(size), trail=abs(away) + 0.5, reduce_only=True)
        elif kind == 6:
            account.bracket(i, abs(size), bar.close - abs(away) - 0.5, bar.close + abs(away) + 0.5)
        elif kind == 7:
            group = account.new_group()
            account.order(i, abs(size), stop=bar.close + abs(away) + 0.3, group=group)
            account.order(i, -abs(size), stop=bar.close - abs(away) - 0.3, group=group, reduce_only=True)
        else:
            account.order(i, size, on=draw.choice((ON_OPEN, ON_CLOSE, ANY)), reduce_only=not buys)
