"""What an account is worth at the end of each instant, and the interest that it pays from one to the next."""

from typing import ClassVar

from strades_pipelines.compiler.cold import cold
from strades_pipelines.engine.margin_calls import MarginCalls
from strades_pipelines.engine.state import EngineState
from strades_pipelines.engine.tally import Tally
from strades_pipelines.strategy.events import DAY_LENGTH

YEAR = 365.25 * DAY_LENGTH


class Valuation:
    """Writes down the account's values, or only what a sweep keeps of them.

    Args:
        financing: interest a year on borrowed cash, as a part.
        borrowing: the fee a year for borrowed units, as a part of their value.
        keeps_values: whether each value goes into the journal; else only into the tally.
    """

    constants: ClassVar = ("keeps_values", "accrues")
    references: ClassVar = ("state", "margin_calls")

    def __init__(
        self,
        state: EngineState,
        margin_calls: MarginCalls,
        *,
        financing: float = 0.0,
        borrowing: float = 0.0,
        keeps_values: bool = True,
    ) -> None:
        self.state = state
        self.margin_calls = margin_calls
        self.tally = Tally(state.account.cash)
        self.financing = float(financing)
        self.borrowing = float(borrowing)
        self.accrues = financing > 0.0 or borrowing > 0.0
        self.keeps_values = keeps_values

    def record(self) -> None:
        """Write down what the account is worth, every event of the instant being in."""
        state = self.state
        account = state.account
        position = account.position
        price = account.price
        unit = account.unit
        equity = account.cash
        gross = 0.0
        for i in range(account.size):
            held = position[i]
            value = held * price[i] * unit[i]
            # A select, no branch, which a processor would often mispredict; the price may be NaN.
            value = value if held != 0.0 else 0.0
            equity += value
            gross += abs(value)
        margin_calls = self.margin_calls
        # A call may liquidate at worse prices: the value is read again after it.
        if margin_calls.is_supervised and gross > margin_calls.most_gross * equity:
            margin_calls.supervise(equity, gross)
            equity = account.equity
            gross = account.gross
        if state.gate.tracks_equity:
            state.gate.track_equity(account.now, equity)
        if self.keeps_values:
            state.journal.value(equity, gross)
        else:
            self.tally.value(account.now, equity)

    @cold
    def accrue(self, time: int) -> None:
        """Charge interest on borrowed cash and the fee for borrowed units, from the last instant to `time`."""
        account = self.state.account
        years = (time - account.now) / YEAR
        owed = 0.0
        if account.cash < 0.0:
            owed -= account.cash * self.financing * years
        for i in range(account.size):
            if account.position[i] < 0.0:
                owed -= account.position[i] * account.price[i] * account.unit[i] * self.borrowing * years
        account.cash -= owed
        account.interest += owed
