"""By the clock alone."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Explanation, Strategy

HOUR = 3_600_000_000
DAY = 24 * HOUR  # microseconds


class TimeOfDay(Strategy):
    """Hold `size` units from the close of the bar at `start` o'clock to the one at `stop` o'clock, UTC."""

    name: ClassVar[str] = "time_of_day"
    start: int = 14
    stop: int = 20
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The clock needs no past."""
        return 1

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Look at the clock."""
        hour = bar.time % DAY // HOUR
        account.target[bar.i] = self.size if self.start <= hour < self.stop else 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The hours."""
        return Explanation("hour of the day", {"start": float(self.start), "stop": float(self.stop)})
