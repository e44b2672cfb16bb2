"""What every kind of model promises: the same numbers again, a row by itself, and nothing from beyond its rows."""

import tracemalloc

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from strades_pipelines.predictor.artifacts import FORMATS
from strades_pipelines.predictor.dataset import Training
from strades_pipelines.predictor.models.kinds import KINDS, LINEAR


def made_training(count: int, *, seed: int = 1) -> Training:
    """Rows of 12 features, of which one says something, one is constant and one is never there."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 12))
    y = 0.01 * np.tanh(x[:, 0]) + random.normal(0, 0.01, count)
    x[random.uniform(size=x.shape) < 0.05] = np.nan
    x[:, 1], x[:, 2] = 3.0, np.nan
    return Training(np.asfortranarray(x), y, *[np.arange(count)] * 3)


@pytest.mark.parametrize("name", ["ridge", "hgb", "keras"])
def test_kind_learns_repeats_itself_survives_storage_and_forecasts_each_row_alone(name: str) -> None:
    kind, training = KINDS[name], made_training(700)
    fitted = kind.fit(training, 1)
    again = kind.fit(training, 1)
    assert kind.fitted_hash(fitted) == kind.fitted_hash(again)
    dump, unknown, read = FORMATS[kind.format]
    body = dump(fitted)
    assert list(unknown(body)) == []
    stored = read(body)
    assert kind.fitted_hash(stored) == kind.fitted_hash(fitted)
    fresh = made_training(300, seed=2)
    together = kind.predict(stored, fresh.x)
    alone = np.concatenate([kind.predict(stored, fresh.x[place : place + 1]) for place in range(60)])
    assert together[:60].tobytes() == alone.tobytes()
    assert np.corrcoef(together, fresh.y)[0, 1] > 0.3
    if name == "keras":
        assert kind.fitted_hash(kind.fit(training, 2)) != kind.fitted_hash(fitted)
        mean, variance = stored.layers[0].get_weights()
        reach = 5.0 * np.sqrt(variance)
        plain = np.where(np.isnan(fresh.x), mean, np.clip(fresh.x, mean - reach, mean + reach))
        assert together == pytest.approx(stored.predict(plain, verbose=0)[:, 0], abs=1e-6)


def test_ridge_is_the_linear_baseline_and_its_sum_is_the_pipelines_own() -> None:
    training = made_training(300)
    fitted = KINDS[LINEAR].fit(training, 0)
    assert KINDS[LINEAR].predict(fitted, training.x) == pytest.approx(fitted.predict(training.x), rel=1e-10)


@pytest.mark.parametrize("count", [300, 301])
def test_ridge_is_to_the_bit_the_pipeline_that_scikit_learn_fits(count: int) -> None:
    training = made_training(count)
    steps = [
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scale", StandardScaler()),
        ("regress", Ridge(alpha=10_000.0, solver="cholesky")),
    ]
    plain = Pipeline(steps).fit(training.x, training.target)
    assert KINDS[LINEAR].fitted_hash(KINDS[LINEAR].fit(training, 0)) == KINDS[LINEAR].fitted_hash(plain)


@pytest.mark.parametrize(("name", "copies"), [("ridge", 1.6), ("hgb", 0.9)])
def test_a_fit_copies_its_rows_at_most_once_and_leaves_them_as_they_were(name: str, copies: float) -> None:
    """Three years of 500 stocks are 0.2 GB a copy. Ridge works on one; trees on none, but on bytes."""
    training = made_training(40_000)
    before = training.data_hash()
    KINDS[name].fit(training, 1)  # what is imported and compiled at first is not counted
    tracemalloc.start()
    try:
        KINDS[name].fit(training, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert training.data_hash() == before
    assert peak < copies * training.x.nbytes


def test_seed_is_of_the_kind_and_the_month() -> None:
    seeds = {kind.seed(month) for kind in KINDS.values() for month in ("2020-01", "2020-02")}
    assert len(seeds) == 6
    assert KINDS["keras"].seed("2020-01") == KINDS["keras"].seed("2020-01")
