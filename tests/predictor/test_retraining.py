"""A change of what a month was trained on trains exactly the months that see it; nothing else reads a training row."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.month_blocks import months
from strades_pipelines.predictor.walk_forward import Trained, train_models
from strades_pipelines.resources.dbt_project import database_name
from tests.conftest import cloned
from tests.database.table_counters import read_counters
from tests.dbt_project.seeding import listing
from tests.predictor.histories import MEAN, store_features, store_history
from tests.predictor.made import NOW, Market, make_cleaned
from tests.predictor.straightforward import model_ids

START, END = datetime(2015, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
DAYS = [date(2015, 1, 1) + timedelta(days=4 * number) for number in range(450)]  # a session every fourth day
LATE = date(2016, 4, 9)  # a session of listing 1 whose bar was known 401 days later
MISSING = date(2016, 2, 21)  # a session that listing 1 has not had
KINDS = {"mean": MEAN}


def closed(day: date, *, late: int = 0) -> datetime:
    """The midnight that ends a day, or some days later."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1 + late)


@pytest.fixture(scope="module")
def template(template: str) -> Iterator[str]:
    """The name of a database with two listings over five years, every month trained, which each test clones."""
    with cloned(template) as url:
        store_and_train(url)
        yield database_name(url)


def store_and_train(database_url: str) -> None:
    make_cleaned(database_url)
    for number in (1, 2):
        with adbc_connect(database_url) as adbc:
            listing(adbc, number, symbol=str(number))
        days = [day for day in DAYS if number == 2 or day != MISSING]
        known = [closed(day, late=401 if (number, day) == (1, LATE) else 0) for day in days]
        store_history(database_url, number, days, known, seed=1, missing=0)
    train(Market(database_url))


@pytest.fixture
def trained(database_url: str) -> Market:
    """Two listings over five years, every month trained."""
    return Market(database_url)


def train(market: Market, kinds: Mapping[str, Kind] = KINDS) -> Trained:
    """Train what is to be trained of all months."""
    return train_models(market.url, start=START, end=END, now=NOW, kinds=kinds)


def entries(market: Market) -> dict[tuple[object, object], object]:
    """The model of each month and kind."""
    query = "SELECT month, name, model_id FROM ops.month_models"
    return {(month, name): model_id for month, name, model_id in market.rows(query)}


def retrained(market: Market) -> tuple[str, str]:
    """The first and the last month that are trained after a change, once all are seen to be what they ought to be."""
    before = entries(market)
    fitted = train(market).fitted["mean"]
    after = entries(market)
    assert after == model_ids(market, list(months(START, END)), KINDS)
    changed = sorted(str(month) for month, name in after if before[month, name] != after[month, name])
    assert fitted == len(changed)
    assert train(market).fitted == {"mean": 0}
    return changed[0][:7], changed[-1][:7]


def correct(market: Market, day: date) -> None:
    """Correct the close of listing 1."""
    market.execute("UPDATE cleaned.daily_bars SET close = close * 1.01 WHERE listing_id = 1 AND session_date = %s", day)


def test_another_feature_trains_the_three_years_after_its_decision(trained: Market) -> None:
    store_features(trained.url, 1, [date(2016, 3, 8)], [closed(date(2016, 3, 8))], seed=2)
    assert retrained(trained) == ("2016-04", "2019-03")
    trained.execute("DELETE FROM features.daily WHERE listing_id = 1 AND session_date = '2016-03-08'")
    assert retrained(trained) == ("2016-04", "2019-03")


def test_a_corrected_bar_trains_what_sees_its_own_label_or_that_of_the_session_before(trained: Market) -> None:
    # The first session of April: the last of March has a label that is known with it.
    day = next(day for day in DAYS if day >= date(2016, 4, 1))
    correct(trained, day)
    assert retrained(trained) == ("2016-05", "2019-04")
    trained.execute("DELETE FROM cleaned.daily_bars WHERE listing_id = 1 AND session_date = %s", day)
    assert retrained(trained) == ("2016-05", "2019-04")


def test_a_bar_after_one_that_came_late_trains_what_knows_that_one(trained: Market) -> None:
    # Decided in May 2017, after the session that follows it: its label is known then, for three years.
    correct(trained, LATE + timedelta(days=4))
    assert retrained(trained) == ("2016-05", "2019-12")


def test_a_bar_known_earlier_than_it_was_leaves_the_months_that_knew_its_late_label(trained: Market) -> None:
    moved = "UPDATE cleaned.daily_bars SET knowledge_time = %s WHERE listing_id = 1 AND session_date = %s"
    trained.execute(moved, closed(LATE), LATE)
    assert retrained(trained) == ("2016-05", "2019-12")


def test_a_bar_that_comes_late_takes_the_label_of_the_session_before_from_months_that_had_it(trained: Market) -> None:
    # Of the session before, the label was known on 26 February; from March on until the bar came, it is unknown.
    store_history(trained.url, 1, [MISSING], [closed(MISSING, late=101)], seed=3, features=False)
    assert retrained(trained)[0] == "2016-03"


def test_a_row_decided_at_the_first_instant_may_have_a_label_by_then(trained: Market) -> None:
    midnight = datetime(2017, 5, 1, tzinfo=UTC)
    day = next(day for day in DAYS if day >= date(2017, 4, 20))
    moved = "UPDATE cleaned.daily_bars SET knowledge_time = %s WHERE listing_id = 1 AND session_date = %s"
    trained.execute(moved, midnight, day)
    store_features(trained.url, 1, [day], [midnight], seed=4)
    retrained(trained)
    assert trained.rows("SELECT max(train_to) FROM predictions.models WHERE month = '2017-05-01'") == [(midnight,)]
    store_features(trained.url, 1, [day], [midnight], seed=5)
    assert retrained(trained)[0] == "2017-05"


def test_new_days_train_no_month_that_has_begun(trained: Market) -> None:
    days = [DAYS[-1] + timedelta(days=4 * number) for number in range(1, 3)]
    for number in (1, 2):
        store_history(trained.url, number, days, [closed(day) for day in days], seed=6)
    before, reads = entries(trained), rows_read(trained)
    assert train(trained).fitted == {"mean": 0}
    assert entries(trained) == before
    assert rows_read(trained) == reads


def rows_read(market: Market) -> list[tuple[object, ...]]:
    """How many feature rows and bars were read so far."""
    return read_counters(
        market.url,
        "SELECT relname, seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables"
        " WHERE relname = 'daily' OR relname = 'daily_bars' ORDER BY 1",
    )


def test_another_version_or_another_kind_is_trained_and_the_rest_is_not(trained: Market) -> None:
    both = {"mean": MEAN, "second": replace(MEAN, name="second")}
    months_with_models = sum(model_id is not None for model_id in entries(trained).values())
    assert train(trained, both).fitted == {"mean": 0, "second": months_with_models}
    newer = replace(MEAN, version="2")
    assert train(trained, {**both, "mean": newer}).fitted == {"mean": months_with_models, "second": 0}
    # Back again: the models are stored, and the entries name them.
    assert train(trained, both).fitted == {"mean": 0, "second": 0}
    assert entries(trained) == model_ids(trained, list(months(START, END)), both)


def test_a_model_that_somebody_deleted_is_trained_again(trained: Market) -> None:
    before = trained.rows("SELECT * FROM predictions.models ORDER BY month")
    trained.execute("DELETE FROM predictions.models WHERE month = '2017-05-01'")
    assert train(trained).fitted == {"mean": 1}
    assert trained.rows("SELECT * FROM predictions.models ORDER BY month") == before


def test_a_model_that_failed_is_tried_again_and_the_others_are_not(trained: Market) -> None:
    def broken(training: object, seed: int) -> Any:
        raise FloatingPointError("it blew up")

    correct(trained, date(2016, 3, 8))
    bad = {"mean": replace(MEAN, fit=broken)}
    failed = train(trained, bad).failures
    assert len(failed) == len(train(trained, bad).failures) == 36
    assert train(trained).fitted == {"mean": 36}
    assert train(trained) == Trained({"mean": 0}, [])


def test_a_run_that_dies_leaves_what_it_has_not_derived_to_the_next(trained: Market) -> None:
    def dies(training: Any, seed: int) -> Any:
        if seed == MEAN.seed("2017-01"):
            raise SystemExit  # no failure that a run records
        return MEAN.fit(training, seed)

    correct(trained, date(2016, 3, 8))
    with pytest.raises(SystemExit):
        train(trained, {"mean": replace(MEAN, fit=dies)})
    assert train(trained).fitted == {"mean": 27}
    assert entries(trained) == model_ids(trained, list(months(START, END)), KINDS)


def test_truncated_features_leave_no_model_to_their_months(trained: Market) -> None:
    trained.execute("TRUNCATE features.daily")
    assert train(trained).fitted == {"mean": 0}
    assert set(entries(trained).values()) == {None}
