"""Exits on closes: once one is reached the target is flat until the strategy's own target changes its direction.

They look at the close of each bar, so the order is done at the next open (or that close, with SAME_CLOSE): a price
inside a bar is for explicit stop orders. They are about positions that come from targets; those of explicit orders have
stops of their own. A position's price is its average.
"""

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.tactics import Tactic, direction_of


class Exit(Tactic):
    """What exits share: `is_reached` says when. Args: percent: of the price it is measured from."""

    def __init__(self, size: int, percent: float) -> None:
        self.part = float(percent) / 100.0
        self.out = [0] * size

    def is_reached(self, i: int, side: int, account: Account) -> bool:
        """Whether a position of instrument `i` on this side (1 long, -1 short) is to be left at the last close."""
        return False

    def on_bar(self, bar: Bar, account: Account) -> None:
        """Look at the close."""
        side = direction_of(account.position[bar.i])
        if side != 0 and self.out[bar.i] == 0 and self.is_reached(bar.i, side, account):
            self.out[bar.i] = side

    def aim(self, i: int, target: float, account: Account) -> float:
        """Flat after an exit."""
        if self.out[i] != 0:
            if direction_of(target) == self.out[i]:
                return 0.0
            self.out[i] = 0
        return target


class StopLoss(Exit):
    """Leave a position whose loss is `percent` of its price or more."""

    def is_reached(self, i: int, side: int, account: Account) -> bool:
        """Whether the close is so far against the position."""
        # Prices may be below zero: a part of one counts by its size.
        return side * (account.price[i] - account.average[i]) <= -self.part * abs(account.average[i])


class TakeProfit(Exit):
    """Leave a position whose gain is `percent` of its price or more."""

    def is_reached(self, i: int, side: int, account: Account) -> bool:
        """Whether the close is so far in favour of the position."""
        return side * (account.price[i] - account.average[i]) >= self.part * abs(account.average[i])


class TrailingStop(Exit):
    """Leave a position whose close is `percent` or more behind the best since it was opened: its price, or a close."""

    def __init__(self, size: int, percent: float) -> None:
        super().__init__(size, percent)
        self.side = [0] * size
        self.best = [0.0] * size

    def is_reached(self, i: int, side: int, account: Account) -> bool:
        """Whether the close is so far behind the best one."""
        if side != self.side[i]:
            self.side[i] = side
            self.best[i] = account.average[i]
        if side * (account.price[i] - self.best[i]) > 0.0:
            self.best[i] = account.price[i]
        return side * (account.price[i] - self.best[i]) <= -self.part * abs(self.best[i])

    def on_bar(self, bar: Bar, account: Account) -> None:
        """Look at the close; without a position there is no best one."""
        side = direction_of(account.position[bar.i])
        if side == 0:
            self.side[bar.i] = 0
        elif self.out[bar.i] == 0 and self.is_reached(bar.i, side, account):
            self.out[bar.i] = side

    def on_split(self, i: int, ratio: float) -> None:
        """Prices are of smaller units."""
        self.best[i] /= ratio
