"""Splits into training and test rows (indices) without leakage: walk-forward, and combinatorial purged.

`label_end` gives for each row the last row that its label depends on (a position entered at row j and held five bars:
j + 5). Training rows whose label overlaps the test rows are purged; training rows just after the test labels, which
may correlate with them, are embargoed. Lopez de Prado 2018, "Advances in Financial Machine Learning", ch. 7, 12.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from strades_pipelines.analysis.arrays import Bools, Ints


@dataclass(frozen=True)
class Split:
    """Training and test rows, ascending; `groups`: the test groups of a combinatorial split."""

    train: Ints
    test: Ints
    groups: tuple[int, ...] = ()


def walk_forward(
    n: int, *, train: int, test: int, step: int | None = None, purge: int = 0, anchored: bool = False
) -> Iterator[Split]:
    """Train on the past, test on the following rows, move on.

    Args:
        n: number of rows.
        train: number of training rows, before purging.
        test: number of test rows; the last window may have fewer.
        step: rows to move on; None moves by `test`, so that every row after the first window is tested once.
        purge: rows between the two that are in neither: as many as a label looks ahead.
        anchored: train on all rows since row 0.
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
    """Every choice of `test_groups` of `groups` blocks to test on; the rest, purged and embargoed, to train on.

    Args:
        label_end: shape (n,), the last row that each row's label depends on; None: the row itself.
        embargo: rows after the labels of a test block that are not trained on.

    Yields:
        C(groups, test_groups) splits, which `backtest_paths` combines into whole histories.
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
    """Which split tests which group on which path, shape (paths, groups).

    Each path is one whole history of test blocks; there are C(groups - 1, test_groups - 1) of them.
    """
    splits = list(combinations(range(groups), test_groups))
    return np.array([[s for s, chosen in enumerate(splits) if group in chosen] for group in range(groups)]).T


def _clear_of(block: Ints, ends: Ints, embargo: int) -> Bools:
    """Rows whose span [row, label end] neither overlaps the block's nor begins in the embargo after it."""
    rows = np.arange(len(ends))
    clear: Bools = (ends < block[0]) | (rows > int(np.max(ends[block])) + embargo)
    return clear
