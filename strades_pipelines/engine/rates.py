"""What the currency of an instrument is worth in the account's, as it becomes known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strades_pipelines.engine.columns import Columns, Floats, Integers
from strades_pipelines.strategy.events import RATE


@dataclass(frozen=True)
class Rates:
    """Rates oldest first, shape (n,): what one unit of the currency costs in the account's from `time` on.

    Microseconds UTC; a rate holds until the next one.
    """

    time: Integers
    rate: Floats

    def at(self, time: Integers) -> Floats:
        """The rate known at each time, of its shape; NaN before the first."""
        known = np.append(np.nan, self.rate)
        return np.asarray(known[np.searchsorted(self.time, time, side="right")])

    def columns(self, i: int, opens: Integers, closes: Integers, instants: Integers) -> Columns:
        """As events of instrument `i`, at those instants at which the rate of the open or of the close changes.

        Args:
            opens, closes: when its bars open and are known, shape (bars,).
            instants: when anything is known of any instrument, rising, its own bars among them.
        """
        closing = self.at(instants)
        opening = closing.copy()
        opening[np.searchsorted(instants, closes)] = self.at(opens)
        changes = _differs_from_before(opening) | _differs_from_before(closing)
        time, opening, closing = instants[changes], opening[changes], closing[changes]
        n, zero = len(time), np.zeros(len(time))
        kind, which = np.full(n, RATE, np.int8), np.full(n, i, np.int32)
        return Columns(kind, which, time, np.zeros(n, np.int64), opening, closing, zero, zero, zero)


def rate_streams(bars: Sequence[tuple[Integers, Integers, Rates | None]]) -> list[Columns]:
    """The events of the rates of instruments, each given as (opens, closes, rates); none of those without rates."""
    if all(rates is None for _, _, rates in bars):
        return []
    instants = np.unique(np.concatenate([closes for _, closes, _ in bars]))
    found = [
        rates.columns(i, opens, closes, instants) for i, (opens, closes, rates) in enumerate(bars) if rates is not None
    ]
    return [one for one in found if len(one)]


def _differs_from_before(rate: Floats) -> np.typing.NDArray[np.bool_]:
    """Where a rate is not the one before it, at first none: two that are not known are the same; shape of `rate`."""
    before = np.append(np.nan, rate[:-1])
    return np.asarray((rate != before) & ~(np.isnan(rate) & np.isnan(before)))
