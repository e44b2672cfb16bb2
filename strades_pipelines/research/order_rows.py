"""What became of each order, from the rows that a run wrote down."""

from dataclasses import dataclass

import numpy as np

from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.simulation.backtest import Result
from strades_pipelines.strategy.orders import ACCEPTED, FILLED, OPEN, OUTCOMES, STATES, WAITING


@dataclass(frozen=True)
class Orders:
    """The orders by number, arrays of shape (n,).

    When they were decided (microseconds UTC), for how many units, signed, how many of these were done, the state they
    ended in (of `states`) and why (of `OUTCOMES`; one more for no reason).
    """

    number: Integers
    time: Integers
    i: Integers
    quantity: Floats
    filled: Floats
    state: Integers
    reason: Integers
    states: tuple[str, ...] = STATES


def ended_orders(result: Result) -> Orders:
    """Every order that was accepted or refused, with its state at the end of the run."""
    number = result.column("decisions", "order").astype(np.int64)
    made = np.flatnonzero(number > 0)
    made = made[np.argsort(number[made], kind="stable")]
    number = number[made]
    filled = _by_number(number, result.column("fills", "order"), result.column("fills", "quantity"))
    rest, state, reason = _last_change(result, number)
    waiting = _waiting(result, number)
    silent = state < 0  # an order for a target leaves no row while it waits, nor when it is done
    state = np.where(silent, np.where(waiting != 0.0, OPEN, FILLED), state)
    reason = np.where(silent | (reason == ACCEPTED), len(OUTCOMES), reason)
    # What is left is in the row of an order that ended; the row of an open one has all of it.
    left = np.where(silent, waiting, np.where(np.isin(state, (OPEN, WAITING)), rest - filled, rest))
    quantity = filled + np.where(state == FILLED, 0.0, left)
    time = result.column("decisions", "time")[made].astype(np.int64)
    i = result.column("decisions", "i")[made].astype(np.int64)
    return Orders(number, time, i, quantity, filled, state, reason)


def _by_number(number: Integers, of: Floats, values: Floats) -> Floats:
    """The sum of the values by order."""
    place, known = _places(number, of)
    return np.bincount(place, weights=values[known], minlength=len(number)).astype(np.float64)


def _last_change(result: Result, number: Integers) -> tuple[Floats, Integers, Integers]:
    """Quantity left, state and reason of each order's last change; nan and -1 for one that never changed."""
    place, known = _places(number, result.column("orders", "order"))
    rest = np.full(len(number), np.nan)
    state, reason = np.full(len(number), -1), np.full(len(number), -1)
    rest[place] = result.column("orders", "quantity")[known]
    state[place] = result.column("orders", "state")[known].astype(np.int64)
    reason[place] = result.column("orders", "reason")[known].astype(np.int64)
    return rest, state, reason


def _waiting(result: Result, number: Integers) -> Floats:
    """What is left of the orders for targets that are still under way."""
    account = result.account
    under_way = [i for i in range(account.size) if account.pending[i] != 0.0]
    left = np.zeros(len(number))
    place, known = _places(number, np.array([account.pending_number[i] for i in under_way], np.float64))
    left[place] = np.array([account.pending[i] for i in under_way])[known]
    return left


def _places(number: Integers, of: Floats) -> tuple[Integers, Integers]:
    """Where in `number`, which rises, each of `of` is; and which of them are there at all."""
    wanted = of.astype(np.int64)
    place = np.searchsorted(number, wanted)
    known = np.flatnonzero(place < len(number))
    known = known[number[place[known]] == wanted[known]]
    return place[known].astype(np.int64), known.astype(np.int64)
