"""Purging: a training set holds no label that was not known at its cutoff, and forgets none that was."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.predictor.dataset import Training, instant, microseconds, training_set
from strades_pipelines.predictor.formulas import NAMES

START = datetime(2020, 1, 1, tzinfo=UTC)
HOURS = st.lists(st.tuples(st.integers(0, 24 * 800), st.integers(1, 24 * 40)), min_size=1, max_size=60)


def rows_of(hours: list[tuple[int, int]]) -> pd.DataFrame:
    """Rows decided so many hours after START, with labels known so many hours later."""
    decided = pd.to_datetime([START + timedelta(hours=at) for at, _ in hours])
    known = pd.to_datetime([START + timedelta(hours=at + after) for at, after in hours])
    rows = pd.DataFrame(
        {"listing_id": 1, "decision_time": decided, "label_known_at": known, "label": np.arange(len(hours)) * 1.0}
    )
    return rows.assign(**dict.fromkeys(NAMES, 0.5))


@given(HOURS, st.integers(0, 24 * 900), st.integers(1, 12))
def test_training_set_is_every_label_known_at_the_cutoff_and_no_other(
    hours: list[tuple[int, int]], cutoff_hours: int, months: int
) -> None:
    cutoff = START + timedelta(hours=cutoff_hours)
    training = training_set(rows_of(hours), cutoff=cutoff, months=months)
    since = pd.Timestamp(cutoff) - pd.DateOffset(months=months)
    expected = [
        float(number)
        for number, (at, after) in enumerate(hours)
        if START + timedelta(hours=at + after) <= cutoff and START + timedelta(hours=at) >= since
    ]
    assert training.y.tolist() == expected
    assert all(instant(int(known)) <= cutoff for known in training.label_known_at)


def test_rows_without_label_or_without_a_needed_feature_are_not_learnt_from() -> None:
    rows = rows_of([(number, 1) for number in range(4)])
    rows.loc[0, "label_known_at"] = pd.NaT
    rows.loc[1, "return_1"] = np.nan
    rows.loc[2, ["volume_ratio_20", "eurusd_return_5"]] = np.nan
    training = training_set(rows, cutoff=START + timedelta(days=9), months=1)
    assert training.y.tolist() == [2.0, 3.0]
    assert np.isnan(training.x[0]).sum() == 2


def test_data_hash_changes_with_every_number_a_fit_sees() -> None:
    rows = rows_of([(number, 1) for number in range(4)])
    cutoff = START + timedelta(days=9)
    hashes = {training_set(rows, cutoff=cutoff, months=1).data_hash()}
    for column in ("label", *NAMES):
        changed = rows.copy()
        changed[column] = np.where(changed.index == 3, np.nextafter(changed[column], 9.0), changed[column])
        hashes.add(training_set(changed, cutoff=cutoff, months=1).data_hash())
    assert len(hashes) == len(NAMES) + 2


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_microseconds_and_instant_are_each_others_inverse(time: datetime) -> None:
    column = pd.Series(pd.array([time], dtype="datetime64[us, UTC]"))
    assert instant(int(microseconds(column)[0])) == time


def test_target_pulls_in_the_extreme_labels_and_no_other() -> None:
    y = np.arange(1001.0)
    y[-1] = 1e9
    target = Training(np.zeros((1001, 1)), y, *[np.arange(1001)] * 3).target
    assert (target.min(), target.max()) == (5.0, 995.0)
    assert target[5:996].tolist() == y[5:996].tolist()
