"""What each listing brought an account: its P&L over time, and its round trips. The listings' P&Ls add up to the whole.

The P&L of a listing at a time is what its sales brought, less what its purchases cost, less its fees, and the value of
what is held (the accounting identity of Brinson, Hood and Beebower's attribution for a book that starts in cash).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from strades_pipelines.market.events import Fill

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Contribution:
    """One listing of an account at each of n times: units held, their worth, P&L since the start; shape (n,)."""

    quantity: Floats
    value: Floats
    pnl: Floats


def contribution(fills: Sequence[Fill], known: Integers, times: Integers, closes: Floats) -> Contribution:
    """What a listing brought at each of `times`.

    Args:
        fills: of this listing, oldest first.
        known: when each fill was known, in the unit of `times`, shape (fills,).
        times: ascending, shape (n,).
        closes: the last close at each time, NaN before the first; shape (n,).
    """
    done = np.searchsorted(known, times, side="right")
    held = _running([fill.units for fill in fills])[done]
    paid = _running([fill.cash for fill in fills])[done]
    value = np.where(held == 0, 0.0, held * np.where(np.isnan(closes), 0.0, closes))
    return Contribution(held, value, paid + value)


def _running(amounts: Sequence[Decimal]) -> Floats:
    """The sums of the first 0, 1, 2 ... amounts, each exact before it becomes a float."""
    total, sums = Decimal(0), [0.0]
    for amount in amounts:
        total += amount
        sums.append(float(total))
    return np.array(sums)


def round_trips(fills: Sequence[Fill]) -> list[Decimal]:
    """What each round trip of one listing brought, fees included: from a flat position to the next flat one."""
    brought: list[Decimal] = []
    held = result = Decimal(0)
    for fill in fills:
        held += fill.units
        result += fill.cash_after_fee
        if held == 0:
            brought.append(result)
            result = Decimal(0)
    return brought
