"""What an engine is made of, and what changes the account's money: the parts that all of its other parts work on."""

import math
from typing import ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.broker import SimulatedBroker
from strades_pipelines.strategy.compiler.rare import rarely
from strades_pipelines.strategy.events import BEGINNING, DAY_LENGTH, Fill
from strades_pipelines.strategy.gate import SLACK, Gate, multiple
from strades_pipelines.strategy.journal import Journal
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.tactics import Tactic
from strades_pipelines.strategy.tally import Tally

YEAR = 365.25 * DAY_LENGTH


class EngineState:
    """The parts of an engine, the volumes and rates it keeps, and the account's cash and positions."""

    constants: ClassVar = ("keeps_values", "accrues", "measures", "converts", "looks_around")

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
        self.converts = any(account.converts)
        self.looks_around = account.size > 1 or _listens(strategy)
        size = account.size
        self.left = [math.inf] * size
        self.volume = [math.inf] * size
        self.half_spread = [0.0] * size
        self.quote_time = [BEGINNING] * size
        self.retry = [0] * size
        # Between these prices bars leave the orders of an instrument alone; see `Matching.calm`.
        self.calm_low = [math.inf] * size
        self.calm_high = [-math.inf] * size

    def measure(self, i: int, volume: float) -> None:
        """Keep the volume of what is traded on now, and how much of it fills may take."""
        self.volume[i] = volume
        if math.isfinite(self.broker.participation):
            self.left[i] = self.broker.participation * volume

    @rarely
    def convert(self, i: int, price: float) -> None:
        """Where instrument `i` is a pair of currencies, its price is the rate of what is quoted in the other one."""
        account = self.account
        code = account.converts[i]
        if code != 0:
            rate = price if code > 0 else 1.0 / price
            for j in range(account.size):
                if account.currency[j] == abs(code):
                    account.rate[j] = rate
                    account.unit[j] = account.multiplier[j] * rate

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
        if self.gate.tracks_equity:
            self.gate.track_equity(account.now, equity)
        if self.keeps_values:
            self.journal.value(equity, gross)
        else:
            self.tally.value(account.now, equity)

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
