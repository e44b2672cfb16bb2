"""The label, and when it is known."""

from datetime import UTC, datetime, timedelta
from math import log
from typing import TYPE_CHECKING

import numpy as np
import pytest

from strades_pipelines.predictor.labels import next_session_return, read_labels
from tests.predictor.made import NOW, Market

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection


def test_label_is_the_next_sessions_total_return_and_known_with_its_bar() -> None:
    times = np.array(["2024-01-02T21:00", "2024-01-03T21:00", "2024-01-08T21:00"], "datetime64[us]")
    label, known_at = next_session_return(np.array([100.0, 110.0, 99.0]), times)
    assert label[:2] == pytest.approx([log(1.1), log(0.9)], rel=1e-14)
    assert np.isnan(label[2])
    assert known_at[:2].tolist() == times[1:].tolist()
    assert np.isnat(known_at[2])


def test_label_of_a_bar_that_came_late_is_known_no_sooner_than_the_bar() -> None:
    times = np.array(["2024-01-09T12:00", "2024-01-03T21:00", "2024-01-08T21:00"], "datetime64[us]")
    _, known_at = next_session_return(np.array([100.0, 110.0, 99.0]), times)
    assert known_at[:2].tolist() == [times[0].tolist(), times[2].tolist()]


def test_labels_do_not_cross_from_one_listing_to_the_next(market: Market, adbc: "Connection") -> None:
    known_at = datetime(2020, 1, 11, 12, tzinfo=UTC)
    with adbc.cursor() as cursor:
        labels = read_labels(cursor, start=datetime(2020, 1, 4, tzinfo=UTC), known_at=known_at)
    assert labels.groupby("listing_id").size().to_dict() == {1: 7, 2: 7}
    assert (labels["label_known_at"] - labels["decision_time"] == timedelta(days=1)).all()
    assert labels["label_known_at"].max() == datetime(2020, 1, 11, tzinfo=UTC)


def test_labels_of_no_bars_are_no_rows(market: Market, adbc: "Connection") -> None:
    with adbc.cursor() as cursor:
        labels = read_labels(cursor, start=NOW, known_at=NOW)
    assert list(labels.columns) == ["listing_id", "decision_time", "label", "label_known_at"]
    assert labels.empty
