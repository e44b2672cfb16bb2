from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.analysis.validation import backtest_paths, combinatorial_purged, walk_forward


def test_walking_forward_by_hand() -> None:
    splits = [(split.train.tolist(), split.test.tolist()) for split in walk_forward(10, train=4, test=3, purge=1)]
    assert splits == [([0, 1, 2], [4, 5, 6]), ([3, 4, 5], [7, 8, 9])]


def test_anchored_windows_begin_at_the_beginning_and_the_last_may_be_short() -> None:
    splits = list(walk_forward(9, train=4, test=3, anchored=True))
    assert [split.train.tolist() for split in splits] == [list(range(4)), list(range(7))]
    assert splits[-1].test.tolist() == [7, 8]


@given(st.integers(1, 80), st.integers(2, 20), st.integers(1, 10), st.integers(0, 1))
def test_every_row_after_the_first_window_is_judged_once_by_its_past(n: int, train: int, test: int, purge: int) -> None:
    splits = list(walk_forward(n, train=train, test=test, purge=purge))
    assert [row for split in splits for row in split.test] == list(range(train, n))
    for split in splits:
        assert split.train[-1] == split.test[0] - purge - 1
        assert len(split.train) == train - purge


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"train": 0, "test": 1}, "train: expected 1"), ({"train": 3, "test": 1, "purge": 3}, "purge: expected less")],
)
def test_windows_that_hold_nothing_are_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(walk_forward(10, **arguments))  # type: ignore[arg-type]


def test_six_groups_two_judged_are_fifteen_splits_and_five_paths() -> None:
    """Lopez de Prado 2018, section 12.3 and figure 12.1."""
    assert len(list(combinatorial_purged(60, groups=6, test_groups=2))) == 15
    assert backtest_paths(6, 2).shape == (5, 6)


@pytest.mark.parametrize(("groups", "chosen"), [(5, 1), (6, 3), (10, 2)])
def test_paths_use_every_split_for_every_group_it_judges_once(groups: int, chosen: int) -> None:
    splits = list(combinatorial_purged(groups * 2, groups=groups, test_groups=chosen))
    paths = backtest_paths(groups, chosen)
    assert paths.shape == (comb(groups - 1, chosen - 1), groups)
    for group in range(groups):
        assert sorted(paths[:, group]) == [k for k, split in enumerate(splits) if group in split.groups]


def test_purge_and_embargo_by_hand() -> None:
    """Outcomes two rows ahead; rows 4 to 7 judged: 2 and 3 reach into them, 8 and 9 lie in their outcomes, 10 after."""
    ends = np.minimum(np.arange(12) + 2, 11)
    split = next(
        s for s in combinatorial_purged(12, groups=3, test_groups=1, label_end=ends, embargo=1) if s.groups == (1,)
    )
    assert split.test.tolist() == [4, 5, 6, 7]
    assert split.train.tolist() == [0, 1, 11]


lengths = st.lists(st.integers(0, 6), min_size=12, max_size=40)


@given(lengths, st.integers(0, 5), st.integers(1, 2))
def test_no_row_fitted_on_shares_a_moment_with_one_judged(spans: list[int], embargo: int, chosen: int) -> None:
    n = len(spans)
    ends = np.minimum(np.arange(n) + spans, n - 1)
    for split in combinatorial_purged(n, groups=4, test_groups=chosen, label_end=ends, embargo=embargo):
        judged = {moment for row in split.test for moment in range(row, ends[row] + 1)}
        assert not any(judged & set(range(row, ends[row] + 1)) for row in split.train)
        assert not any(0 < row - ends[test] <= embargo and row > test for row in split.train for test in split.test)


def test_what_is_not_touched_is_kept() -> None:
    for split in combinatorial_purged(20, groups=5, test_groups=2):
        assert sorted([*split.train, *split.test]) == list(range(20))


@pytest.mark.parametrize(("n", "groups", "chosen"), [(10, 5, 5), (10, 5, 0), (4, 5, 2)])
def test_splits_that_cannot_be_are_refused(n: int, groups: int, chosen: int) -> None:
    with pytest.raises(ValueError, match="test_groups < groups"):
        list(combinatorial_purged(n, groups=groups, test_groups=chosen))


@pytest.mark.parametrize("ends", [[0, 1], [1, 0, 2, 3]])
def test_an_outcome_before_its_row_is_refused(ends: list[int]) -> None:
    with pytest.raises(ValueError, match="label_end"):
        list(combinatorial_purged(4, groups=2, test_groups=1, label_end=np.array(ends)))
