"""Fading the gap at the opening of a day."""

import math
from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Explanation, Strategy

DAY = 86_400_000_000  # microseconds


class OpeningGap(Strategy):
    """When a day (UTC) opens `gap` (a part) away from the last close, bet on its return until the next day."""

    name: ClassVar[str] = "opening_gap"
    gap: float = 0.005
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bar before."""
        return 2

    def on_start(self, account: Account) -> None:
        """The last close and its day for each instrument."""
        self.closes = [math.nan] * account.size
        self.days = [0] * account.size

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Compare the open of a day's first bar with the close before."""
        i = bar.i
        day = bar.open_time // DAY
        if day != self.days[i]:
            change = bar.open / self.closes[i] - 1.0
            target = 0.0
            if change > self.gap:
                target = -self.size
            elif change < -self.gap:
                target = self.size
            account.target[i] = target
        self.days[i] = day
        self.closes[i] = bar.close

    def explain(self, event: Any, i: int) -> Explanation:
        """The last close."""
        return Explanation("gap between two days", {"gap": self.gap, "close": self.closes[i]})
