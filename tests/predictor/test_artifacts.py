"""A stored model is loaded only if it holds nothing but what we put there."""

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from strades_pipelines.predictor.artifacts import UntrustedModel, load_model, store_model
from strades_pipelines.predictor.dataset import Training
from strades_pipelines.predictor.walk_forward import fit, fitted_hash
from tests.predictor.made import NOW

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection


def test_model_comes_back_with_the_same_numbers(adbc: "Connection") -> None:
    random = np.random.default_rng(1)
    pipeline = fit(Training(random.normal(size=(50, 10)), random.normal(size=50), *[np.arange(50)] * 3))
    with adbc.cursor() as cursor:
        store_model(cursor, "m", pipeline, now=NOW)
        assert fitted_hash(load_model(cursor, "m")) == fitted_hash(pipeline)


def test_model_of_another_kind_is_refused(adbc: "Connection") -> None:
    from sklearn.dummy import DummyRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    foreign = Pipeline([("run", FunctionTransformer(pickle.loads)), ("end", DummyRegressor())])
    with adbc.cursor() as cursor:
        store_model(cursor, "m", foreign, now=NOW)
        with pytest.raises(UntrustedModel, match="loads"):
            load_model(cursor, "m")


def test_missing_model_is_named(adbc: "Connection") -> None:
    with adbc.cursor() as cursor, pytest.raises(KeyError, match="model m: expected a skops artifact"):
        load_model(cursor, "m")
