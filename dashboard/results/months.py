"""Returns by month and year: a wallet's, those of buying and holding, and the difference."""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.gateway.performance import HeldMonth
from dashboard.gateway.results import SessionReturn
from strades_pipelines.market.account_returns import link


@dataclass(frozen=True)
class MonthlyReturn:
    """Returns over the same span as fractions; None is not known."""

    own: float | None
    held: float | None

    @property
    def lead(self) -> float | None:
        """What the wallet made beyond buying and holding."""
        return None if self.own is None or self.held is None else self.own - self.held


@dataclass(frozen=True)
class YearOfReturns:
    """The returns of a year by month, January first, and of all of it; None is a month without a session."""

    year: int
    months: list[MonthlyReturn | None]
    whole: MonthlyReturn


def returns_by_year(
    sessions: Sequence[SessionReturn], held: Sequence[HeldMonth] = (), capital: float = 0.0
) -> list[YearOfReturns]:
    """The time-weighted returns of each year, newest first, linked over sessions as `strades history` does it.

    Args:
        held: the same capital bought and held, by month, oldest first.
        capital: what it was worth before the first of them.
    """
    own: dict[tuple[int, int], list[float | None]] = {}
    for session in sessions:
        day = session.session_date
        own.setdefault((day.year, day.month), []).append(session.time_weighted)
    holding: dict[tuple[int, int], float | None] = {}
    before = capital
    for month in held:
        holding[month.starts_on.year, month.starts_on.month] = month.benchmark / before - 1 if before > 0 else None
        before = month.benchmark
    found = []
    for year in sorted({year for year, _month in own}, reverse=True):
        keys = [(year, month) for month in range(1, 13)]
        whole = MonthlyReturn(
            link([one for key in keys if key in own for one in own[key]]),
            link([holding.get(key) for key in keys if key in own]),
        )
        months = [MonthlyReturn(link(own[key]), holding.get(key)) if key in own else None for key in keys]
        found.append(YearOfReturns(year, months, whole))
    return found
