"""What predictions keep up to date is what they would be if worked out anew, whatever came when.

Random histories over three years, sparse so that they are cheap: bars and features that come, come late, are corrected
and withdrawn; models deleted by hand, kinds that change, are added or fail; runs over random windows in any order.
"""

import os
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.models.kinds import LINEAR
from strades_pipelines.predictor.month_blocks import months
from strades_pipelines.predictor.scores import write_scores
from strades_pipelines.predictor.track_record import mean_square, write_standings
from strades_pipelines.predictor.walk_forward import train_models
from tests.dbt_project.seeding import listing
from tests.predictor.histories import MEAN, store_features, store_history
from tests.predictor.made import NOW, Market, make_cleaned
from tests.predictor.straightforward import model_ids

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

pytestmark = pytest.mark.slow
SEEDS = tuple(map(int, os.environ.get("STRADES_INCREMENTAL_SEEDS", "1,2").split(",")))
FIRST = date(2015, 1, 1)
LISTINGS = (1, 2)
DAYS = [FIRST + timedelta(days=4 * number) for number in range(270)]  # sessions
START, END = datetime(2015, 1, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)
ENTRIES = "SELECT month, name, model_id FROM ops.month_models WHERE month >= %s AND month < %s"
ALL = list(months(START, END))


class History:
    """What happens to bars, features, models and kinds, drawn from one seed."""

    def __init__(self, seed: int, market: Market) -> None:
        self.draw, self.market, self.number = random.Random(seed), market, seed * 1000
        self.kinds: dict[str, Kind] = {"mean": MEAN}
        self.reached = 190
        for one in LISTINGS:
            days = [day for day in DAYS[: self.reached] if self.draw.random() > 0.1]
            store_history(market.url, one, days, [self.known(day) for day in days], seed=seed)

    def known(self, day: date) -> datetime:
        """Mostly the midnight that ends the session, or some time later; never the same for two sessions."""
        late = self.draw.choice([0.0] * 12 + [0.1, 2.0, 9.0, 45.0, 400.0])
        closed = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1 + late)
        return closed + timedelta(microseconds=DAYS.index(day) if late else 0)

    def event(self) -> None:
        """One thing that happens."""
        happens = (
            self.new_days, self.new_days, self.bar_in_between, self.corrected, self.withdrawn, self.bar_known_otherwise,
            self.other_features, self.features_withdrawn, self.model_deleted, self.kind_changed,
        )  # fmt: skip
        self.number += 1
        self.draw.choice(happens)()

    def a_bar(self) -> tuple[int, date]:
        """A listing and a session of it."""
        bars = self.market.rows("SELECT listing_id, session_date FROM cleaned.daily_bars ORDER BY 1, 2")
        number, day = self.draw.choice(bars)
        assert isinstance(number, int)
        assert isinstance(day, date)
        return number, day

    def new_days(self) -> None:
        days = DAYS[self.reached : self.reached + self.draw.randint(1, 12)]
        self.reached += len(days)
        for one in LISTINGS if days else ():
            store_history(self.market.url, one, days, [self.known(day) for day in days], seed=self.number)

    def bar_in_between(self) -> None:
        number = self.draw.choice(LISTINGS)
        stored = {
            day
            for (day,) in self.market.rows("SELECT session_date FROM cleaned.daily_bars WHERE listing_id = %s", number)
        }
        days = [day for day in DAYS[: self.reached] if day not in stored]
        if days:
            chosen = sorted(self.draw.sample(days, min(len(days), 3)))
            known = [self.known(day) for day in chosen]
            has_features = self.draw.random() < 0.5
            store_history(self.market.url, number, chosen, known, seed=self.number, features=has_features)

    def corrected(self) -> None:
        number, day = self.a_bar()
        change = "UPDATE cleaned.daily_bars SET close = close * 1.01 WHERE listing_id = %s AND session_date = %s"
        self.market.execute(change, number, day)

    def withdrawn(self) -> None:
        number, day = self.a_bar()
        self.market.execute("DELETE FROM cleaned.daily_bars WHERE listing_id = %s AND session_date = %s", number, day)

    def bar_known_otherwise(self) -> None:
        number, day = self.a_bar()
        known = self.known(day) + timedelta(microseconds=self.number % 1000)
        change = "UPDATE cleaned.daily_bars SET knowledge_time = %s WHERE listing_id = %s AND session_date = %s"
        self.market.execute(change, known, number, day)
        if self.draw.random() < 0.7:
            store_features(self.market.url, number, [day], [known], seed=self.number)

    def other_features(self) -> None:
        number, day = self.a_bar()
        for (decided,) in self.market.rows(
            "SELECT decision_time FROM features.daily WHERE listing_id = %s AND session_date = %s", number, day
        ):
            assert isinstance(decided, datetime)
            store_features(self.market.url, number, [day], [decided], seed=self.number)

    def features_withdrawn(self) -> None:
        number, day = self.a_bar()
        self.market.execute("DELETE FROM features.daily WHERE listing_id = %s AND session_date = %s", number, day)

    def model_deleted(self) -> None:
        self.market.execute(
            "DELETE FROM predictions.models WHERE model_id IN (SELECT model_id FROM predictions.models AS own"
            " WHERE NOT EXISTS (SELECT FROM predictions.forecasts AS f WHERE f.model_id = own.model_id)"
            " ORDER BY model_id LIMIT 2)"
        )

    def kind_changed(self) -> None:
        """Another version, or a kind more: of the name that scores call linear."""
        self.kinds["mean"] = replace(MEAN, version=self.draw.choice(["1", "2"]))
        if self.draw.random() < 0.3:
            self.kinds[LINEAR] = replace(MEAN, name=LINEAR)

    def window(self) -> tuple[datetime, datetime]:
        """Some months in a row."""
        first, last = sorted(self.draw.sample([*ALL, END], 2))
        return first, last


@pytest.fixture
def empty(database_url: str, adbc: "Connection") -> Market:
    """The tables, and two listings."""
    make_cleaned(database_url)
    for number in LISTINGS:
        listing(adbc, number, symbol=str(number))
    return Market(database_url)


def run(market: Market, window: tuple[datetime, datetime], kinds: Mapping[str, Kind]) -> dict[str, int]:
    """A run of the layer; how many models were fitted."""
    start, end = window
    trained = train_models(market.url, start=start, end=end, now=NOW, kinds=kinds)
    write_forecasts(market.url, start=start, end=end, now=NOW, kinds=kinds)
    write_scores(market.url, start=start, end=end, now=NOW)
    write_standings(market.url, start=start, end=end, now=NOW)
    return trained.fitted


@pytest.mark.parametrize("seed", SEEDS)
def test_predictions_are_what_they_would_be_if_worked_out_anew(seed: int, empty: Market) -> None:
    history = History(seed, empty)
    for number in range(12):
        for _ in range(history.draw.randint(1, 3)):
            history.event()
        window = history.window() if number % 3 else (START, END)
        stored = {model_id for (model_id,) in empty.rows("SELECT model_id FROM predictions.models")}
        ought = model_ids(empty, list(months(*window)), history.kinds)
        fitted = run(empty, window, history.kinds)
        entries = {(month, name): model for month, name, model in empty.rows(ENTRIES, *(t.date() for t in window))}
        where = f"seed {seed}, run {number}"
        assert {key: entries.get(key) for key in ought} == ought, where
        # Exactly the months whose training set is another one are trained.
        assert sum(fitted.values()) == len(set(ought.values()) - stored - {None}), where
        assert forecast_wrong(empty, window, ought) == [], where
        assert unscored(empty, window) == [], where
        assert standings_kept(empty, window) == standings_anew(empty, window), where
    assert empty.rows("SELECT count(*) > 250 FROM predictions.scores") == [(True,)]


def forecast_wrong(
    market: Market, window: tuple[datetime, datetime], ought: Mapping[tuple[Any, Any], Any]
) -> list[tuple[Any, ...]]:
    """Rows of the window whose forecast, by what is there and by the model that ought to be, is not there."""
    complete = "num_nulls(return_1, return_5, return_20) = 0"
    rows = market.rows(
        f"SELECT listing_id, decision_time, inputs_hash, date_trunc('month', session_date)::date, {complete}"
        " FROM features.daily WHERE session_date >= %s AND session_date < %s",
        *(time.date() for time in window),
    )
    columns = "name, listing_id, decision_time, inputs_hash, model_id"
    made = set(market.rows(f"SELECT {columns} FROM predictions.forecasts"))
    wanted = {
        (name, *row[:3], model_id if row[4] else None)
        for row in rows
        for (month, name), model_id in ought.items()
        if month == row[3]
    }
    return sorted(wanted - made)


def unscored(market: Market, window: tuple[datetime, datetime]) -> list[tuple[object, ...]]:
    """Forecasts of sessions before the window's end without a score, whose label was known in it or later."""
    query = """
        WITH bars AS (
            SELECT listing_id, session_date, knowledge_time,
                lead(knowledge_time) OVER (PARTITION BY listing_id ORDER BY session_date) AS next_known
            FROM cleaned.daily_bars
        )
        SELECT forecast.prediction_id FROM predictions.forecasts AS forecast
        INNER JOIN bars ON bars.listing_id = forecast.listing_id AND bars.session_date = forecast.session_date
            AND bars.knowledge_time = forecast.decision_time
        LEFT JOIN predictions.scores AS score USING (prediction_id)
        WHERE forecast.status = 'predicted' AND forecast.session_date < %s AND score.prediction_id IS NULL
            AND greatest(bars.knowledge_time, next_known) >= %s AND next_known IS NOT NULL
    """
    return market.rows(query, window[1].date(), window[0])


Standing = dict[tuple[object, object], tuple[object, ...]]


def standings_kept(market: Market, window: tuple[datetime, datetime]) -> Standing:
    """Scored, and mean square errors, by month and name."""
    columns = "month, name, scored, mse, mse_naive, mse_linear"
    query = f"SELECT {columns} FROM predictions.standings WHERE month >= %s AND month < %s"
    return {(month, name): tuple(row) for month, name, *row in market.rows(query, *(time.date() for time in window))}


def standings_anew(market: Market, window: tuple[datetime, datetime]) -> Standing:
    """The same from all scores at once."""
    columns = ["name", "listing_id", "decision_time", "recorded_at", "prediction_id", "known", "e", "naive", "linear"]
    query = """
        SELECT name, listing_id, decision_time, f.recorded_at, prediction_id, label_known_at, error, baseline_error,
            linear_error
        FROM predictions.scores INNER JOIN predictions.forecasts AS f USING (prediction_id)
        ORDER BY f.recorded_at DESC, prediction_id
    """
    scores = pd.DataFrame(market.rows(query), columns=columns).astype({"linear": "float64"})
    found: Standing = {}
    for month in months(*window):
        since = pd.Timestamp(month) - pd.DateOffset(months=12)
        closed = scores[(scores["known"] < month) & (scores["known"] >= since)].drop_duplicates(columns[:3])
        for name, own in closed.groupby("name"):
            errors = tuple(mean_square(own[column]) for column in ("e", "naive", "linear"))
            found[month.date(), name] = (len(own), *errors)
    return found
