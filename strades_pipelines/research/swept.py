"""The result of a sweep: its sets, best first, and how significant the best of them is."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from strades_pipelines.analysis import sensitivity, significance
from strades_pipelines.analysis.trials import Trial
from strades_pipelines.engine.columns import Floats
from strades_pipelines.research.study import Study
from strades_pipelines.simulation.grid import combinations
from strades_pipelines.simulation.runner import Outcome
from strades_pipelines.strategy.registry import code_hash
from strades_pipelines.strategy.strategy import Strategy

# By what a table may be sorted, and whether more of it is better.
FIGURES = {"sharpe": 1.0, "equity": 1.0, "drawdown": -1.0, "fills": 1.0}
DIMENSIONS = 4  # of a grid whose neighbourhoods are looked at


@dataclass(frozen=True)
class Swept:
    """The outcomes of a sweep, in the order of the sets.

    varied: the values of each parameter, whose combinations the sets are. first: a strategy with the first set that
    its constructor takes. days_per_year: what the Sharpe ratios are annualised with. sort: the figure that says which
    is best.
    """

    study: Study
    varied: Mapping[str, Sequence[Any]]
    outcomes: Sequence[Outcome]
    mode: str
    not_compiled: str | None
    first: Strategy
    days_per_year: float
    seconds: float
    sort: str

    @cached_property
    def code_hash(self) -> str:
        """SHA-256 over the code that made the outcomes."""
        return code_hash(self.first)

    def sets(self) -> Iterator[dict[str, Any]]:
        """The sets in their order."""
        return iter(combinations(self.varied))

    def figure(self, outcome: Outcome, name: str) -> float:
        """A figure of an outcome: sharpe is of a year."""
        if name == "sharpe":
            return outcome.sharpe * math.sqrt(self.days_per_year)
        return float(getattr(outcome, name)) if outcome.skipped is None else math.nan

    def grid(self) -> Floats:
        """What the sets are sorted by, in the shape of the varied parameters; nan where there is no result."""
        values = np.array([self.figure(outcome, self.sort) for outcome in self.outcomes], np.float64)
        return values.reshape([len(held) for held in self.varied.values()])

    def ranked(self) -> list[int]:
        """The numbers of the sets with a result, best first; equal ones in their order."""
        better = FIGURES[self.sort]
        done = [k for k, outcome in enumerate(self.outcomes) if outcome.skipped is None]

        def key(k: int) -> tuple[bool, float]:
            # nan has no order: sets without the figure come last.
            value = self.figure(self.outcomes[k], self.sort)
            return (math.isnan(value), -better * value if not math.isnan(value) else 0.0)

        return sorted(done, key=key)

    def chosen(self, number: int) -> dict[str, Any]:
        """The set of this number."""
        place = np.unravel_index(number, [len(held) for held in self.varied.values()])
        return {name: held[int(k)] for (name, held), k in zip(self.varied.items(), place, strict=True)}

    def plateau(self) -> dict[str, Any] | None:
        """The set whose whole neighbourhood is best, the choice that leans on no single number; None for no result."""
        grid = FIGURES[self.sort] * self.grid()
        if grid.ndim > DIMENSIONS or not np.isfinite(grid).any():
            return None
        at = np.ravel_multi_index(sensitivity.stability(grid).plateau, grid.shape)
        return self.chosen(int(at))

    def trials(self) -> list[Trial]:
        """Every set with a result as one of the trials on the data; its Sharpe ratio is of a day."""
        return [
            Trial(
                data_hash=self.study.data_hash,
                code_hash=self.code_hash,
                strategy=self.study.strategy.title(),
                parameters={**self.first.parameters, **chosen},
                sharpe=outcome.sharpe if math.isfinite(outcome.sharpe) else None,
                n=outcome.days,
                options=self.study.options,
                periods_per_year=self.days_per_year if math.isfinite(self.days_per_year) else None,
                total_return=outcome.equity / self.study.terms.cash - 1.0,
            )
            for chosen, outcome in zip(self.sets(), self.outcomes, strict=True)
            if outcome.skipped is None
        ]

    def deflated(self, trials: Sequence[Trial]) -> float:
        """The probability that the best set's true Sharpe ratio is above what the best of all trials shows by luck."""
        if self.sort != "sharpe" or not (ranked := self.ranked()):
            return math.nan
        best = self.outcomes[ranked[0]]
        moments = significance.Moments(best.days, best.sharpe)
        daily = daily_sharpes(trials, self.days_per_year)
        return significance.deflated_sharpe_ratio(
            moments, max(1, len(trials)), significance.variance_of_trials(daily, moments)
        )


def daily_sharpes(trials: Sequence[Trial], days_per_year: float) -> list[float | None]:
    """The Sharpe ratio of a day of each trial, whatever periods it was taken from."""
    return [
        None if one.sharpe is None else one.sharpe * math.sqrt((one.periods_per_year or days_per_year) / days_per_year)
        for one in trials
    ]


def document(swept: Swept, trials: Sequence[Trial]) -> dict[str, Any]:
    """The document of `strades sweep --json`: sets best first, and what was skipped."""
    plain = _finite_or_none
    rows = [
        {
            "parameters": swept.chosen(k),
            "equity": plain(one.equity),
            "fills": one.fills,
            "drawdown": plain(one.drawdown),
            "sharpe": plain(swept.figure(one, "sharpe")),
            "days": one.days,
        }
        for k in swept.ranked()
        for one in [swept.outcomes[k]]
    ]
    skipped = [
        {"parameters": swept.chosen(k), "reason": one.skipped}
        for k, one in enumerate(swept.outcomes)
        if one.skipped is not None
    ]
    return {
        "strategy": swept.study.strategy.title(),
        "parameters": dict(swept.study.parameters),
        "varied": {name: list(values) for name, values in swept.varied.items()},
        "sort": swept.sort,
        "sets": rows,
        "skipped": skipped,
        "plateau": swept.plateau(),
        "dsr": plain(swept.deflated(trials)),
        "trials": len(trials),
        "mode": swept.mode,
        "not_compiled": swept.not_compiled,
        "seconds": swept.seconds,
        "data_hash": swept.study.data_hash,
        "code_hash": swept.code_hash,
        "options": dict(swept.study.options),
    }


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
