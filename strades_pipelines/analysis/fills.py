"""What was bought and sold, as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from strades_pipelines.analysis.arrays import Floats, Ints, floats, instants, same_length


@dataclass(frozen=True)
class Fills:
    """Fills in the order they were made, each array of shape (n,).

    time: int64, microseconds UTC; i: the instrument; quantity: signed units; price: per unit; fee: money, a rebate is
    negative; multiplier: money per unit and point of price.
    """

    time: Ints
    i: Ints
    quantity: Floats
    price: Floats
    fee: Floats
    multiplier: Floats

    @classmethod
    def of(
        cls,
        time: npt.ArrayLike,
        i: npt.ArrayLike,
        quantity: npt.ArrayLike,
        price: npt.ArrayLike,
        fee: npt.ArrayLike = 0.0,
        multiplier: npt.ArrayLike = 1.0,
    ) -> "Fills":
        """From anything array-like; fee and multiplier may be one number for all.

        Raises:
            ValueError: for lengths that differ, times that run backwards, and a row without a quantity or a price.
        """
        moments = instants(time)
        fees, multipliers = (np.full(len(moments), x) if np.ndim(x) == 0 else x for x in (fee, multiplier))
        fills = cls(
            moments, np.asarray(i, np.int64), floats(quantity), floats(price), floats(fees), floats(multipliers)
        )
        same_length(**{field.name: getattr(fills, field.name) for field in fields(cls)})
        good = np.isfinite(fills.quantity) & (fills.quantity != 0) & np.isfinite(fills.price)
        if not np.all(good):
            row = int(np.argmin(good))
            was = f"quantity {fills.quantity[row]}, price {fills.price[row]}"
            raise ValueError(f"fills: expected a quantity other than 0 and a finite price, was {was} at row {row}")
        return fills

    def __len__(self) -> int:
        return len(self.time)

    @property
    def notional(self) -> Floats:
        """Money that changed hands, shape (n,), >= 0."""
        return np.abs(self.quantity * self.price * self.multiplier)

    def by_instrument(self) -> Iterator[tuple[int, "Fills"]]:
        """(instrument, its fills in order), by instrument."""
        order = np.argsort(self.i, kind="stable")
        ordered = {field.name: getattr(self, field.name)[order] for field in fields(self)}
        edges = np.flatnonzero(np.diff(ordered["i"], prepend=-1, append=-1)) if len(self) else np.zeros(0, np.int64)
        for start, end in pairwise(edges):
            yield int(ordered["i"][start]), Fills(**{name: column[start:end] for name, column in ordered.items()})
