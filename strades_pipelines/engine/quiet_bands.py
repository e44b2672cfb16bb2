"""Between which prices a bar leaves all orders of an instrument as they are, so that nobody has to look at each."""

import math
from typing import ClassVar

from strades_pipelines.engine.state import EngineState
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.orders import DAY, OPEN


class QuietBands:
    """Owns a band of prices for each instrument, from `low` to `high`; an empty one while nothing is known.

    Most bars touch no order: with a stop and a limit under way, this saves a pass over all orders at each of them.
    """

    references: ClassVar = ("state",)

    def __init__(self, state: EngineState) -> None:
        self.state = state
        self.low = [math.inf] * state.account.size
        self.high = [-math.inf] * state.account.size

    def forget(self, i: int) -> None:
        """An order of instrument `i` changes: its next bar is looked at."""
        self.low[i] = math.inf

    def touches_any_order(self, bar: Bar) -> bool:
        """Whether a bar may fill or change an order of its instrument."""
        if self.state.account.pending[bar.i] != 0.0:
            return True
        low = self.low[bar.i]
        high = self.high[bar.i]
        # At a bound an order may be filled.
        return not (low < bar.low and bar.high < high and low < bar.open < high)

    def keep(self, bar: Bar) -> None:
        """Keep the band of a bar's instrument, each of whose active orders the end of a bar leaves as it is."""
        broker = self.state.broker
        account = self.state.account
        low = -math.inf
        high = math.inf
        for q in range(account.count):
            order = account.orders[account.queue[q]]
            if order.i == bar.i and order.state == OPEN:
                level = order.stop if broker.is_stop(order) else order.limit
                if order.active_from > bar.open_time or order.time_in_force == DAY or math.isnan(level):
                    return
                if broker.is_stop(order) == (order.quantity > 0.0):
                    high = min(high, level)
                else:
                    low = max(low, level)
        self.low[bar.i] = low
        self.high[bar.i] = high
