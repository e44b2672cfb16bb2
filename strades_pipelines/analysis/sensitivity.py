"""How much a result leans on one choice: of parameters, of fees, of a bar's delay, of bars that were filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from strades_pipelines.analysis import drawdowns, returns
from strades_pipelines.analysis.arrays import Floats, floats, instants
from strades_pipelines.analysis.periods import periods_per_year

Curve: TypeAlias = tuple[npt.ArrayLike, npt.ArrayLike]  # times, equity


@dataclass(frozen=True)
class Stability:
    """A grid of results beside their neighbourhoods, all of the grid's shape.

    neighbours: mean of the results next to each, diagonals too, itself not, as many as there are. worst: the worst of
    these. degradation: (result - neighbours) / |result|: near 0 on a plateau, near 1 on a peak that stands alone. best:
    where the result is highest; plateau: where the mean of result and neighbours is, the choice that leans on no single
    number.
    """

    values: Floats
    neighbours: Floats
    worst: Floats
    degradation: Floats
    best: tuple[int, ...]
    plateau: tuple[int, ...]


def stability(grid: npt.ArrayLike) -> Stability:
    """The parameter-stability map of results (higher is better), any number of dimensions; nan is a set not run.

    Raises:
        ValueError: when no result is a number.
    """
    values = np.asarray(grid, np.float64)
    if not np.any(np.isfinite(values)):
        raise ValueError("grid: expected a result, was none")
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 1, constant_values=np.nan), (3,) * values.ndim)
    around = windows.reshape(*values.shape, -1)
    others = np.delete(around, around.shape[-1] // 2, axis=-1)
    neighbours, smoothed = _mean(others), _mean(around)
    degradation = np.full(values.shape, np.nan)
    np.divide(values - neighbours, np.abs(values), out=degradation, where=values != 0)
    worst = np.min(np.where(np.isnan(others), np.inf, others), axis=-1)
    worst[np.isinf(worst)] = np.nan
    smoothed[np.isnan(values)] = np.nan
    return Stability(values, neighbours, worst, degradation, _peak(values), _peak(smoothed))


@dataclass(frozen=True)
class Outcome:
    """One variant's figures, and the change of its total return against the first variant's."""

    name: str
    total_return: float
    sharpe: float
    max_drawdown: float
    change: float


def compare(curves: Mapping[str, Curve]) -> list[Outcome]:
    """Figures of variants of one run, the first the one to compare with: with and without filled bars, for instance."""
    found: list[Outcome] = []
    for name, (times, equity) in curves.items():
        when, value = instants(times), floats(equity)
        total = returns.total_return(value)
        sharpe = returns.sharpe_ratio(returns.simple_returns(value), periods_per_year(when))
        change = total - (found[0].total_return if found else total)
        found.append(Outcome(name, total, sharpe, drawdowns.max_drawdown(value), change))
    return found


@dataclass(frozen=True)
class CostOutcome:
    """The figures under fees times a factor and orders that many bars late."""

    fee_factor: float
    delay_bars: int
    total_return: float
    sharpe: float
    max_drawdown: float
    change: float


def cost_table(
    run: Callable[[float, int], Curve],
    *,
    fee_factors: Sequence[float] = (1.0, 0.0, 2.0, 5.0),
    delays: Sequence[int] = (0, 1, 2),
) -> list[CostOutcome]:
    """Every factor with every delay; the first of both is what `change` compares with.

    Args:
        run: (fee_factor, delay_bars) -> (times, equity).
    """
    cases = {f"{factor} {delay}": (factor, delay) for delay in delays for factor in fee_factors}
    outcomes = compare({name: run(*case) for name, case in cases.items()})
    return [CostOutcome(*cases[o.name], o.total_return, o.sharpe, o.max_drawdown, o.change) for o in outcomes]


def break_even_fee(outcomes: Sequence[CostOutcome]) -> float:
    """The fee factor at which nothing is left, at the least delay, between the factors tried; nan if none does it."""
    least = min(outcome.delay_bars for outcome in outcomes)
    rows = sorted((o.fee_factor, o.total_return) for o in outcomes if o.delay_bars == least)
    for (a, gain), (b, loss) in pairwise(rows):
        if gain > 0 >= loss:
            return a + (b - a) * gain / (gain - loss)
    return float(np.nan)


def _mean(windows: Floats) -> Floats:
    """The mean over the last axis of what is a number there; nan where nothing is."""
    known = ~np.isnan(windows)
    count = known.sum(axis=-1)
    result = np.full(count.shape, np.nan)
    np.divide(np.where(known, windows, 0.0).sum(axis=-1), count, out=result, where=count > 0)
    return result


def _peak(values: Floats) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(np.nanargmax(values), values.shape))
