"""A small engine that compiles in a tenth of the real one's time: it fills at the next open."""

from typing import Any

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.orders import FREE
from strades_pipelines.strategy.strategy import Strategy

ROOM = 64
ORDERS = 8


class Desk:
    """Steps a strategy through bars of two instruments; every fill and value counts in what it keeps."""

    def __init__(self, strategy: Strategy) -> None:
        self.full = False
        self.strategy = strategy
        self.account = Account(2, 10_000.0, ORDERS)
        self.filled: Any = [0.0] * ROOM
        self.values: Any = [0.0] * ROOM
        self.fills = 0
        self.steps = 0

    def on_bar(self, bar: Bar) -> None:
        """Fill what was asked for at the open, then tell the strategy of the bar."""
        account = self.account
        i = bar.i
        account.now = bar.time
        self.fill_orders(i, bar.open)
        if account.target[i] != account.position[i]:
            self.fill(i, account.target[i] - account.position[i], bar.open, 0)
        account.price[i] = bar.close
        self.strategy.on_aggregate_bar(bar, account)
        self.values[self.steps % ROOM] = account.equity
        self.steps += 1

    def fill_orders(self, i: int, price: float) -> None:
        """Fill all orders but those that were cancelled; they are gone then."""
        account = self.account
        q = 0
        while q < account.count and q < ORDERS:
            order = account.orders[account.queue[q]]
            if not order.cancel_requested:
                self.fill(order.i, order.quantity, price, order.number)
            q += 1
        for k in range(account.capacity):
            account.orders[k].state = FREE
        account.count = 0

    def fill(self, i: int, quantity: float, price: float, order: int) -> None:
        """One fill."""
        account = self.account
        account.cash -= quantity * price
        account.position[i] += quantity
        self.filled[self.fills % ROOM] = quantity
        self.fills += 1
        self.strategy.on_fill(Fill(i, account.now, order, quantity, price, 0.0, account.now), account)
