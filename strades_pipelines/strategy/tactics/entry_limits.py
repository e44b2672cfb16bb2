"""When not to trade: what makes a position larger is refused, with the reason, and tried again when that is over."""

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.orders import ACCEPTED, COOLING_DOWN, IN_DRAWDOWN, OUT_OF_HOURS, TOO_MANY_POSITIONS
from strades_pipelines.strategy.tactics import Tactic
from strades_pipelines.strategy.tactics.round_trips import RoundTrips

MINUTE, DAY_MINUTES = 60_000_000, 1440


class CoolDown(Tactic):
    """After a round trip that lost, no larger position in its instrument for so many closes.

    The close of the bar in which it ended is the first of them where that was at its open. Args: bars: 1 or more.
    """

    def __init__(self, size: int, bars: int) -> None:
        self.bars = bars
        self.left = [0] * size
        self.trips = RoundTrips(size)

    def on_bar(self, bar: Bar, account: Account) -> None:
        """A close less."""
        if self.left[bar.i] > 0:
            self.left[bar.i] -= 1

    def on_fill(self, fill: Fill, account: Account) -> None:
        """Begin when a round trip ends with a loss."""
        if self.trips.add(fill, account) and self.trips.last < 0.0:
            # `on_bar` takes one off before the strategy is asked at the same close.
            self.left[fill.i] = self.bars + 1

    def outcome(self, i: int, account: Account) -> int:
        """COOLING_DOWN while closes are left."""
        return COOLING_DOWN if self.left[i] > 0 else ACCEPTED

    def on_split(self, i: int, ratio: float) -> None:
        """Smaller units."""
        self.trips.split(i, ratio)


class MaxDrawdown(Tactic):
    """Once equity at a close is `percent` or more below its highest, all targets are flat, for good."""

    def __init__(self, size: int, percent: float) -> None:
        self.kept = 1.0 - float(percent) / 100.0
        self.peak = 0.0
        self.halted = False

    def on_bar(self, bar: Bar, account: Account) -> None:
        """Look at the equity."""
        equity = account.equity
        if equity > self.peak:
            self.peak = equity
        if equity <= self.kept * self.peak:
            self.halted = True

    def aim(self, i: int, target: float, account: Account) -> float:
        """Flat once halted."""
        return 0.0 if self.halted else target

    def outcome(self, i: int, account: Account) -> int:
        """IN_DRAWDOWN once halted."""
        return IN_DRAWDOWN if self.halted else ACCEPTED


class MaxPositions(Tactic):
    """No position in another instrument while `count` have one, or an order under way."""

    def __init__(self, size: int, count: int) -> None:
        self.most = count

    def outcome(self, i: int, account: Account) -> int:
        """TOO_MANY_POSITIONS for an instrument that would be one too many."""
        # More of what is held is no further position.
        if account.position[i] != 0.0:
            return ACCEPTED
        others = 0
        for j in range(account.size):
            if j != i and (account.position[j] != 0.0 or account.waiting[j] > 0):
                others += 1
        return TOO_MANY_POSITIONS if others >= self.most else ACCEPTED


class TradingHours(Tactic):
    """No larger position decided outside of these hours; what is decided inside may be filled after them.

    Args:
        start, end: minutes of the day, UTC: [start, end); an end before the start is of the next day.
        days: seven truth values from Monday on; hours over midnight belong to the day they start on.
    """

    def __init__(self, size: int, start: int, end: int, days: tuple[bool, ...] = (True,) * 7) -> None:
        self.start, self.end = start, end
        self.days = [int(day) for day in days]

    def outcome(self, i: int, account: Account) -> int:
        """OUT_OF_HOURS by the time of the decision."""
        minutes = account.now // MINUTE
        minute = minutes % DAY_MINUTES
        day = (minutes // DAY_MINUTES + 3) % 7  # 1970 began on a Thursday
        inside = self.start <= minute < self.end
        if self.end <= self.start:
            inside = minute >= self.start or minute < self.end
            if minute < self.end:
                day = (day + 6) % 7
        return ACCEPTED if inside and self.days[day] != 0 else OUT_OF_HOURS
