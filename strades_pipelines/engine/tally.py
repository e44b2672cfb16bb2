"""What a sweep keeps of an account."""

from strades_pipelines.compiler.cold import cold
from strades_pipelines.strategy.events import BEGINNING, DAY_LENGTH


class Tally:
    """What a sweep keeps of an account's values: the last, the deepest fall, the sums of daily returns."""

    def __init__(self, equity: float) -> None:
        self.equity = float(equity)
        self.peak = float(equity)
        self.drawdown = 0.0
        self.floor = float(equity)
        self.day_equity = float(equity)
        self.next_day = BEGINNING
        self.total = 0.0
        self.squares = 0.0
        self.days = 0
        self.is_second = False
        self.offset = 0

    def value(self, time: int, equity: float) -> None:
        """Take in the account's value at one more instant."""
        if time > self.next_day:
            self.new_day(time)
        self.equity = equity
        if equity > self.peak:
            self.peak = equity
            # A fall below it is the deepest: most instants need no division.
            self.floor = equity * (1.0 - self.drawdown)
        elif equity < self.floor:
            self.drawdown = 1.0 - equity / self.peak
            self.floor = equity

    @cold
    def new_day(self, time: int) -> None:
        """Close the day before: its return is from the last value of the day before it.

        Days are of UTC, but for the offset (see `backtest.day_offset`). An instant at midnight ends its day, as the bar
        does that is known then. The first day counts where its value is not the cash that the account had before.
        """
        if self.next_day > BEGINNING:
            change = self.equity / self.day_equity - 1.0
            if self.days > 0 or self.is_second or change != 0.0:
                self.total += change
                self.squares += change * change
                self.days += 1
            self.is_second = True
        self.day_equity = self.equity
        self.next_day = ((time - 1 + self.offset) // DAY_LENGTH + 1) * DAY_LENGTH - self.offset
