"""Rules added to a strategy by name and parameters, the same in every mode: sizing, exits, and when not to trade."""

from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.orders import ACCEPTED


class Tactic:
    """A rule that sees each bar, may change what a strategy aims at, and may hold back what makes a position larger."""

    def on_bar(self, bar: Bar, account: Account) -> None:
        """Look at a bar before the strategy does."""

    def aim(self, i: int, target: float, account: Account) -> float:
        """What to aim at when the strategy aims at `target` units of instrument `i`."""
        return target

    def outcome(self, i: int, account: Account) -> int:
        """ACCEPTED, or why a larger position in instrument `i` is refused now."""
        return ACCEPTED
