"""Positions by owner: what each strategy's fills left behind, where several share an account. Pure.

Each owner has its own average cost, as if it held its units alone. An account's position is the sum of its owners', in
units, cost and profit, to the last digit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import AVERAGE_UNIT, ZERO, Position
from strades_pipelines.market.cost_basis import sum_exact
from strades_pipelines.market.rounding import EXACT
from strades_pipelines.market.split_arithmetic import Split, in_turn

Key = tuple[str, int]  # the owner and the listing


@dataclass(frozen=True)
class Owned:
    """Positions by owner and listing, and by split whose the fraction was that came to no lot."""

    positions: Mapping[Key, Position]
    fractions: Mapping[str, str]

    def by_listing(self) -> dict[int, Position]:
        """The account's positions."""
        listings = dict.fromkeys(listing_id for _, listing_id in self.positions)
        return {
            listing_id: combined(position for key, position in self.positions.items() if key[1] == listing_id)
            for listing_id in listings
        }


def owned_positions(fills: Sequence[Fill], owners: Mapping[str, str], splits: Sequence[Split]) -> Owned:
    """The positions that fills and splits leave behind.

    Args:
        fills: in the order in which they were booked.
        owners: by the content id of a fill; one that is absent is of the owner ''.
    """
    positions: dict[Key, Position] = {}
    fractions: dict[str, str] = {}
    for event in in_turn(fills, splits):
        if not isinstance(event, Split):
            key = owners.get(event.content_id, ""), event.listing_id
            positions[key] = positions.get(key, Position()).after(event)
            continue
        own = [key for key in positions if key[1] == event.listing_id]
        # The largest owner takes what is less than a lot: one payment stays one.
        largest = max(own, key=lambda key: positions[key].quantity, default=None)
        for key in own:
            part = event if key == largest else replace(event, taken=ZERO, cash=ZERO)
            positions[key] = positions[key].after_split(part)
        if largest is not None and event.taken:
            fractions[event.movement_id] = largest[0]
    return Owned(positions, fractions)


def combined(positions: Iterable[Position]) -> Position:
    """The sum of owners' positions in one listing."""
    parts = list(positions)
    if len(parts) == 1:
        return parts[0]
    quantity = sum_exact(part.quantity for part in parts)
    paid = sum_exact(EXACT.multiply(part.quantity, part.average_price) for part in parts)
    average = (paid / quantity).quantize(AVERAGE_UNIT, rounding=ROUND_HALF_EVEN) if quantity else ZERO
    return Position(
        quantity,
        average,
        sum_exact(part.cost for part in parts),
        sum_exact(part.realised for part in parts),
    )


def own_cash(budget: Decimal, positions: Iterable[Position]) -> Decimal:
    """What is left of an owner's money: what its fills brought less what they paid is their profit less their cost."""
    return sum_exact([budget, *(EXACT.subtract(part.realised, part.cost) for part in positions)])
