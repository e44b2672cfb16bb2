"""What cash allows where an account may not borrow: purchases are cut to it, and wait for sales of their instant."""

from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.gate import SLACK
from strades_pipelines.engine.order_exposure import is_at_market
from strades_pipelines.engine.state import EngineState
from strades_pipelines.market.limits import OVER_GROSS, OVER_NET
from strades_pipelines.strategy.orders import MARGIN_SHORT, NO_CASH, OPEN


class CashRules:
    """Answers what a purchase may take and what a sale brings; changes no order and no position.

    `unpaid_count` is how many purchases wait for the sales of this instant, and `is_instant_over` whether these are in.

    Args:
        is_backtest: whether purchases are cut to the cash, and with several instruments wait for sales. Replay and
            paper have the rules of the exact gate, which knows an order at a time.
    """

    constants: ClassVar = ("shares_cash",)
    references: ClassVar = ("state",)

    def __init__(self, state: EngineState, *, is_backtest: bool = False) -> None:
        self.state = state
        self.cuts_to_cash = is_backtest
        self.shares_cash = is_backtest and state.account.size > 1
        state.gate.counts_sales = self.shares_cash
        self.is_instant_over = False
        self.unpaid_count = 0

    def is_overdrawn(self, i: int, quantity: float, price: float) -> bool:
        """Whether cash would go below zero by what makes a position larger, where the account may not borrow."""
        state = self.state
        account = state.account
        held = account.position[i]
        if quantity <= 0.0 or not state.gate.is_cash_account or (held < 0.0 and held + quantity <= 0.0):
            return False
        unit_value = price * account.multiplier[i]
        fee = state.broker.fee.estimate(quantity, unit_value)
        return (quantity * unit_value + fee) * account.rate[i] > account.cash * SLACK

    @cold
    def affordable(self, i: int, quantity: float, price: float) -> float:
        """Of a purchase as many units as the cash pays, with their fee, in whole lots."""
        state = self.state
        account = state.account
        cash = account.cash / account.rate[i]
        if cash <= 0.0 or not self.cuts_to_cash:
            return 0.0
        unit_value = price * account.multiplier[i]
        fee = state.broker.fee.estimate(quantity, unit_value)
        # Right where the fee is a part of the notional; where it falls less than that, it is taken as it is.
        units = state.gate.in_lots(i, quantity * cash / (quantity * unit_value + fee))
        if units * unit_value + state.broker.fee.estimate(units, unit_value) > cash * SLACK:
            # No more units than these are paid: their fee is not below that of what is. Fees are rounded to 8 decimals.
            fee = state.broker.fee.estimate(units, unit_value)
            units = state.gate.in_lots(i, max((cash - fee - 1e-8) / unit_value, 0.0))
        return units

    @cold
    def reserved_by_sale(self, i: int, quantity: float) -> float:
        """The cash that a sale at the market sets aside: below zero, what it brings at the last price."""
        state = self.state
        account = state.account
        units = min(-quantity, max(account.position[i], 0.0))
        if units <= 0.0 or not state.gate.is_cash_account or not self.shares_cash:
            return 0.0
        price = account.price[i] * account.multiplier[i]
        return (state.broker.fee.estimate(units, price) - units * price) * account.rate[i]

    @cold
    def may_be_paid_later(self, i: int) -> bool:
        """Whether sales of other instruments that may be done at the same instant are still to come."""
        return self.shares_cash and not self.is_instant_over and self.has_open_sales(i)

    @cold
    def has_open_sales(self, i: int) -> bool:
        """Whether sales at the market of instruments other than `i` are under way."""
        account = self.state.account
        for k in range(account.busy_count):
            j = account.busy[k]
            if j != i and account.pending[j] < 0.0 and account.position[j] > 0.0:
                return True
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i != i and order.state == OPEN and order.quantity < 0.0 and is_at_market(order):
                return True
        return False

    @cold
    def waits_for_sales(self, outcome: int) -> bool:
        """Whether a purchase is refused for what a sale that is asked for later in the same instant may change."""
        if not self.shares_cash or self.is_instant_over:
            return False
        is_money = outcome == NO_CASH or outcome == MARGIN_SHORT  # compiled code has no `in`
        return is_money or outcome == OVER_GROSS or outcome == OVER_NET  # nor here
