"""Rules added to a strategy by name and parameters, the same in every mode: sizing, exits, and when not to trade."""

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.orders import ACCEPTED


class Tactic:
    """A rule that sees each bar, may change what a strategy aims at, and may hold back what makes a position larger."""

    def on_bar(self, bar: Bar, account: Account) -> None:
        """Look at a bar before the strategy does."""

    def on_fill(self, fill: Fill, account: Account) -> None:
        """Look at a fill before the strategy does; the account holds it already."""

    def on_split(self, i: int, ratio: float) -> None:
        """Each unit of instrument `i` has become `ratio` units, at as much less each."""

    def aim(self, i: int, target: float, account: Account) -> float:
        """What to aim at when the strategy aims at `target` units of instrument `i`."""
        return target

    def outcome(self, i: int, account: Account) -> int:
        """ACCEPTED, or why a larger position in instrument `i` is refused now."""
        return ACCEPTED


def direction_of(number: float) -> int:
    """1 above zero, -1 below, 0 at it."""
    if number > 0.0:
        return 1
    return -1 if number < 0.0 else 0
