"""A stored model is loaded only if it holds nothing but what we put there."""

import json
import pickle
import zipfile
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from strades_pipelines.database.bulk import load
from strades_pipelines.predictor.artifacts import UntrustedModel, load_model, store_model
from strades_pipelines.predictor.dataset import Training
from strades_pipelines.predictor.models.kinds import KINDS
from tests.predictor.made import NOW

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection


@pytest.mark.parametrize("name", ["ridge", "hgb"])
def test_model_comes_back_with_the_same_numbers(adbc: "Connection", name: str) -> None:
    kind, random = KINDS[name], np.random.default_rng(1)
    fitted = kind.fit(Training(random.normal(size=(90, 10)), random.normal(size=90), *[np.arange(90)] * 3), 7)
    with adbc.cursor() as cursor:
        store_model(cursor, "m", fitted, format=kind.format, now=NOW)
        assert kind.fitted_hash(load_model(cursor, "m")) == kind.fitted_hash(fitted)


def test_model_of_another_kind_is_refused(adbc: "Connection") -> None:
    from sklearn.dummy import DummyRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    foreign = Pipeline([("run", FunctionTransformer(pickle.loads)), ("end", DummyRegressor())])
    with adbc.cursor() as cursor:
        store_model(cursor, "m", foreign, now=NOW)
        with pytest.raises(UntrustedModel, match="loads"):
            load_model(cursor, "m")


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "keras.layers", "class_name": "Lambda", "config": {}},
        {"module": "os", "class_name": "Dense", "config": {}},
        {"module": "keras.layers", "class_name": "Dense", "config": {"activation": {"class_name": "function"}}},
    ],
)
def test_network_that_names_another_class_is_refused_without_being_read(
    adbc: "Connection", layer: dict[str, object]
) -> None:
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": [layer]}}
    body = BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
    row = {"model_id": ["m"], "format": ["keras"], "body": pa.array([body.getvalue()], pa.binary())}
    with adbc.cursor() as cursor:
        load(cursor, "ops.artifacts", pa.table(row), key=("model_id",), now=NOW)
        with pytest.raises(UntrustedModel, match=r"Lambda|os\.Dense|function"):
            load_model(cursor, "m")


def test_missing_model_is_named(adbc: "Connection") -> None:
    with adbc.cursor() as cursor, pytest.raises(KeyError, match="model m: expected a skops or keras artifact"):
        load_model(cursor, "m")
