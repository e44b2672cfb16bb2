"""Which rows to fit on and which to judge on: sets of row indices, so that nothing judged was learned from.

`label_end` says for each row the last row that its outcome depends on (a position entered at row j and held five bars:
j + 5). Rows whose outcome reaches into what is judged are purged from what is fitted; rows just after it, which its
outcomes may still echo in, are embargoed. Lopez de Prado 2018, "Advances in Financial Machine Learning", ch. 7, 12.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from strades_pipelines.analysis.arrays import Bools, Ints


@dataclass(frozen=True)
class Split:
    """Rows to fit on and rows to judge on, ascending; `groups` are the judged groups of a combinatorial split."""

    train: Ints
    test: Ints
    groups: tuple[int, ...] = ()


def walk_forward(
    n: int, *, train: int, test: int, step: int | None = None, purge: int = 0, anchored: bool = False
) -> Iterator[Split]:
    """Fit on the past, judge on what comes next, move on.

    Args:
        n: rows in all.
        train: rows to fit on, before purging.
        test: rows to judge on; the last window may be shorter.
        step: rows to move on; None moves by `test`, so that every row after the first window is judged once.
        purge: rows between the two that are in neither: as many as an outcome reaches ahead.
        anchored: fit on everything since row 0 instead.
    """
    step = test if step is None else step
    for name, value, least in (("train", train, 1), ("test", test, 1), ("step", step, 1), ("purge", purge, 0)):
        if value < least:
            raise ValueError(f"{name}: expected {least} or more, was {value}")
    if purge >= train:
        raise ValueError(f"purge: expected less than train ({train}), was {purge}")
    for start in range(train, n, step):
        first = 0 if anchored else start - train
        yield Split(np.arange(first, start - purge), np.arange(start, min(start + test, n)))


def combinatorial_purged(
    n: int, *, groups: int = 6, test_groups: int = 2, label_end: Ints | None = None, embargo: int = 0
) -> Iterator[Split]:
    """Every choice of `test_groups` of `groups` blocks to judge on, the rest, purged and embargoed, to fit on.

    Args:
        label_end: shape (n,), the last row each row's outcome depends on; None: the row itself.
        embargo: rows after the outcomes of a judged block that are not fitted on.

    Yields:
        groups choose test_groups splits, which `backtest_paths` puts together to whole histories.
    """
    if not 1 <= test_groups < groups <= n:
        raise ValueError(f"expected 1 <= test_groups < groups <= n, was {test_groups}, {groups}, {n}")
    ends = np.arange(n) if label_end is None else np.asarray(label_end, np.int64)
    if ends.shape != (n,) or np.any(ends < np.arange(n)):
        raise ValueError("label_end: expected one row for each row, not before it")
    blocks = np.array_split(np.arange(n), groups)
    for chosen in combinations(range(groups), test_groups):
        kept = np.ones(n, bool)
        for group in chosen:
            kept &= _clear_of(blocks[group], ends, embargo)
        yield Split(np.flatnonzero(kept), np.concatenate([blocks[group] for group in chosen]), chosen)


def backtest_paths(groups: int, test_groups: int) -> Ints:
    """Which split judges which group on which path, shape (paths, groups).

    Each path is one whole history made of judged blocks only; there are C(groups - 1, test_groups - 1) of them.
    """
    splits = list(combinations(range(groups), test_groups))
    return np.array([[s for s, chosen in enumerate(splits) if group in chosen] for group in range(groups)]).T


def _clear_of(block: Ints, ends: Ints, embargo: int) -> Bools:
    """Rows whose span [row, its label end] does not meet the block's, nor begins within the embargo after it."""
    rows = np.arange(len(ends))
    clear: Bools = (ends < block[0]) | (rows > int(np.max(ends[block])) + embargo)
    return clear
