"""Rules of a cash account: purchases are cut to the cash, and wait for sales of the same instant."""

from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.gate import SLACK
from strades_pipelines.engine.order_exposure import is_at_market
from strades_pipelines.engine.state import EngineState
from strades_pipelines.market.limits import OVER_GROSS, OVER_NET
from strades_pipelines.strategy.orders import MARGIN_SHORT, NO_CASH, OPEN


class CashRules:
    """How much cash a purchase may use and a sale returns; changes no order and no position.

    `unpaid_count` is how many purchases wait for sales of this instant, `is_instant_over` whether these are all done.

    Args:
        is_backtest: whether purchases are cut to the cash, and with several instruments wait for sales. Replay and
            paper use the exact gate instead, which sees one order at a time.
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
        """Whether a purchase would take the cash of an account that may not borrow below zero."""
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
        """The units of a purchase that the cash pays for, fee included, in whole lots."""
        state = self.state
        account = state.account
        cash = account.cash / account.rate[i]
        if cash <= 0.0 or not self.cuts_to_cash:
            return 0.0
        unit_value = price * account.multiplier[i]
        fee = state.broker.fee.estimate(quantity, unit_value)
        # Exact for a fee proportional to the notional. One with a minimum shrinks less: then these units cost too much.
        units = state.gate.in_lots(i, quantity * cash / (quantity * unit_value + fee))
        if units * unit_value + state.broker.fee.estimate(units, unit_value) > cash * SLACK:
            # Fewer units have no higher fee, so what the cash less this fee buys is paid. Fees have 8 decimals.
            fee = state.broker.fee.estimate(units, unit_value)
            units = state.gate.in_lots(i, max((cash - fee - 1e-8) / unit_value, 0.0))
        return units

    @cold
    def reserved_by_sale(self, i: int, quantity: float) -> float:
        """The cash reserved for a sale at the market: minus its proceeds at the last price, net of the fee."""
        state = self.state
        account = state.account
        units = min(-quantity, max(account.position[i], 0.0))
        if units <= 0.0 or not state.gate.is_cash_account or not self.shares_cash:
            return 0.0
        price = account.price[i] * account.multiplier[i]
        return (state.broker.fee.estimate(units, price) - units * price) * account.rate[i]

    @cold
    def may_be_paid_later(self, i: int) -> bool:
        """Whether a purchase may wait: sales of other instruments may still fill at this instant."""
        return self.shares_cash and not self.is_instant_over and self.has_open_sales(i)

    @cold
    def has_open_sales(self, i: int) -> bool:
        """Whether market sales of instruments other than `i` are working."""
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
        """Whether a refused purchase waits: a later sale of the instant may free the cash or exposure it lacks."""
        if not self.shares_cash or self.is_instant_over:
            return False
        is_money = outcome == NO_CASH or outcome == MARGIN_SHORT  # compiled code has no `in`
        return is_money or outcome == OVER_GROSS or outcome == OVER_NET  # compiled code has no `in`
