"""Splits and dividends of an instrument, as events of the bars in which they take effect."""

from dataclasses import dataclass

import numpy as np

from strades_pipelines.engine.columns import Columns, Floats, Integers
from strades_pipelines.strategy.events import ACTION, ACTION_AT_OPEN


@dataclass(frozen=True)
class Actions:
    """Corporate actions in the order of their bars, arrays of shape (n,).

    `time` is when the bar is known in which they take effect, microseconds UTC; `at_open` whether they do before the
    orders of that bar are done, else after them; `ratio` the new units for an old one, 1 for none; `amount` the cash a
    unit, after the split, in the instrument's currency, 0 for none.
    """

    time: Integers
    at_open: Integers
    ratio: Floats
    amount: Floats

    def __len__(self) -> int:
        return len(self.time)

    def columns(self, i: int) -> Columns:
        """As events of instrument `i`."""
        n = len(self.time)
        kind = np.where(self.at_open, ACTION_AT_OPEN, ACTION).astype(np.int8)
        zero, which, none = np.zeros(n), np.full(n, i, np.int32), np.zeros(n, np.int64)
        return Columns(kind, which, self.time, none, self.ratio, self.amount, zero, zero, zero)

    def ratio_after(self, time: Integers) -> Floats:
        """How many units of the end a unit of each time has become, shape of `time`.

        A bar, or what was done when it became known, is in new units from the bar of the split on.
        """
        later = np.append(np.cumprod(self.ratio[::-1])[::-1], 1.0)
        return np.asarray(later[np.searchsorted(self.time, time, side="right")])

    def total_return(self, time: Integers, close: Floats) -> Floats:
        """What a unit bought at the first close is worth at each, dividends reinvested; shape (n,), starts at close[0].

        A dividend multiplies the units by 1 / (1 - amount / the close before, in new units), as adjusted closes do
        (CRSP's and Yahoo's convention). Inside a longer bar it is in the units of all splits of that bar.
        """
        units = np.ones(len(time))
        for at, ratio, amount in zip(self.time.tolist(), self.ratio.tolist(), self.amount.tolist(), strict=True):
            k = int(np.searchsorted(time, at))
            if 0 < k < len(time):
                splits = self.ratio[self.time == at].prod()
                units[k:] *= ratio / (1.0 - amount * splits / close[k - 1])
        return close * units
