"""Strategies as other projects state them, and nothing else of those projects."""

import math

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.indicators import Adx, Rsi, Sma, Stochastic
from strades_pipelines.strategy.strategy import Strategy

MINUTE = 60_000_000


class AboveMean(Strategy):
    """Buy `size` when the close is above the mean of `length` closes, sell when it is below."""

    length: int = 15
    size: float = 10.0

    def on_start(self, account: Account) -> None:
        self.mean = Sma(self.length)

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        mean = self.mean.update(bar.close)
        if bar.close > mean:
            account.target[bar.i] = self.size
        elif bar.close < mean:
            account.target[bar.i] = 0.0


class ThreeFalls(Strategy):
    """Buy `size` after two closes each below the one before; sell at the fifth bar after the one it was bought in."""

    size: float = 1.0

    def on_start(self, account: Account) -> None:
        self.last = math.nan
        self.before = math.nan
        self.bars = 0
        self.bought = 0

    def on_fill(self, fill: Fill, account: Account) -> None:
        self.bought = self.bars + 1  # in the bar that is told next

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.bars += 1
        if account.position[bar.i] == 0.0:
            if bar.close < self.last < self.before:
                account.target[bar.i] = self.size
        elif self.bars >= self.bought + 5:
            account.target[bar.i] = 0.0
        self.before = self.last
        self.last = bar.close


class ReturnOnInvestment(Strategy):
    """Enter on weak momentum in a trend; leave at a profit after fees that shrinks with time, or at a loss of 10 %."""

    stake: float = 0.001
    fee: float = 0.0025

    def on_start(self, account: Account) -> None:
        self.rsi = Rsi(14)
        self.stochastic = Stochastic(5, 1, 3)
        self.adx = Adx(14)
        self.opened_at = 0
        self.rate = 0.0
        self.way_out = 0

    def wanted(self, minutes: int) -> float:
        if minutes >= 40:
            return 0.0
        if minutes >= 30:
            return 0.01
        return 0.02 if minutes >= 20 else 0.04

    def on_fill(self, fill: Fill, account: Account) -> None:
        if fill.quantity > 0.0:
            self.opened_at = fill.filled_at
            self.rate = fill.price
            account.order(fill.i, -fill.quantity, stop=0.9 * fill.price, reduce_only=True)
        else:
            account.cancel_all(fill.i)

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        i = bar.i
        rsi = self.rsi.update(bar.close)
        self.stochastic.update(bar.high, bar.low, bar.close)
        adx = self.adx.update(bar.high, bar.low, bar.close)
        if account.position[i] > 0.0:
            account.cancel(self.way_out)
            price = self.rate * (1.0 + self.wanted((bar.time - self.opened_at) // MINUTE))
            limit = price * (1.0 + self.fee) / (1.0 - self.fee)
            self.way_out = account.order(i, -account.position[i], limit=limit, reduce_only=True)
        elif self.adx.plus_di > 0.5 and (adx > 65.0 or (rsi < 35.0 and self.stochastic.d < 35.0 and adx > 30.0)):
            account.order(i, self.stake / bar.close)
