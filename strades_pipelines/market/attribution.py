"""Attribution of an account's P&L to its listings: P&L over time, and round trips. The P&Ls sum to that of the account.

The P&L of a listing at a time is the proceeds of its sales less the cost of its purchases and its fees, plus the value
of its position (the accounting identity of Brinson, Hood and Beebower's attribution for a book that starts in cash).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import numpy.typing as npt

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.cost_basis import sum_exact
from strades_pipelines.market.rounding import EXACT

PRICE_UNIT = Decimal("0.0000000001")
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Contribution:
    """One listing of an account at each of n times: units held, their value, P&L since the start; shape (n,)."""

    quantity: Floats
    value: Floats
    pnl: Floats


@dataclass(frozen=True)
class RoundTrip:
    """The fills of one listing between two flat positions, oldest first, at least one; money in its currency."""

    fills: tuple[Fill, ...]
    is_closed: bool

    @property
    def side(self) -> str:
        """long or short, by the first fill."""
        return "long" if self.fills[0].side == "buy" else "short"

    @property
    def quantity(self) -> Decimal:
        """Units of all fills on the side that opened it."""
        return self._total(is_entry=True)[0]

    @property
    def entry_price(self) -> Decimal:
        """Average price of the fills on the side that opened it, to ten decimals, fees apart."""
        units, value = self._total(is_entry=True)
        return EXACT.divide(value, units).quantize(PRICE_UNIT, ROUND_HALF_EVEN, EXACT)

    @property
    def exit_price(self) -> Decimal | None:
        """Average price of the fills on the other side; None without one."""
        units, value = self._total(is_entry=False)
        return EXACT.divide(value, units).quantize(PRICE_UNIT, ROUND_HALF_EVEN, EXACT) if units else None

    @property
    def fees(self) -> Decimal:
        """The fees of all fills; without those in a currency without a known rate."""
        return sum_exact(fill.fee_cost or Decimal(0) for fill in self.fills)

    @property
    def profit(self) -> Decimal | None:
        """Profit after fees; None while the round trip is open."""
        return sum_exact(fill.cash_after_fee for fill in self.fills) if self.is_closed else None

    def _total(self, *, is_entry: bool) -> tuple[Decimal, Decimal]:
        own = [fill for fill in self.fills if (fill.side == self.fills[0].side) == is_entry]
        return sum_exact(fill.quantity for fill in own), sum_exact(abs(fill.paid) for fill in own)


def contribution(fills: Sequence[Fill], known: Integers, times: Integers, closes: Floats) -> Contribution:
    """Position, value and P&L of a listing at each of `times`.

    Args:
        fills: of this listing, oldest first.
        known: when each fill was known, in the unit of `times`, shape (fills,).
        times: ascending, shape (n,).
        closes: the last close at each time, NaN before the first; shape (n,).
    """
    done = np.searchsorted(known, times, side="right")
    held = _running([fill.units for fill in fills])[done]
    paid = _running([fill.cash for fill in fills])[done]
    # Of nothing held, a price that is not known yet is no matter.
    value = np.where(held == 0, 0.0, held * np.where(np.isnan(closes), 0.0, closes))
    return Contribution(held, value, paid + value)


def _running(amounts: Sequence[Decimal]) -> Floats:
    """The sums of the first 0, 1, 2 ... amounts, added exactly and then converted to floats."""
    total, sums = Decimal(0), [0.0]
    for amount in amounts:
        total += amount
        sums.append(float(total))
    return np.array(sums)


def round_trips(fills: Sequence[Fill]) -> list[RoundTrip]:
    """The round trips of one listing, from a flat position to the next flat one; the last may be open.

    Args:
        fills: of this listing, in the order in which they became known.
    """
    trips: list[RoundTrip] = []
    own: list[Fill] = []
    held = Decimal(0)
    for fill in fills:
        own.append(fill)
        held += fill.units
        if held == 0:
            trips.append(RoundTrip(tuple(own), is_closed=True))
            own = []
    return [*trips, RoundTrip(tuple(own), is_closed=False)] if own else trips
