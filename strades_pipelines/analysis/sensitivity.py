"""How much the result of a sweep leans on one choice of parameters."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from strades_pipelines.analysis.arrays import Floats


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
    # Outside of the grid nothing was run: a set at its edge has fewer neighbours.
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(values, 1, constant_values=np.nan), (3,) * values.ndim)
    around = windows.reshape(*values.shape, -1)
    # The middle of a window is the set itself.
    others = np.delete(around, around.shape[-1] // 2, axis=-1)
    neighbours, smoothed = _mean(others), _mean(around)
    degradation = np.full(values.shape, np.nan)
    np.divide(values - neighbours, np.abs(values), out=degradation, where=values != 0)
    # `nanmin` warns where all are nan.
    worst = np.min(np.where(np.isnan(others), np.inf, others), axis=-1)
    worst[np.isinf(worst)] = np.nan
    # A set that was not run is no plateau.
    smoothed[np.isnan(values)] = np.nan
    return Stability(values, neighbours, worst, degradation, _peak(values), _peak(smoothed))


def _mean(windows: Floats) -> Floats:
    """The mean over the last axis of what is a number there; nan where nothing is."""
    known = ~np.isnan(windows)
    count = known.sum(axis=-1)
    result = np.full(count.shape, np.nan)
    np.divide(np.where(known, windows, 0.0).sum(axis=-1), count, out=result, where=count > 0)
    return result


def _peak(values: Floats) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(np.nanargmax(values), values.shape))
