"""Round trips: from a flat position to the next, told from fills."""

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Fill


class RoundTrips:
    """Adds up what each position brings, fees included, in the account's currency; `last` is that of the last one."""

    def __init__(self, size: int) -> None:
        self.held = [0.0] * size
        self.average = [0.0] * size
        self.result = [0.0] * size
        self.last = 0.0

    def add(self, fill: Fill, account: Account) -> bool:
        """Take in a fill that the account holds already; whether it ended a round trip, as a turn does."""
        i = fill.i
        held = self.held[i]
        after = account.position[i]
        brought = -fill.fee
        if held * fill.quantity < 0.0:
            closed = min(abs(held), abs(fill.quantity)) * account.multiplier[i]
            brought += closed * (fill.price - self.average[i]) * (1.0 if held > 0.0 else -1.0)
        self.result[i] += brought * account.rate[i]
        self.held[i] = after
        self.average[i] = account.average[i]
        if held == 0.0 or held * after > 0.0:
            return False
        self.last = self.result[i]
        self.result[i] = 0.0
        return True

    def split(self, i: int, ratio: float) -> None:
        """Each unit has become `ratio` units."""
        self.held[i] *= ratio
        self.average[i] /= ratio
