"""Purging: a training set holds no label that was not known at its cutoff, and forgets none that was."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.predictor.dataset import (
    HASHED_ROWS,
    Training,
    instant,
    read_labelled,
    share_rows,
    timestamp,
    training_set,
)
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.formulas import NAMES
from tests.predictor.made import NOW, Market
from tests.predictor.straightforward import BAR_COLUMNS, label_rows, labelled

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

START = datetime(2020, 1, 1, tzinfo=UTC)
HOURS = st.lists(st.tuples(st.integers(0, 24 * 800), st.integers(1, 24 * 40)), min_size=1, max_size=60)


def rows_of(hours: list[tuple[int, int]]) -> Training:
    """Rows decided so many hours after START, with labels known so many hours later."""
    decided = np.array([timestamp(START + timedelta(hours=at)) for at, _ in hours])
    known = np.array([timestamp(START + timedelta(hours=at + after)) for at, after in hours])
    x = np.full((len(hours), len(NAMES)), 0.5)
    return Training(x, np.arange(len(hours), dtype=np.float64), decided, known, np.ones(len(hours), np.int64))


def part(rows: Training, begin: int, end: int | None = None) -> Training:
    """Some rows after each other."""
    arrays = ("x", "y", "decision_time", "label_known_at", "listing_id")
    return replace(rows, **{name: getattr(rows, name)[begin:end] for name in arrays})


@given(HOURS, st.integers(0, 30), st.integers(1, 12), st.integers(0, 60))
def test_training_set_is_every_label_known_at_the_cutoff_and_no_other(
    hours: list[tuple[int, int]], cutoff_months: int, months: int, border: int
) -> None:
    cutoff = (pd.Timestamp(START) + pd.DateOffset(months=cutoff_months)).to_pydatetime()
    rows = rows_of(hours)
    training = training_set([part(rows, 0, border), part(rows, border)], cutoff=cutoff, months=months)
    since = pd.Timestamp(cutoff) - pd.DateOffset(months=months)
    expected = [
        float(number)
        for number, (at, after) in enumerate(hours)
        if START + timedelta(hours=at + after) <= cutoff and START + timedelta(hours=at) >= since
    ]
    assert training.y.tolist() == expected
    assert all(instant(int(known)) <= cutoff for known in training.label_known_at)


def test_a_block_whose_rows_are_all_trained_on_is_a_part_of_them_and_any_other_stays_as_it_is() -> None:
    months = [rows_of([(24 * day + 720 * month, 1) for day in range(20)]) for month in range(3)]
    late = rows_of([(24 * day + 720 * 3, 1 if day else 24 * 60) for day in range(20)])
    blocks = [replace(block, x=np.random.default_rng(place).normal(size=block.x.shape))
              for place, block in enumerate([*months, late])]  # fmt: skip
    training = training_set(blocks, cutoff=datetime(2020, 5, 1, tzinfo=UTC), months=4)
    assert len(training.y) == 79
    shared = [share_rows(block, training) for block in blocks]
    for block, own in zip(blocks, shared, strict=True):
        assert own.data_hash() == block.data_hash()
    assert [np.shares_memory(own.x, training.x) for own in shared] == [True, True, True, False]
    empty = part(months[0], 0, 0)
    assert share_rows(empty, training) is empty


def test_data_hash_changes_with_every_number_a_fit_sees() -> None:
    rows = rows_of([(number, 1) for number in range(4)])
    hashes = {rows.data_hash()}
    for place in range(len(NAMES)):
        x = rows.x.copy()
        x[3, place] = np.nextafter(x[3, place], 9.0)
        hashes.add(replace(rows, x=x).data_hash())
    for name in ("y", "decision_time", "label_known_at", "listing_id"):
        values = getattr(rows, name).copy()
        values[3] += 1
        hashes.add(replace(rows, **{name: values}).data_hash())
    assert len(hashes) == len(NAMES) + 5


def test_data_hash_does_not_depend_on_how_numbers_lie_or_how_many_are_hashed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = rows_of([(number, 1) for number in range(9)])
    rows = replace(rows, x=np.linspace(0.1, 0.9, rows.x.size).reshape(rows.x.shape))
    at_once = rows.data_hash()
    monkeypatch.setattr("strades_pipelines.predictor.dataset.HASHED_ROWS", 4)
    assert replace(rows, x=np.asfortranarray(rows.x)).data_hash() == at_once
    assert HASHED_ROWS > 9


def test_what_is_read_is_what_pandas_joins(market: Market, adbc: "Connection") -> None:
    end = datetime(2021, 3, 1, tzinfo=UTC)
    write_features(market.url, start=START, end=end, now=NOW)
    # No label is learnt from without a needed feature; the others may be missing.
    market.execute("UPDATE features.daily SET return_1 = NULL WHERE session_date = '2020-06-10' AND listing_id = 1")
    market.execute("UPDATE features.daily SET volume_ratio_20 = NULL, vix = NULL WHERE session_date = '2020-06-11'")
    # A bar that comes after the next session's is known with it, also where that is another month.
    late = "UPDATE cleaned.daily_bars SET knowledge_time = %s WHERE session_date = %s AND listing_id = 2"
    market.execute(late, datetime(2020, 8, 1, 5, tzinfo=UTC), "2020-07-30")
    market.execute("DELETE FROM cleaned.daily_bars WHERE session_date BETWEEN '2020-09-10' AND '2020-09-20'")
    write_features(market.url, start=START, end=end, now=NOW)
    market.execute("UPDATE features.daily SET return_1 = NULL WHERE session_date = '2020-06-10' AND listing_id = 1")
    columns = ["listing_id", "decision_time", *NAMES]
    rows = pd.DataFrame(market.rows(f"SELECT {', '.join(columns)} FROM features.daily"), columns=columns)
    bars = f"SELECT {', '.join(BAR_COLUMNS)} FROM cleaned.daily_bars ORDER BY listing_id, session_date"
    labels = label_rows(pd.DataFrame(market.rows(bars), columns=BAR_COLUMNS))
    expected = labelled(rows.astype(dict.fromkeys(NAMES, "float64")), labels)
    with adbc.cursor() as cursor:
        first, second = (
            read_labelled(cursor, *block, known_at=NOW)
            for block in ((START, datetime(2020, 8, 1, tzinfo=UTC)), (datetime(2020, 8, 1, tzinfo=UTC), end))
        )
    for name in ("x", "y", "decision_time", "label_known_at", "listing_id"):
        found = np.concatenate([getattr(first, name), getattr(second, name)])
        np.testing.assert_array_equal(found, getattr(expected, name), err_msg=name)
    assert np.isnan(expected.x).any()
    assert (expected.label_known_at - expected.decision_time != 86_400_000_000).any()


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_timestamp_and_instant_are_each_others_inverse(time: datetime) -> None:
    assert instant(timestamp(time)) == time


def test_target_pulls_in_the_extreme_labels_and_no_other() -> None:
    y = np.arange(1001.0)
    y[-1] = 1e9
    target = Training(np.zeros((1001, 1)), y, *[np.arange(1001)] * 3).target
    assert (target.min(), target.max()) == (5.0, 995.0)
    assert target[5:996].tolist() == y[5:996].tolist()
