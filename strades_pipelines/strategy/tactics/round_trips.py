"""Round trips: from one flat position to the next, computed from fills."""

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Fill


class RoundTrips:
    """Sums each position's profit after fees, in the account's currency; `last` is that of the last round trip."""

    def __init__(self, size: int) -> None:
        self.held = [0.0] * size
        self.average = [0.0] * size
        self.result = [0.0] * size
        self.last = 0.0

    def add(self, fill: Fill, account: Account) -> bool:
        """Add a fill that the account has booked; returns whether it ended a round trip, as a reversal does."""
        i = fill.i
        held = self.held[i]
        after = account.position[i]
        profit = -fill.fee
        if held * fill.quantity < 0.0:
            closed = min(abs(held), abs(fill.quantity)) * account.multiplier[i]
            profit += closed * (fill.price - self.average[i]) * (1.0 if held > 0.0 else -1.0)
        self.result[i] += profit * account.rate[i]
        self.held[i] = after
        self.average[i] = account.average[i]
        if held == 0.0 or held * after > 0.0:
            return False
        self.last = self.result[i]
        self.result[i] = 0.0
        return True

    def split(self, i: int, ratio: float) -> None:
        """Restate the positions after a split: each unit has become `ratio` units."""
        self.held[i] *= ratio
        self.average[i] /= ratio
