"""Fills of one instrument cut into the pieces of its trades: a fill through zero is one piece of each."""

from dataclasses import dataclass

import numpy as np

from strades_pipelines.analysis.arrays import Bools, Floats, Ints
from strades_pipelines.analysis.fills import Fills

DUST = 1e-9  # of the instrument's largest fill: what floating-point addition leaves of a closed position


@dataclass(frozen=True)
class Pieces:
    """Pieces of fills, shape (n,), and of which of the m trades they are.

    time, quantity (signed), price, fee, multiplier: as in Fills. entering: the piece adds to the position.
    trade: 0..m-1. first, last: rows of each trade's first and last piece, shape (m,). direction: 1 long, -1 short,
    shape (m,). remaining: signed units not closed, shape (m,): 0 for all but the last, if that one is open.
    """

    time: Ints
    quantity: Floats
    price: Floats
    fee: Floats
    multiplier: Floats
    entering: Bools
    trade: Ints
    first: Ints
    last: Ints
    direction: Ints
    remaining: Floats

    def total(self, values: Floats) -> Floats:
        """Sum of the values of each trade's pieces, shape (m,)."""
        totals: Floats = np.bincount(self.trade, values, len(self.first)).astype(np.float64)
        return totals

    @property
    def entered(self) -> Floats:
        """Units entered, > 0, shape (m,)."""
        return self.total(np.where(self.entering, np.abs(self.quantity), 0.0))

    @property
    def value_entered(self) -> Floats:
        """Units entered times their prices, shape (m,)."""
        return self.total(np.where(self.entering, np.abs(self.quantity) * self.price, 0.0))

    @property
    def money_entered(self) -> Floats:
        """The same in money, >= 0, shape (m,)."""
        return self.total(np.where(self.entering, np.abs(self.quantity * self.price * self.multiplier), 0.0))


def pieces_of(fills: Fills) -> Pieces:
    """The pieces of the fills of one instrument, at least one."""
    position = np.cumsum(fills.quantity)
    position[np.abs(position) <= DUST * np.max(np.abs(fills.quantity))] = 0.0
    before = np.concatenate(([0.0], position[:-1]))
    through = before * position < 0
    rows = np.repeat(np.arange(len(fills)), 1 + through)
    second = np.concatenate(([False], rows[1:] == rows[:-1]))
    closing = through[rows] & ~second
    quantity = np.where(closing, -before[rows], np.where(second, position[rows], fills.quantity[rows]))
    starts = second | (before[rows] == 0)
    return _numbered(fills, rows, quantity, starts, position[-1])


def _numbered(fills: Fills, rows: Ints, quantity: Floats, starts: Bools, remaining: float) -> Pieces:
    trade = np.cumsum(starts) - 1
    first = np.flatnonzero(starts)
    sign = np.sign(quantity).astype(np.int64)
    direction = sign[first]
    return Pieces(
        time=fills.time[rows],
        quantity=quantity,
        price=fills.price[rows],
        fee=fills.fee[rows] * np.abs(quantity / fills.quantity[rows]),
        multiplier=fills.multiplier[rows],
        entering=sign == direction[trade],
        trade=trade,
        first=first,
        last=np.append(first[1:], len(rows)) - 1,
        direction=direction,
        remaining=np.append(np.zeros(len(first) - 1), remaining),
    )
