"""The probability of backtest overfitting, by combinatorially symmetric cross-validation.

Bailey, Borwein, Lopez de Prado and Zhu 2017, "The Probability of Backtest Overfitting".
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from strades_pipelines.analysis.arrays import Floats, Ints

CHUNK = 2_000_000  # numbers held at once: choices x trials


@dataclass(frozen=True)
class Overfitting:
    """Out-of-sample results of the trial that was best in sample, one entry for each choice of half the blocks.

    probability: share of choices whose best trial was no better than the median out of sample. chosen: the trial.
    logits: ln(w / (1 - w)), w its relative rank out of sample. in_sample, out_of_sample: its Sharpe ratios per period.
    slope: of out of sample on in sample, least squares; negative where the best looks worse the better it looked.
    loss: share of choices whose best trial lost money out of sample.
    """

    probability: float
    chosen: Ints
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats
    slope: float
    loss: float


def probability_of_overfitting(returns: npt.ArrayLike, blocks: int = 16) -> Overfitting:
    """The probability of overfitting of trials that were run on the same bars.

    Args:
        returns: shape (T, N): a row a period, a column a trial. A trial that does not vary has a Sharpe ratio of 0.
        blocks: even; rows that do not fill a block are left out at the start. C(blocks, blocks / 2) choices are tried.

    Raises:
        ValueError: for fewer than two trials, an odd number of blocks, fewer than two rows a block, or a nan.
    """
    matrix = np.asarray(returns, np.float64)
    _check(matrix, blocks)
    matrix = matrix[len(matrix) % blocks :]
    centre = matrix.mean(axis=0)
    # Around the mean: of squares of large numbers the difference loses its digits.
    parts = (matrix - centre).reshape(blocks, -1, matrix.shape[1])
    sums, squares = parts.sum(axis=1), np.square(parts).sum(axis=1)
    choices = np.array([np.isin(np.arange(blocks), half) for half in combinations(range(blocks), blocks // 2)])
    step = max(1, CHUNK // matrix.shape[1])
    found = [
        _judge(choices[k : k + step], sums, squares, centre, len(matrix) // 2) for k in range(0, len(choices), step)
    ]
    chosen, logits, inside, outside = (np.concatenate(column) for column in zip(*found, strict=True))
    return Overfitting(
        probability=float(np.mean(logits <= 0)),
        chosen=chosen,
        logits=logits,
        in_sample=inside,
        out_of_sample=outside,
        slope=_slope(inside, outside),
        loss=float(np.mean(outside < 0)),
    )


def _check(matrix: Floats, blocks: int) -> None:
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        raise ValueError(f"returns: expected shape (T, N) with N of 2 or more, was {matrix.shape}")
    if blocks < 2 or blocks % 2 or len(matrix) < 2 * blocks:
        raise ValueError(f"blocks: expected an even number of 2 to {len(matrix) // 2}, was {blocks}")
    if not np.all(np.isfinite(matrix)):
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise ValueError(f"returns: expected finite numbers, was {matrix[row, column]} at row {row}, trial {column}")


def _judge(
    choices: npt.NDArray[np.bool_], sums: Floats, squares: Floats, centre: Floats, n: int
) -> tuple[Ints, Floats, Floats, Floats]:
    inside = _sharpe(choices.astype(np.float64), sums, squares, centre, n)
    outside = _sharpe((~choices).astype(np.float64), sums, squares, centre, n)
    rows = np.arange(len(choices))
    chosen = np.argmax(inside, axis=1)
    own = outside[rows, chosen][:, np.newaxis]
    # The mean rank of equals: a trial among identical ones is at their middle, not at their top.
    rank = np.sum(outside < own, axis=1) + (np.sum(outside == own, axis=1) + 1) / 2
    relative = rank / (outside.shape[1] + 1)
    return chosen, np.log(relative / (1 - relative)), inside[rows, chosen], own[:, 0]


def _sharpe(chosen: Floats, sums: Floats, squares: Floats, centre: Floats, n: int) -> Floats:
    """Sharpe ratios, shape (choices, N), from the blocks' sums around each trial's mean."""
    shift = chosen @ sums / n
    variance = (chosen @ squares - n * shift**2) / (n - 1)
    result = np.zeros_like(variance)
    # What is smaller is rounding, no variation.
    np.divide(shift + centre, np.sqrt(np.maximum(variance, 0)), out=result, where=variance > 1e-30)
    return result


def _slope(inside: Floats, outside: Floats) -> float:
    centred = inside - inside.mean()
    spread = float(centred @ centred)
    return float(centred @ outside) / spread if spread > 0 else np.nan
