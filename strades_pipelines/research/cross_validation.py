"""What choosing among sets of parameters is worth: chosen on some days, judged on others that the choice did not see.

Every set is run once over all bars; of each day the return is kept. In each split the set with the best Sharpe ratio on
the days to fit on is chosen, and judged by its returns of the days to judge on. Splits, purging and embargo are those
of Lopez de Prado 2018, "Advances in Financial Machine Learning", ch. 7 and 12; see `analysis.validation`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from strades_pipelines.analysis.drawdowns import max_drawdown
from strades_pipelines.analysis.significance import (
    Moments,
    deflated_sharpe_ratio,
    probabilistic_sharpe_ratio,
    variance_of_trials,
)
from strades_pipelines.analysis.validation import Split, backtest_paths
from strades_pipelines.engine.columns import Floats, Integers

FLAT = 1e-12  # a deviation of daily returns below this is rounding


@dataclass(frozen=True)
class Choice:
    """The set that a split chose, by its number, and its Sharpe ratios of a day on the days fitted and judged on."""

    split: Split
    chosen: int
    fitted: float
    judged: float


@dataclass(frozen=True)
class Figures:
    """Of n daily returns: Sharpe ratio of a day, total return, deepest fall (>= 0), and what the ratio is worth.

    psr: the probability that the true ratio is above 0; dsr: above what the best of all trials shows by luck.
    """

    n: int
    sharpe: float
    total_return: float
    drawdown: float
    psr: float
    dsr: float


def sharpes(returns: Floats) -> Floats:
    """The Sharpe ratio of each column of returns, shape (days, sets); 0 for one that does not vary."""
    if len(returns) < 2:
        return np.zeros(returns.shape[1])
    deviation = returns.std(axis=0, ddof=1)
    found = np.zeros(returns.shape[1])
    np.divide(returns.mean(axis=0), deviation, out=found, where=deviation > FLAT)
    return found


def choose(returns: Floats, splits: Sequence[Split]) -> list[Choice]:
    """The choice of each split; of equals, the first set.

    Args:
        returns: shape (days, sets).
    """
    choices = []
    for split in splits:
        fitted = sharpes(returns[split.train])
        best = int(np.argmax(fitted))
        judged = float(sharpes(returns[split.test][:, [best]])[0])
        choices.append(Choice(split, best, float(fitted[best]), judged))
    return choices


def walk(returns: Floats, choices: Sequence[Choice]) -> Floats:
    """The returns of the days judged on, each of the set that was chosen before it; in their order."""
    parts = [returns[choice.split.test, choice.chosen] for choice in choices]
    return np.concatenate(parts) if parts else np.zeros(0)


def paths(returns: Floats, choices: Sequence[Choice], groups: int, test_groups: int) -> Floats:
    """Whole histories of days that were only judged on, shape (paths, days); see `backtest_paths`."""
    blocks = np.array_split(np.arange(len(returns)), groups)
    which = backtest_paths(groups, test_groups)
    rows = [
        np.concatenate([returns[block, choices[split].chosen] for block, split in zip(blocks, row, strict=True)])
        for row in which.tolist()
    ]
    return np.array(rows)


def figures(returns: Floats, trials: Sequence[float | None]) -> Figures:
    """The figures of daily returns, shape (n,).

    Args:
        trials: the Sharpe ratio of a day of every set ever run on the data.
    """
    moments = Moments.of(returns)
    value = np.cumprod(np.append(1.0, 1.0 + returns))
    return Figures(
        len(returns),
        moments.sharpe,
        float(value[-1] - 1.0),
        -max_drawdown(value),
        probabilistic_sharpe_ratio(moments),
        deflated_sharpe_ratio(moments, max(1, len(trials)), variance_of_trials(trials, moments)),
    )


def daily_returns(sessions: Integers, equity: Floats, cash: float) -> tuple[Integers, Floats]:
    """The days since 1970 that have a value, and the return of each; the first is of the cash before it.

    From an account that is worth nothing there are no returns any more: they are 0.
    """
    days = sessions // 86_400_000_000
    last = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    values = np.concatenate([[cash], equity[last]])
    change = np.divide(values[1:], values[:-1], out=np.ones(len(last)), where=values[:-1] > 0.0)
    return days[last], change - 1.0
