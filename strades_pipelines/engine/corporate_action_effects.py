"""What splits, dividends and the end of a listing change in an account and its orders."""

import math
from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.explicit_orders import ExplicitOrders
from strades_pipelines.engine.quiet_bands import QuietBands
from strades_pipelines.engine.state import EngineState
from strades_pipelines.engine.targets import Targets
from strades_pipelines.strategy.orders import CANCELLED, DELISTED, LOT_PRECISION, OPEN


class CorporateActionEffects:
    """Keeps the account's value through corporate actions."""

    references: ClassVar = ("state", "targets", "quiet_bands", "explicit_orders")

    def __init__(
        self, state: EngineState, targets: Targets, quiet_bands: QuietBands, explicit_orders: ExplicitOrders
    ) -> None:
        self.state = state
        self.targets = targets
        self.quiet_bands = quiet_bands
        self.explicit_orders = explicit_orders

    @cold
    def split(self, i: int, ratio: float) -> None:
        """Each unit becomes `ratio` units at as much less each; what is under way changes alike.

        What is no whole lot then is paid out at the price, as a fill of no order; an order of less than a lot ends.
        """
        state = self.state
        account = state.account
        account.position[i] *= ratio
        account.target[i] *= ratio
        account.decided[i] *= ratio
        account.price[i] /= ratio
        account.average[i] /= ratio
        self.targets.half_spread[i] /= ratio
        for tactic in state.tactics:
            tactic.on_split(i, ratio)
        if account.pending[i] != 0.0:
            account.pending[i] = state.gate.in_lots(i, account.pending[i] * ratio)
            if account.pending[i] == 0.0:
                self.targets.end_target(i, CANCELLED, LOT_PRECISION)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i and order.state <= OPEN:
                order.quantity = state.gate.in_lots(i, order.quantity * ratio)
                order.limit /= ratio
                order.stop /= ratio
                order.trail /= ratio
                order.best /= ratio
                # The bands were measured in prices of before the split.
                self.quiet_bands.forget(i)
                if order.quantity == 0.0:
                    self.explicit_orders.end(order, CANCELLED, LOT_PRECISION)
        self.explicit_orders.compact()
        whole = state.gate.in_lots(i, account.position[i])
        if whole != account.position[i]:
            self.pay_out(i, account.position[i] - whole)

    @cold
    def pay_out(self, i: int, quantity: float) -> None:
        """So many units of what is held are taken for their price."""
        account = self.state.account
        price = account.price[i]
        self.state.apply_fill(i, -quantity, price, -quantity * price * account.unit[i])
        self.state.publish_fill(i, 0, -quantity, price, 0.0, account.now)

    @cold
    def pay_dividend(self, i: int, amount: float) -> None:
        """`amount` a unit, in the instrument's currency; whoever is short pays it."""
        account = self.state.account
        if account.position[i] != 0.0:
            paid = account.position[i] * amount * account.unit[i]
            account.cash += paid
            account.dividends += paid

    @cold
    def delist(self, i: int) -> None:
        """The listing ends: its orders are cancelled, what is held is paid out at the last price, which ends too."""
        account = self.state.account
        if account.pending[i] != 0.0:
            self.targets.end_target(i, CANCELLED, DELISTED)
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == i and order.state <= OPEN:
                self.explicit_orders.end(order, CANCELLED, DELISTED)
        self.explicit_orders.compact()
        account.target[i] = 0.0
        account.decided[i] = 0.0
        if account.position[i] != 0.0:
            self.pay_out(i, account.position[i])
        # NaN, so that an order at the market after the end is refused for want of a price.
        account.price[i] = math.nan
