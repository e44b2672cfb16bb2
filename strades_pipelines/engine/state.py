"""What all parts of an engine work on: strategy, account, broker, gate and journal, and the volume and rates of now."""

import math
from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.gate import Gate, multiple
from strades_pipelines.engine.journal import Journal
from strades_pipelines.engine.simulated_broker import SimulatedBroker
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import BEGINNING, Fill
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.tactics import Tactic

# A position of less than this part of the fill that left it is none.
DUST = 1e-12


class EngineState:
    """The objects that the parts of an engine share; it owns what trading volume and exchange rates are now.

    `remaining_volume` is what fills may still take of the volume that is traded now, `volume` the last that was not 0,
    both in units by instrument. `waits_for_price`: whether an instrument without a price is waited for, which a
    backtest does; replay and paper have the rules of the exact gate, which knows an order at a time.
    """

    constants: ClassVar = ("measures", "converts")

    def __init__(
        self,
        strategy: Strategy,
        account: Account,
        broker: SimulatedBroker,
        gate: Gate,
        *,
        tactics: tuple[Tactic, ...] = (),
        opened_at: int = BEGINNING,
        waits_for_price: bool = False,
    ) -> None:
        self.strategy = strategy
        self.account = account
        self.broker = broker
        self.gate = gate
        gate.open_account(account.cash)
        self.tactics = tactics
        self.journal = Journal()
        self.opened_at = opened_at
        self.measures = broker.measures
        self.converts = account.converts
        self.opening_rate = list(account.rate)
        self.closing_rate = list(account.rate)
        self.remaining_volume = [math.inf] * account.size
        self.volume = [math.inf] * account.size
        self.waits_for_price = waits_for_price
        self.is_ruined = False

    def measure_volume(self, i: int, volume: float) -> None:
        """Keep the volume of what is traded on now, and how much of it fills may take."""
        self.remaining_volume[i] = math.inf
        if math.isfinite(self.broker.participation):
            self.remaining_volume[i] = self.broker.participation * volume
        if volume > 0.0:
            self.volume[i] = volume
        elif self.broker.impact > 0.0:
            self.remaining_volume[i] = 0.0  # of no volume any share is all of it: what moves the price waits for one

    @cold
    def use_rate(self, i: int, time: int) -> None:
        """Convert the currency of instrument `i` at the rate of its bar's open, or of now, whichever `time` is."""
        account = self.account
        rate = self.closing_rate[i] if time >= account.now else self.opening_rate[i]
        account.rate[i] = rate
        account.unit[i] = account.multiplier[i] * rate

    def apply_fill(self, i: int, quantity: float, price: float, cost: float) -> None:
        """Change cash, position and average price by a fill; `cost` is in the account's currency, with the fee."""
        account = self.account
        held = account.position[i]
        after = held + quantity
        lot = self.gate.lot[i]
        # Beyond 2 ** 53 lots a float does not tell one from the next.
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
            # Through zero: what is left was opened at this price.
            account.average[i] = price
        account.cash -= cost
        account.position[i] = after

    @cold
    def publish_fill(self, i: int, number: int, quantity: float, price: float, fee: float, filled_at: int) -> None:
        """Write a fill into the journal, and call the `on_fill` of the tactics and the strategy."""
        account = self.account
        self.journal.fill(number, i, quantity, price, fee, filled_at, account.now, account.cash)
        for tactic in self.tactics:
            tactic.on_fill(Fill(i, account.now, number, quantity, price, fee, filled_at), account)
        self.strategy.on_fill(Fill(i, account.now, number, quantity, price, fee, filled_at), account)
