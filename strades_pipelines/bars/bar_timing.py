"""When bars open and are final, and how bars are grouped into longer ones."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from strades_pipelines.bad_input import BadInput
from strades_pipelines.engine.columns import Integers

DAY = 86_400_000_000
LAST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Timing:
    """When bars open and are final, microseconds UTC, and the days of their sessions since 1970, shape (n,).

    With a calendar `starts` and `stops` are of the session of each bar; one outside of all sessions has its day's start
    or, where that is later, the close of the session before, and no stop.
    """

    opens: Integers
    closes: Integers
    days: Integers
    starts: Integers | None = None
    stops: Integers | None = None

    def grouped(self, path: Path, interval: int, length: int) -> "tuple[Integers, Timing]":
        """The first bar of each longer bar, and when those are.

        Without a calendar, a longer bar begins at a whole number of lengths since 1970 (UTC). With one it begins at the
        open of a session and whole lengths after it, and ends with the session; of days, it has whole sessions. Where a
        bar lies across such an end, the longer one that it began in has it whole.

        Raises:
            BadInput: the length is no whole number of bars, nor, beyond a day, of days.
        """
        if length < interval or length % interval or (length > DAY and length % DAY and self.starts is not None):
            raise BadInput(f"{path}: --resample: expected a whole number of its bars, of {interval / 1e6:g} s")
        of_days = self.starts is not None and length >= DAY
        if of_days:
            starts = self.days // (length // DAY)
        else:
            start = np.zeros(1, np.int64) if self.starts is None else self.starts
            starts = (self.opens - start) // length * length + start
        first = np.flatnonzero(np.append(True, starts[1:] != starts[:-1]))
        last = np.append(first[1:], len(starts)) - 1
        if of_days:
            # Until its session closes, a trade could still come: where nobody trades at the end it is known no sooner.
            assert self.stops is not None
            return first, replace(self.of(first), closes=np.where(self.stops < LAST, self.stops, self.closes)[last])
        opens, closes = starts[first], starts[first] + length
        if self.stops is not None:
            np.minimum(closes, self.stops[first], out=closes)
        np.minimum(closes[:-1], opens[1:], out=closes[:-1])
        np.maximum(closes, self.closes[last], out=closes)
        np.maximum(opens[1:], closes[:-1], out=opens[1:])
        return first, replace(self.of(first), opens=opens, closes=closes)

    def of(self, rows: Integers) -> "Timing":
        """That of some of the bars."""
        starts, stops = (None if values is None else values[rows] for values in (self.starts, self.stops))
        return Timing(self.opens[rows], self.closes[rows], self.days[rows], starts, stops)
