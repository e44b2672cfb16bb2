"""Back to the middle of the Bollinger bands."""

from typing import Any, ClassVar

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Bollinger
from strades_pipelines.strategy.strategy import Explanation, Strategy


class BollingerReversion(Strategy):
    """Buy below the lower band, sell short above the upper one, `size` units; be out past the middle."""

    name: ClassVar[str] = "bollinger_reversion"
    length: int = 20
    deviations: float = 2.0
    size: float = 1.0

    @property
    def lookback(self) -> int:
        """The bars of the bands."""
        return self.length

    def on_start(self, account: Account) -> None:
        """Bands for each instrument."""
        self.bands = [Bollinger(self.length, self.deviations) for _ in range(account.size)]

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """See where the close is in the bands."""
        i = bar.i
        bands = self.bands[i]
        bands.update(bar.close)
        if bar.close < bands.lower:
            account.target[i] = self.size
        elif bar.close > bands.upper:
            account.target[i] = -self.size
        elif (bar.close - bands.middle) * account.target[i] > 0.0:
            account.target[i] = 0.0

    def explain(self, event: Any, i: int) -> Explanation:
        """The bands."""
        bands = self.bands[i]
        numbers = {"lower": bands.lower, "middle": bands.middle, "upper": bands.upper}
        return Explanation(f"close against the bands of {self.length} bars", numbers)
