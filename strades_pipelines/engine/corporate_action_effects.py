"""What splits and the end of a listing change in an account and its orders."""

import math

from strades_pipelines.compiler.rare import rarely
from strades_pipelines.engine.order_fills import Matching
from strades_pipelines.strategy.orders import CANCELLED, DELISTED, LOT_PRECISION, OPEN


class CorporateActions(Matching):
    """Keeps the account's value through corporate actions."""

    @rarely
    def split(self, i: int, ratio: float) -> None:
        """Each unit becomes `ratio` units at as much less each; what is under way changes alike.

        What is no whole lot then is paid out at the price, as a fill of no order; an order that comes to no lot ends.
        """
        account = self.account
        account.position[i] *= ratio
        account.target[i] *= ratio
        account.decided[i] *= ratio
        account.price[i] /= ratio
        account.average[i] /= ratio
        self.half_spread[i] /= ratio
        for tactic in self.tactics:
            tactic.on_split(i, ratio)
        if account.pending[i] != 0.0:
            account.pending[i] = self.gate.in_lots(i, account.pending[i] * ratio)
            if account.pending[i] == 0.0:
                self.end_target(i, CANCELLED, LOT_PRECISION)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i and order.state <= OPEN:
                order.quantity = self.gate.in_lots(i, order.quantity * ratio)
                order.limit /= ratio
                order.stop /= ratio
                order.trail /= ratio
                order.best /= ratio
                self.calm_low[i] = math.inf
                if order.quantity == 0.0:
                    self.end(order, CANCELLED, LOT_PRECISION)
        self.compact()
        whole = self.gate.in_lots(i, account.position[i])
        if whole != account.position[i]:
            self.pay_out(i, account.position[i] - whole)

    @rarely
    def pay_out(self, i: int, quantity: float) -> None:
        """So many units of what is held are taken for their price."""
        account = self.account
        price = account.price[i]
        self.take(i, -quantity, price, -quantity * price * account.unit[i])
        self.tell(i, 0, -quantity, price, 0.0, account.now)

    @rarely
    def delist(self, i: int) -> None:
        """The listing ends: its orders are cancelled, what is held is paid out at the last price, which ends too."""
        account = self.account
        if account.pending[i] != 0.0:
            self.end_target(i, CANCELLED, DELISTED)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i and order.state <= OPEN:
                self.end(order, CANCELLED, DELISTED)
        self.compact()
        account.target[i] = 0.0
        account.decided[i] = 0.0
        if account.position[i] != 0.0:
            self.pay_out(i, account.position[i])
        account.price[i] = math.nan
