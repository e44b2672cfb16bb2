"""What becomes of a backtest's account that is worth nothing any more, or holds more than its leverage."""

from strades_pipelines.compiler.rare import rarely
from strades_pipelines.engine.corporate_action_effects import CorporateActions
from strades_pipelines.strategy.events import TIMER
from strades_pipelines.strategy.orders import CANCELLED, OPEN, RUINED


class Supervision(CorporateActions):
    """Closes an account that is ruined, and holds positions within the leverage after their entry too.

    An equity of zero or less at the end of an instant is ruin: all orders are cancelled, every position is closed at
    its last close with what taking and fees cost, and nothing is traded any more. Where the positions are worth more
    than the leverage allows, each is reduced in the same part by an order for the next open.
    """

    @rarely
    def supervise(self, equity: float, gross: float) -> None:
        """Look at an account whose equity is not above zero, or whose positions are above the leverage."""
        if self.is_ruined:
            return
        if equity <= 0.0:
            self.liquidate()
        else:
            self.call_margin(1.0 - self.gate.limits.leverage * equity / gross)

    @rarely
    def liquidate(self) -> None:
        """Cancel every order, close every position, and end trading."""
        account = self.account
        self.is_ruined = True
        self.ruined_at = account.now
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.state <= OPEN:
                self.end(order, CANCELLED, RUINED)
        self.compact()
        for i in range(account.size):
            if account.pending[i] != 0.0:
                self.end_target(i, CANCELLED, RUINED)
            held = account.position[i]
            if held != 0.0:
                price = self.gate.in_ticks(i, self.broker.worse(account.price[i], -held, self.volume[i]))
                worth = price * account.multiplier[i]
                fee = self.broker.fee.of(abs(held), worth, False)
                self.take(i, -held, price, (fee - held * worth) * account.rate[i])
                self.tell(i, 0, -held, price, fee, account.now)

    @rarely
    def call_margin(self, part: float) -> None:
        """Reduce each position by such a part at the next open, in whole lots, rounded up."""
        account = self.account
        called = False
        for i in range(account.size):
            held = account.position[i]
            if held != 0.0 and account.pending[i] == 0.0 and not self.is_called(i):
                quantity = self.gate.in_lots(i, -held * part)
                if abs(quantity) < abs(held) * part:
                    lot = self.gate.lot[i]
                    quantity += lot if held < 0.0 else -lot
                if quantity != 0.0:
                    account.order(i, quantity, reduce_only=True)
                    called = True
        if called:
            self.margin_calls += 1
            self.admit(TIMER)

    @rarely
    def is_called(self, i: int) -> bool:
        """Whether an order at the market that only reduces the position is under way, as the last call's may be."""
        account = self.account
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            reduces = order.i == i and order.state <= OPEN and order.reduce_only and order.parent == 0
            if reduces and self.gate.is_at_market(order):
                return True
        return False
