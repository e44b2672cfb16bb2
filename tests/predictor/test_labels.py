"""The label, and when it is known."""

from datetime import UTC, datetime, timedelta
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from strades_pipelines.predictor.dataset import read_labelled, timestamp
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.labels import next_session_return
from tests.predictor.made import NOW, Market

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 8, 1, tzinfo=UTC)
DAY = 86_400_000_000  # microseconds
FACTOR = "SELECT close * total_return_factor FROM cleaned.daily_bars WHERE listing_id = 1 AND session_date = %s"


@pytest.fixture
def featured(market: Market) -> Market:
    """The market with the features of seven months."""
    write_features(market.url, start=FIRST, end=LAST, now=NOW)
    return market


def labels(adbc: "Connection", *, known_at: datetime = NOW) -> dict[tuple[int, int], tuple[float, int]]:
    """Label and when it is known, by listing and decision time."""
    with adbc.cursor() as cursor:
        rows = read_labelled(cursor, FIRST, LAST, known_at=known_at)
    adbc.rollback()
    keys = zip(rows.listing_id.tolist(), rows.decision_time.tolist(), strict=True)
    return dict(zip(keys, zip(rows.y.tolist(), rows.label_known_at.tolist(), strict=True), strict=True))


def decided(month: int, day: int) -> int:
    """When the session of a day is decided: the midnight that ends it."""
    return timestamp(datetime(2020, month, day, tzinfo=UTC) + timedelta(days=1))


def growth(market: Market, day: str) -> float:
    """What one unit of listing 1 had become."""
    [(value,)] = market.rows(FACTOR, day)
    assert isinstance(value, float)
    return value


def test_return_is_the_logarithm_of_the_ratio_of_growths() -> None:
    found = next_session_return(np.array([100.0, 110.0]), np.array([110.0, 99.0]))
    assert found == pytest.approx([log(1.1), log(0.9)], rel=1e-14)


def test_label_is_the_next_sessions_total_return_and_known_with_its_bar(featured: Market, adbc: "Connection") -> None:
    found = labels(adbc)
    # The fixture pays on 29 June: the factor goes into the return.
    came = log(growth(featured, "2020-06-29") / growth(featured, "2020-06-28"))
    assert found[1, decided(6, 28)][0] == pytest.approx(came, rel=1e-14)
    assert found[1, decided(6, 28)][1] == decided(6, 29)
    assert {known - at for (_, at), (_, known) in found.items()} == {DAY}


def test_label_of_a_bar_that_came_late_is_known_no_sooner_than_the_bar(featured: Market, adbc: "Connection") -> None:
    late: Any = datetime(2020, 7, 9, 12, tzinfo=UTC)
    featured.execute(
        "UPDATE cleaned.daily_bars SET knowledge_time = %s WHERE listing_id = 1 AND session_date = '2020-07-05'", late
    )
    write_features(featured.url, start=FIRST, end=LAST, now=NOW)
    found = labels(adbc)
    assert found[1, timestamp(late)][1] == found[1, decided(7, 4)][1] == timestamp(late)
    assert found[1, timestamp(late)][0] == pytest.approx(
        log(growth(featured, "2020-07-06") / growth(featured, "2020-07-05"))
    )


def test_label_across_a_gap_is_the_next_bars(featured: Market, adbc: "Connection") -> None:
    featured.execute("DELETE FROM cleaned.daily_bars WHERE session_date BETWEEN '2020-07-05' AND '2020-07-08'")
    found = labels(adbc)
    assert found[1, decided(7, 4)][1] == decided(7, 9)
    assert found[2, decided(7, 4)][1] == decided(7, 9)


def test_row_whose_bar_is_gone_or_another_by_now_has_no_label(featured: Market, adbc: "Connection") -> None:
    before = labels(adbc)
    featured.execute("DELETE FROM cleaned.daily_bars WHERE listing_id = 1 AND session_date = '2020-07-05'")
    moved = "UPDATE cleaned.daily_bars SET knowledge_time = knowledge_time + interval '1 hour'"
    featured.execute(f"{moved} WHERE listing_id = 2 AND session_date = '2020-07-06'")
    assert set(before) - set(labels(adbc)) == {(1, decided(7, 5)), (2, decided(7, 6))}


def test_last_session_has_no_label_and_one_known_later_is_not_read(market: Market, adbc: "Connection") -> None:
    market.execute("DELETE FROM cleaned.daily_bars WHERE session_date > '2020-07-01'")
    write_features(market.url, start=FIRST, end=LAST, now=NOW)
    found = labels(adbc)
    assert max(at for _, at in found) == decided(6, 30)
    known_at = datetime(2020, 6, 11, 12, tzinfo=UTC)
    cut = labels(adbc, known_at=known_at)
    assert cut == {key: value for key, value in found.items() if value[1] <= timestamp(known_at)}
    assert max(known for _, known in cut.values()) == decided(6, 10)
