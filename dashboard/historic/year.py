"""A year of days as a calendar: what a wallet made on each beyond buying and holding, in seven steps."""

from bisect import bisect_left
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from django.utils.translation import gettext as _

from dashboard.core.numbers import MINUS, percent_text
from dashboard.gateway.historic import DayValue

STEPS = (0.0005, 0.005, 0.02)  # of what is beyond holding: up to the first is none, then 1, 2 and 3 in either direction


@dataclass(frozen=True)
class DayResult:
    """Returns of one UTC day as fractions, since the last day before it with a value; None is not known."""

    day: date
    own: float | None
    held: float | None

    @property
    def lead(self) -> float | None:
        """Beyond buying and holding."""
        return None if self.own is None or self.held is None else self.own - self.held

    @property
    def step(self) -> int | None:
        """From -3, far behind holding, to 3, far ahead."""
        if self.lead is None:
            return None
        size = bisect_left(STEPS, abs(self.lead))
        return size if self.lead > 0 else -size

    @property
    def sign(self) -> str:
        """The step with its sign: colour is never alone."""
        if self.step is None:
            return "?"
        return "=" if self.step == 0 else f"{'+' if self.step > 0 else MINUS}{abs(self.step)}"

    @property
    def title(self) -> str:
        """The day and both returns in words."""
        texts = ("—" if one is None else percent_text(one, signed=True) for one in (self.own, self.held))
        own, held = texts
        return str(_("%(day)s: algorithm %(own)s, buy and hold %(held)s") % {"day": self.day, "own": own, "held": held})

    @property
    def colour(self) -> str:
        """The class of the style sheet."""
        if self.step is None:
            return "unknown"
        return "level" if self.step == 0 else f"{'ahead' if self.step > 0 else 'behind'}{abs(self.step)}"


def results_by_day(values: Sequence[DayValue]) -> dict[date, DayResult]:
    """The returns of each day with a value.

    Args:
        values: oldest first; the first is what the first day is measured from.
    """
    found = {}
    for before, after in pairwise(values):
        if after.day is not None:
            own = _return(before.growth, after.growth)
            found[after.day] = DayResult(after.day, own, _return(before.benchmark, after.benchmark))
    return found


def _return(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None or before <= 0 else after / before - 1


def months_of(year: int, results: dict[date, DayResult]) -> list[list[DayResult | None]]:
    """The days of each month, January first; None for a day without a value."""
    return [
        [results.get(date(year, month, day)) for day in range(1, monthrange(year, month)[1] + 1)]
        for month in range(1, 13)
    ]
