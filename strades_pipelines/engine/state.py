"""What an engine is made of, and what changes the account's money: the parts that all of its other parts work on."""

import math
from typing import ClassVar

from strades_pipelines.compiler.rare import rarely
from strades_pipelines.engine.gate import SLACK, Gate, multiple
from strades_pipelines.engine.journal import Journal
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.engine.tally import Tally
from strades_pipelines.market.limits import OVER_GROSS, OVER_NET
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import BEGINNING, DAY_LENGTH, Fill
from strades_pipelines.strategy.orders import MARGIN_SHORT, NO_CASH, OPEN
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.tactics import Tactic

YEAR = 365.25 * DAY_LENGTH
# A position of less than this part of the fill that left it is none.
DUST = 1e-12


class EngineState:
    """The parts of an engine, the volumes and rates it keeps, and the account's cash and positions."""

    constants: ClassVar = (
        "keeps_values",
        "accrues",
        "measures",
        "converts",
        "looks_around",
        "shares_cash",
        "is_supervised",
    )

    def __init__(
        self,
        strategy: Strategy,
        account: Account,
        broker: SimulatedBroker,
        gate: Gate,
        *,
        tactics: tuple[Tactic, ...] = (),
        opened_at: int = BEGINNING,
        financing: float = 0.0,
        borrowing: float = 0.0,
        keeps_values: bool = True,
        is_backtest: bool = False,
    ) -> None:
        self.strategy = strategy
        self.account = account
        self.broker = broker
        self.gate = gate
        gate.open_account(account.cash)
        self.tactics = tactics
        self.journal = Journal()
        self.tally = Tally(account.cash)
        self.opened_at = opened_at
        self.financing = float(financing)
        self.borrowing = float(borrowing)
        self.accrues = financing > 0.0 or borrowing > 0.0
        self.keeps_values = keeps_values
        self.side = 0
        self.measures = broker.measures
        self.converts = account.converts
        self.looks_around = account.size > 1 or _listens(strategy)
        size = account.size
        self.opening_rate = list(account.rate)
        self.closing_rate = list(account.rate)
        self.left = [math.inf] * size
        self.volume = [math.inf] * size
        self.half_spread = [0.0] * size
        self.quote_time = [BEGINNING] * size
        self.retry = [0] * size
        # What was filled of the orders for targets: units, notional, fee; see `Fee.of_part`.
        self.done = [0.0] * size
        self.worth = [0.0] * size
        self.paid = [0.0] * size
        # Purchases that wait for the sales of their instant, and the open that is theirs.
        self.unpaid = [0] * size
        self.unpaid_price = [0.0] * size
        self.unpaid_at = [0] * size
        self.unpaid_count = 0
        # Rules of a backtest; replay and paper have those of the exact gate, which knows an order at a time. Whether an
        # instrument without a price, and sales of others, are waited for; whether a purchase is cut to the cash.
        self.waits_for_price = is_backtest
        self.shares_cash = is_backtest and size > 1
        self.cuts_to_cash = is_backtest
        gate.counts_sales = self.shares_cash
        self.is_instant_over = False
        self.postponed = False
        self.unanswered = 0
        # Whether an account that is worth nothing is closed, and positions held within the leverage; see `supervise`.
        self.is_supervised = is_backtest and account.cash > 0.0
        # So that one comparison tells both: for no leverage a number that is above zero times anything above zero.
        self.most_gross = min(gate.limits.leverage * (1.0 + 1e-9), 1e300)
        self.is_ruined = False
        self.ruined_at = BEGINNING
        self.margin_calls = 0
        # Between these prices bars leave the orders of an instrument alone; see `Matching.calm`.
        self.calm_low = [math.inf] * size
        self.calm_high = [-math.inf] * size

    def measure(self, i: int, volume: float) -> None:
        """Keep the volume of what is traded on now, and how much of it fills may take."""
        self.left[i] = math.inf
        if math.isfinite(self.broker.participation):
            self.left[i] = self.broker.participation * volume
        if volume > 0.0:
            self.volume[i] = volume
        elif self.broker.impact > 0.0:
            self.left[i] = 0.0  # of no volume any share is all of it: what moves the price waits for one

    @rarely
    def use_rate(self, i: int, time: int) -> None:
        """Convert the currency of instrument `i` at the rate of its bar's open, or of now, whichever `time` is."""
        account = self.account
        rate = self.closing_rate[i] if time >= account.now else self.opening_rate[i]
        account.rate[i] = rate
        account.unit[i] = account.multiplier[i] * rate

    def value(self) -> None:
        """Keep what the account is worth."""
        account = self.account
        position = account.position
        price = account.price
        unit = account.unit
        equity = account.cash
        gross = 0.0
        for i in range(account.size):
            held = position[i]
            worth = held * price[i] * unit[i]
            # A chosen value, no branch, which a processor would often foresee wrong; the price may be NaN.
            worth = worth if held != 0.0 else 0.0
            equity += worth
            gross += abs(worth)
        if self.is_supervised and gross > self.most_gross * equity:
            self.supervise(equity, gross)
            equity = account.equity
            gross = account.gross
        if self.gate.tracks_equity:
            self.gate.track_equity(account.now, equity)
        if self.keeps_values:
            self.journal.value(equity, gross)
        else:
            self.tally.value(account.now, equity)

    @rarely
    def supervise(self, equity: float, gross: float) -> None:
        """The account is worth nothing any more, or its positions are above the leverage; see `Supervision`."""

    @rarely
    def accrue(self, time: int) -> None:
        """Interest on borrowed cash and the fee for borrowed units, from the last instant to `time`."""
        account = self.account
        years = (time - account.now) / YEAR
        owed = 0.0
        if account.cash < 0.0:
            owed -= account.cash * self.financing * years
        for i in range(account.size):
            if account.position[i] < 0.0:
                owed -= account.position[i] * account.price[i] * account.unit[i] * self.borrowing * years
        account.cash -= owed
        account.interest += owed

    def take(self, i: int, quantity: float, price: float, cost: float) -> None:
        """Change cash, position and average price by a fill."""
        account = self.account
        held = account.position[i]
        after = held + quantity
        lot = self.gate.lot[i]
        if lot > 0.0 and abs(after) < 9.0e15 * lot:
            whole = multiple(math.floor(after / lot + 0.5), lot)
            if abs(after - whole) < 1e-6 * lot:
                after = whole
        if abs(after) < DUST * abs(quantity):
            after = 0.0  # what sums of fractions leave
        if after == 0.0:
            account.average[i] = 0.0
        elif held * quantity >= 0.0:
            account.average[i] = (account.average[i] * abs(held) + price * abs(quantity)) / (abs(held) + abs(quantity))
        elif held * after < 0.0:
            account.average[i] = price
        account.cash -= cost
        account.position[i] = after

    @rarely
    def tell(self, i: int, number: int, quantity: float, price: float, fee: float, filled_at: int) -> None:
        """Keep a fill, and tell the tactics and the strategy."""
        account = self.account
        self.journal.fill(number, i, quantity, price, fee, filled_at, account.now, account.cash)
        for tactic in self.tactics:
            tactic.on_fill(Fill(i, account.now, number, quantity, price, fee, filled_at), account)
        self.strategy.on_fill(Fill(i, account.now, number, quantity, price, fee, filled_at), account)

    def is_overdrawn(self, i: int, quantity: float, price: float) -> bool:
        """Whether cash would go below zero by what makes a position larger, where the account may not borrow."""
        account = self.account
        held = account.position[i]
        if quantity <= 0.0 or not self.gate.is_cash_account or (held < 0.0 and held + quantity <= 0.0):
            return False
        paid = price * account.multiplier[i]
        fee = self.broker.fee.estimate(quantity, paid)
        return (quantity * paid + fee) * account.rate[i] > account.cash * SLACK

    @rarely
    def affordable(self, i: int, quantity: float, price: float) -> float:
        """Of a purchase as many units as the cash pays, with their fee, in whole lots."""
        cash = self.account.cash / self.account.rate[i]
        if cash <= 0.0 or not self.cuts_to_cash:
            return 0.0
        paid = price * self.account.multiplier[i]
        fee = self.broker.fee.estimate(quantity, paid)
        # Right where the fee is a part of the notional; where it falls less than that, it is taken as it is.
        units = self.gate.in_lots(i, quantity * cash / (quantity * paid + fee))
        if units * paid + self.broker.fee.estimate(units, paid) > cash * SLACK:
            # No more units than these are paid: their fee is not below that of what is. Fees are rounded to 8 decimals.
            fee = self.broker.fee.estimate(units, paid)
            units = self.gate.in_lots(i, max((cash - fee - 1e-8) / paid, 0.0))
        return units

    @rarely
    def proceeds(self, i: int, quantity: float) -> float:
        """What a sale of what is held brings at the last price, below zero, as cash that it sets aside."""
        account = self.account
        units = min(-quantity, max(account.position[i], 0.0))
        if units <= 0.0 or not self.gate.is_cash_account or not self.shares_cash:
            return 0.0
        price = account.price[i] * account.multiplier[i]
        return (self.broker.fee.estimate(units, price) - units * price) * account.rate[i]

    @rarely
    def may_be_paid(self, i: int) -> bool:
        """Whether sales of other instruments that may be done at the same instant are still to come."""
        return self.shares_cash and not self.is_instant_over and self.has_sales(i)

    @rarely
    def has_sales(self, i: int) -> bool:
        """Whether sales of other instruments at the market are under way."""
        account = self.account
        for k in range(account.busy_count):
            j = account.busy[k]
            if j != i and account.pending[j] < 0.0 and account.position[j] > 0.0:
                return True
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i != i and order.state == OPEN and order.quantity < 0.0 and self.gate.is_at_market(order):
                return True
        return False

    @rarely
    def waits_for_sales(self, outcome: int) -> bool:
        """Whether a purchase is refused for what a sale that is asked for later in the same instant may change."""
        if not self.shares_cash or self.is_instant_over:
            return False
        is_money = outcome == NO_CASH or outcome == MARGIN_SHORT  # compiled code has no `in`
        return is_money or outcome == OVER_GROSS or outcome == OVER_NET  # nor here

    @rarely
    def pay_dividend(self, i: int, amount: float) -> None:
        """`amount` a unit, in the instrument's currency; whoever is short pays it."""
        account = self.account
        if account.position[i] != 0.0:
            paid = account.position[i] * amount * account.unit[i]
            account.cash += paid
            account.dividends += paid


def _listens(strategy: Strategy) -> bool:
    """Whether a strategy has hooks in which it may change the target of an instrument whose own event has passed."""
    hooks = ("on_timer", "on_fill", "on_order")
    return any(getattr(type(strategy), hook) is not getattr(Strategy, hook) for hook in hooks)
