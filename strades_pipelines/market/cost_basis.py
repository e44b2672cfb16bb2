"""Cost basis: what the units held were bought for, and what those sold brought, first in first out or on average.

Fees are part of the cost of a purchase and taken off the proceeds of a sale (IRS Publication 551, "Stocks and Bonds";
HMRC HS284, "allowable costs"). `fifo` sells the oldest units first (IRS Publication 550, "Identification not
possible"); `average` spreads the cost over all units held (HMRC HS284, the section 104 holding).

Amounts are exact. Where a lot is sold in part, its part of the cost is rounded to ten decimals and the rest stays with
the lot, so that the profits of a position that was closed add up to its cash flow to the last digit, by either method.
A short position works the same way: its lots have negative units, and the cost is what they brought, negative.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.rounding import EXACT, scaled
from strades_pipelines.market.split_arithmetic import Split, in_turn

FIFO, AVERAGE = "fifo", "average"
METHODS = (FIFO, AVERAGE)
COST_UNIT = Decimal("0.0000000001")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Lot:
    """Units that were opened together, negative when short, and what they cost, fees in."""

    opened_at: datetime
    units: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Disposal:
    """Units of one lot that were closed at one time; `units` has the lot's sign."""

    opened_at: datetime
    closed_at: datetime
    units: Decimal
    proceeds: Decimal
    cost: Decimal

    @property
    def profit(self) -> Decimal:
        """What they brought beyond what they cost."""
        return EXACT.subtract(self.proceeds, self.cost)


class CostBasis:
    """The lots of one instrument.

    Args:
        method: fifo or average. On average there is one lot, as old as its oldest unit.
        lots: what is held already, oldest first.
    """

    def __init__(self, method: str, lots: Iterable[Lot] = ()) -> None:
        if method not in METHODS:
            raise ValueError(f"cost basis: expected one of {', '.join(METHODS)}, was {method!r}")
        self.method, self.lots = method, deque(lots)

    @property
    def units(self) -> Decimal:
        """Units held, negative when short."""
        return sum_exact(lot.units for lot in self.lots)

    @property
    def cost(self) -> Decimal:
        """What they cost, fees in."""
        return sum_exact(lot.cost for lot in self.lots)

    def trade(self, at: datetime, units: Decimal, cash: Decimal) -> list[Disposal]:
        """Take a trade in; returns what it closed, one entry a lot.

        Args:
            units: the change of the position.
            cash: what came in for them, fees off; negative where they were paid for.
        """
        closed = []
        while self.lots and units * self.lots[0].units < 0:
            lot = self.lots.popleft()
            done = min(abs(units), abs(lot.units)).copy_sign(lot.units)
            proceeds, cost = _part(cash, done, -units), _part(lot.cost, done, lot.units)
            closed.append(Disposal(lot.opened_at, at, done, proceeds, cost))
            units, cash = EXACT.add(units, done), EXACT.subtract(cash, proceeds)
            if done != lot.units:
                rest = EXACT.subtract(lot.units, done), EXACT.subtract(lot.cost, cost)
                self.lots.appendleft(Lot(lot.opened_at, *rest))
        if units:
            self._open(Lot(at, units, -cash))
        elif cash:  # a fee took all the units, say
            closed.append(Disposal(at, at, ZERO, cash, ZERO))
        return closed

    def split(self, split: Split) -> list[Disposal]:
        """Take a split in: as much cost for other units; returns what paid out the fraction that is no lot."""
        self.multiply(split.ratio)
        return self.trade(split.at, -split.taken, split.cash) if split.taken else []

    def multiply(self, ratio: Fraction) -> None:
        """Each unit becomes `ratio` units; the newest lot takes what rounding leaves."""
        whole = scaled(self.units, ratio)
        self.lots = deque(Lot(lot.opened_at, scaled(lot.units, ratio), lot.cost) for lot in self.lots)
        if self.lots:
            last = self.lots.pop()
            rest = EXACT.subtract(whole, EXACT.add(self.units, last.units))
            self.lots.append(Lot(last.opened_at, EXACT.add(last.units, rest), last.cost))

    def _open(self, lot: Lot) -> None:
        if self.method == AVERAGE and self.lots:
            held = self.lots.pop()
            lot = Lot(held.opened_at, EXACT.add(held.units, lot.units), EXACT.add(held.cost, lot.cost))
        self.lots.append(lot)


def take_fills(
    fills: Iterable[Fill], method: str, splits: Sequence[Split] = ()
) -> dict[int, tuple[CostBasis, list[Disposal]]]:
    """The lots and disposals of each listing after fills and splits, which are taken in the order of their times."""
    found: dict[int, tuple[CostBasis, list[Disposal]]] = {}
    for event in in_turn(sorted(fills, key=lambda fill: fill.filled_at), splits):
        basis, disposals = found.setdefault(event.listing_id, (CostBasis(method), []))
        if isinstance(event, Split):
            disposals += basis.split(event)
        else:
            disposals += basis.trade(event.filled_at, event.units, event.cash_after_fee)
    return found


def unvalued_fees(fills: Iterable[Fill]) -> dict[str, Decimal]:
    """The fees that are in no cost, since no rate of their currency was known, by currency."""
    found: dict[str, Decimal] = {}
    for fill in fills:
        if fill.fee and fill.fee_cost is None:
            currency = fill.fee_currency or fill.currency
            found[currency] = EXACT.add(found.get(currency, ZERO), fill.fee)
    return found


def sum_exact(amounts: Iterable[Decimal]) -> Decimal:
    """A sum that keeps all digits."""
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def _part(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    if part == whole:
        return amount
    return EXACT.divide(EXACT.multiply(amount, part), whole).quantize(COST_UNIT, ROUND_HALF_EVEN, EXACT)
