"""Scores: once each, as soon as the label is known, never earlier."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from strades_pipelines.database.bulk import Loaded
from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.forecasts import write_forecasts
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.scores import write_scores
from strades_pipelines.predictor.walk_forward import train_models
from tests.predictor.conftest import copy_of, new_market
from tests.predictor.made import NOW, Market, made_bars

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 8, 1, tzinfo=UTC)
JULY = datetime(2020, 7, 1, tzinfo=UTC)
RIDGE = {"ridge": KINDS["ridge"]}
TABLE = "SELECT * FROM predictions.scores ORDER BY prediction_id"
JOINED = "predictions.scores AS s JOIN predictions.forecasts AS f USING (prediction_id)"


@pytest.fixture(scope="module")
def made(template: str) -> Iterator[Market]:
    """The market with the forecasts of June and July, two listings each day."""
    window: dict[str, Any] = {"start": START, "end": END, "now": NOW}
    with new_market(template) as market:
        write_features(market.url, **window)
        train_models(market.url, **window, kinds=RIDGE)
        write_forecasts(market.url, **window, kinds=RIDGE)
        yield market


@pytest.fixture
def forecast(made: Market) -> Iterator[Market]:
    """A copy of the market with its forecasts."""
    with copy_of(made) as market:
        yield market


def score(market: Market, *, now: datetime, start: datetime = START, end: datetime = END) -> Loaded:
    """Score a window."""
    return write_scores(market.url, start=start, end=end, now=now)


def test_score_appears_with_the_next_bar_and_once(forecast: Market) -> None:
    # The session of 1 June is decided at the midnight after it, and its label known a midnight later.
    known = datetime(2020, 6, 3, tzinfo=UTC)
    assert score(forecast, now=known - timedelta(microseconds=1)) == Loaded(0, 0, 0)
    assert score(forecast, now=known) == Loaded(2, 0, 0)
    assert score(forecast, now=known) == Loaded(0, 0, 0)
    assert score(forecast, now=NOW) == Loaded(120, 0, 0)
    horizon = f"SELECT DISTINCT label_known_at - decision_time FROM {JOINED}"
    assert forecast.rows(horizon) == [(timedelta(days=1),)]


def test_errors_are_against_what_came_and_against_no_change(forecast: Market) -> None:
    score(forecast, now=NOW)
    bars = made_bars(420, seed=1)
    columns = "f.session_date, f.value, s.label, s.error, s.baseline_error, s.linear_error"
    query = f"SELECT {columns} FROM {JOINED} WHERE listing_id = 1"
    for day, value, label, error, baseline, linear in forecast.rows(query):
        place = int(np.flatnonzero(bars.session_date == np.datetime64(str(day)))[0])
        came = np.log(bars.growth[place + 1] / bars.growth[place])
        assert label == pytest.approx(came, rel=1e-12)
        assert error == pytest.approx(value - came, rel=1e-9)
        assert baseline == pytest.approx(-came, rel=1e-12)
        assert linear == error  # ridge is the linear baseline


def test_a_months_run_scores_the_last_session_of_the_month_before(forecast: Market) -> None:
    assert score(forecast, now=datetime(2020, 7, 1, 12, tzinfo=UTC), end=JULY) == Loaded(58, 0, 0)
    assert score(forecast, now=NOW, start=JULY).inserted == 2 * 31 + 2


def test_label_across_a_gap_is_the_next_bars_and_only_values_are_scored(forecast: Market) -> None:
    forecast.execute("DELETE FROM cleaned.daily_bars WHERE session_date BETWEEN '2020-07-11' AND '2020-07-20'")
    score(forecast, now=NOW)
    after_gap = f"SELECT DISTINCT label_known_at FROM {JOINED} WHERE session_date = '2020-07-10'"
    assert forecast.rows(after_gap) == [(datetime(2020, 7, 22, tzinfo=UTC),)]
    assert forecast.rows(f"SELECT DISTINCT status FROM {JOINED}") == [("predicted",)]


def test_price_restated_later_does_not_rewrite_a_score(forecast: Market) -> None:
    score(forecast, now=NOW)
    before = forecast.rows(TABLE)
    forecast.execute("UPDATE cleaned.daily_bars SET close = close * 2 WHERE session_date = '2020-07-05'")
    assert score(forecast, now=NOW) == Loaded(0, 0, 0)
    assert forecast.rows(TABLE) == before
