"""What becomes of a backtest's account that is worth nothing any more, or holds more than its leverage."""

from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.explicit_orders import ExplicitOrders
from strades_pipelines.engine.order_exposure import is_at_market
from strades_pipelines.engine.state import EngineState
from strades_pipelines.engine.targets import Targets
from strades_pipelines.strategy.events import BEGINNING, TIMER
from strades_pipelines.strategy.orders import CANCELLED, OPEN, RUINED


class MarginCalls:
    """Closes an account that is ruined, and holds positions within the leverage after their entry too.

    An equity of zero or less at the end of an instant is ruin: all orders are cancelled, every position is closed at
    its last close with what taking and fees cost, and nothing is traded any more. Where the positions are worth more
    than the leverage allows, each is reduced in the same part by an order for the next open.

    `count` is how often positions had to be reduced; `ruined_at` is in microseconds UTC.

    Args:
        is_supervised: whether it does so at all.
    """

    constants: ClassVar = ("is_supervised",)
    references: ClassVar = ("state", "targets", "explicit_orders")

    def __init__(
        self, state: EngineState, targets: Targets, explicit_orders: ExplicitOrders, *, is_supervised: bool = False
    ) -> None:
        self.state = state
        self.targets = targets
        self.explicit_orders = explicit_orders
        self.is_supervised = is_supervised
        # So that one comparison tells both: for no leverage a number that is above zero times anything above zero.
        self.most_gross = min(state.gate.limits.leverage * (1.0 + 1e-9), 1e300)
        self.ruined_at = BEGINNING
        self.count = 0

    @cold
    def supervise(self, equity: float, gross: float) -> None:
        """Look at an account whose equity is not above zero, or whose positions are above the leverage."""
        if self.state.is_ruined:
            return
        if equity <= 0.0:
            self.liquidate()
        else:
            self.call_margin(1.0 - self.state.gate.limits.leverage * equity / gross)

    @cold
    def liquidate(self) -> None:
        """Cancel every order, close every position, and end trading."""
        state = self.state
        account = state.account
        state.is_ruined = True
        self.ruined_at = account.now
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.state <= OPEN:
                self.explicit_orders.end(order, CANCELLED, RUINED)
        self.explicit_orders.compact()
        for i in range(account.size):
            if account.pending[i] != 0.0:
                self.targets.end_target(i, CANCELLED, RUINED)
            held = account.position[i]
            if held != 0.0:
                price = state.gate.in_ticks(i, state.broker.worse(account.price[i], -held, state.volume[i]))
                unit_value = price * account.multiplier[i]
                fee = state.broker.fee.of(abs(held), unit_value, False)
                state.apply_fill(i, -held, price, (fee - held * unit_value) * account.rate[i])
                state.publish_fill(i, 0, -held, price, fee, account.now)

    @cold
    def call_margin(self, part: float) -> None:
        """Reduce each position by such a part at the next open, in whole lots, rounded up."""
        account = self.state.account
        gate = self.state.gate
        called = False
        for i in range(account.size):
            held = account.position[i]
            if held != 0.0 and account.pending[i] == 0.0 and not self.is_called(i):
                quantity = gate.in_lots(i, -held * part)
                if abs(quantity) < abs(held) * part:
                    # Rounded down, the account would stay above its leverage and be called again.
                    lot = gate.lot[i]
                    quantity += lot if held < 0.0 else -lot
                if quantity != 0.0:
                    account.order(i, quantity, reduce_only=True)
                    called = True
        if called:
            self.count += 1
            self.explicit_orders.admit(TIMER)

    @cold
    def is_called(self, i: int) -> bool:
        """Whether an order at the market that only reduces the position is under way, as the last call's may be."""
        account = self.state.account
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            reduces = order.i == i and order.state <= OPEN and order.reduce_only and order.parent == 0
            # A call fills at the next open: a second one before that would sell the same units twice.
            if reduces and is_at_market(order):
                return True
        return False
