"""Models: the same again from the same data, blind to what came later, fitted in one place."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.predictor.features import write_features
from strades_pipelines.predictor.models.kinds import KINDS
from strades_pipelines.predictor.month_blocks import months
from strades_pipelines.predictor.walk_forward import train_models
from strades_pipelines.settings import PROJECT
from tests.predictor.conftest import copy_of, new_market
from tests.predictor.made import NOW, Market

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 3, 1, tzinfo=UTC)
MODELS = "SELECT * FROM predictions.models ORDER BY month, name"
CHEAP = {"ridge": KINDS["ridge"]}
EARLY = datetime(2020, 8, 1, tzinfo=UTC)
TRAIN = """
import sys
from datetime import datetime
from strades_pipelines.predictor.walk_forward import train_models
for window in sys.argv[3:]:
    start, end = map(datetime.fromisoformat, window.split("/"))
    train_models(sys.argv[1], start=start, end=end, now=datetime.fromisoformat(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def made(template: str) -> Iterator[Market]:
    """The market with its features."""
    with new_market(template) as market:
        write_features(market.url, start=START, end=datetime(2021, 4, 1, tzinfo=UTC), now=NOW)
        yield market


@pytest.fixture
def featured(made: Market) -> Iterator[Market]:
    """A copy of the market with its features."""
    with copy_of(made) as market:
        yield market


def train(market: Market, start: datetime = START, end: datetime = END) -> int:
    """Train the months of a window, ridge only; how many models that were."""
    return sum(train_models(market.url, start=start, end=end, now=NOW, kinds=CHEAP).fitted.values())


def test_months_with_enough_labels_have_a_model_and_no_label_known_later(featured: Market) -> None:
    # 49 sessions of warm-up, two listings a day: 200 rows are known from the middle of May on.
    assert train(featured) == 9
    rows = featured.rows(
        "SELECT month, train_rows, max_label_known_at, trained_at, train_to FROM predictions.models ORDER BY month"
    )
    assert f"{rows[0][0]:%F}" == "2020-06-01"
    for month, count, known_at, trained_at, train_to in rows:
        assert trained_at == known_at == datetime(month.year, month.month, 1, tzinfo=UTC)  # type: ignore[attr-defined]
        assert (trained_at - train_to).days == 1  # type: ignore[operator]
        sessions = (month - datetime(2020, 1, 1).date()).days  # type: ignore[operator]
        assert count == 2 * (sessions - 1 - 49)


def test_rerun_trains_nothing(featured: Market) -> None:
    train(featured)
    before = featured.rows(MODELS)
    assert train(featured) == 0
    assert featured.rows(MODELS) == before


def test_12_months_in_random_order_in_another_process_are_the_same_to_the_byte(featured: Market) -> None:
    window = (datetime(2020, 5, 1, tzinfo=UTC), EARLY)
    assert train_models(featured.url, start=window[0], end=window[1], now=NOW).fitted == dict.fromkeys(KINDS, 2)
    at_once = featured.rows(MODELS)
    seeds = {(row[1], row[2]): row[8]["seed"] for row in at_once}  # type: ignore[index]
    assert len(set(seeds.values())) == len(seeds) == 6
    featured.execute("TRUNCATE predictions.models, ops.artifacts CASCADE")
    firsts = [*months(*window), window[1]]
    pieces = [(firsts[number], firsts[number + 1]) for number in np.random.default_rng(5).permutation(len(firsts) - 1)]
    arguments = [f"{start.isoformat()}/{end.isoformat()}" for start, end in pieces]
    subprocess.run([sys.executable, "-c", TRAIN, featured.url, NOW.isoformat(), *arguments], check=True, cwd=PROJECT)
    assert featured.rows(MODELS) == at_once


def test_model_is_the_same_with_everything_later_deleted(market: Market) -> None:
    cutoff = datetime(2020, 9, 1, tzinfo=UTC)
    end = datetime(2020, 10, 1, tzinfo=UTC)
    write_features(market.url, start=START, end=END, now=NOW)
    train(market, cutoff, end)
    before = market.rows(MODELS)
    market.execute("TRUNCATE predictions.models, ops.artifacts, features.daily CASCADE")
    market.execute("DELETE FROM cleaned.daily_bars WHERE knowledge_time > %s", cutoff)
    market.execute("DELETE FROM records.observations WHERE knowledge_time > %s", cutoff)
    write_features(market.url, start=START, end=END, now=cutoff)
    assert train(market, cutoff, end) == 1
    assert market.rows(MODELS) == before


def test_changed_training_data_is_another_model_and_later_data_is_not(featured: Market) -> None:
    september = (datetime(2020, 9, 1, tzinfo=UTC), datetime(2020, 10, 1, tzinfo=UTC))
    train(featured, *september)
    featured.execute("UPDATE cleaned.daily_bars SET close = close * 1.01 WHERE session_date = '2020-09-02'")
    assert train(featured, *september) == 0
    featured.execute("UPDATE cleaned.daily_bars SET close = close * 1.01 WHERE session_date = '2020-08-20'")
    assert train(featured, *september) == 1
    assert featured.rows("SELECT count(DISTINCT model_id), count(DISTINCT fitted_hash) FROM predictions.models") == [
        (2, 2)
    ]


def test_month_that_has_not_begun_gets_no_model(featured: Market) -> None:
    start, end = datetime(2021, 2, 1, tzinfo=UTC), datetime(2021, 4, 1, tzinfo=UTC)
    now = datetime(2021, 2, 20, tzinfo=UTC)
    assert train_models(featured.url, start=start, end=end, now=now, kinds=CHEAP).fitted == {"ridge": 1}


def test_model_that_fails_leaves_a_reason_and_the_others_go_on_until_it_is_repaired(featured: Market) -> None:
    def broken(training: object, seed: int) -> object:
        raise FloatingPointError("it blew up\nand more")

    bad = replace(KINDS["hgb"], fit=broken)
    window = {"start": START, "end": EARLY, "now": NOW}
    trained = train_models(featured.url, **window, kinds={"hgb": bad, **CHEAP})
    assert trained.fitted == {"hgb": 0, "ridge": 2}
    assert trained.failures == [f"hgb of 2020-0{month}: FloatingPointError: it blew up" for month in (6, 7)]
    failures = "SELECT name, month::text, reason FROM predictions.failures ORDER BY month"
    assert featured.rows(failures)[0] == ("hgb", "2020-06-01", "FloatingPointError: it blew up")
    assert train_models(featured.url, **window, kinds={"hgb": KINDS["hgb"]}).fitted == {"hgb": 2}
    assert featured.rows(failures) == []


def test_model_whose_forecasts_are_no_numbers_is_a_failure(featured: Market) -> None:
    mute = replace(KINDS["ridge"], predict=lambda fitted, features: np.full(len(features), np.nan))
    trained = train_models(featured.url, start=START, end=EARLY, now=NOW, kinds={"ridge": mute})
    assert trained.fitted == {"ridge": 0}
    assert featured.rows("SELECT count(*) FROM predictions.models") == [(0,)]


def test_nothing_is_fitted_anywhere_else() -> None:
    folder = Path(__file__).parents[2] / "strades_pipelines"
    fitting = {
        path.name for path in folder.rglob("*.py") if ".fit(" in path.read_text() or "fit_transform" in path.read_text()
    }
    assert fitting == {"walk_forward.py", "ridge.py", "hgb.py"}


def test_importing_the_package_loads_no_machine_learning() -> None:
    names = [
        ".".join(path.relative_to(PROJECT).with_suffix("").parts)
        for path in (PROJECT / "strades_pipelines/predictor").rglob("[a-z]*.py")
    ]
    heavy = "{'sklearn', 'skops', 'scipy', 'tensorflow', 'keras', 'adbc_driver_postgresql'}"
    code = f"import sys, {', '.join(names)}; assert not {heavy} & set(sys.modules), {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PROJECT)
