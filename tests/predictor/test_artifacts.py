"""A stored model is loaded only if it holds nothing but what we put there."""

import json
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING

import h5py  # type: ignore[import-untyped]
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strades_pipelines.database.bulk import load
from strades_pipelines.predictor.artifact_bounds import UntrustedModel
from strades_pipelines.predictor.artifacts import FORMATS, load_model, store_model
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


@pytest.fixture(scope="module")
def ridge() -> bytes:
    """A fitted pipeline as it is stored."""
    kind, random = KINDS["ridge"], np.random.default_rng(1)
    fitted = kind.fit(Training(random.normal(size=(90, 10)), random.normal(size=90), *[np.arange(90)] * 3), 7)
    return FORMATS["skops"][0](fitted)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_an_untrusted_model_or_does_no_harm(
    adbc: "Connection", ridge: bytes, data: st.DataObject
) -> None:
    body = bytearray(ridge)
    for place in data.draw(st.lists(st.integers(0, len(body) - 1), max_size=5)):
        body[place] ^= data.draw(st.integers(1, 255))
    stored = bytes(body[: data.draw(st.integers(0, len(body)) | st.just(len(body)))])
    row = {"model_id": ["m"], "format": ["skops"], "body": pa.array([stored], pa.binary())}
    with adbc.cursor() as cursor, suppress(UntrustedModel):
        load(cursor, "ops.artifacts", pa.table(row), key=("model_id",), now=NOW)
        load_model(cursor, "m")


def network(layers: list[dict[str, object]], weights: bytes, **others: bytes) -> bytes:
    """A Keras file."""
    config = {"module": "keras", "class_name": "Sequential", "config": {"layers": layers}}
    body = BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights)
        for name, content in others.items():
            archive.writestr(name, content)
    return body.getvalue()


def dense(units: object) -> dict[str, object]:
    """A layer behind ten features."""
    config = {"units": units, "batch_shape": [None, 10]}
    return {"module": "keras.layers", "class_name": "Dense", "config": config}


def hdf5(fill: Callable[[h5py.File], None]) -> bytes:
    """An HDF5 file."""
    body = BytesIO()
    with h5py.File(body, "w") as file:
        fill(file)
    return body.getvalue()


GREEDY = {
    "units": (network([dense(2_000_000_000)], bytes(1000)), "expected weights of 88000000000 bytes"),
    "fractions": (network([dense(1e9)], bytes(1000)), "expected whole numbers above 0"),
    "nothing": (network([dense(float("nan"))], bytes(1000)), "expected whole numbers above 0"),
    "negative": (network([dense(-1)], bytes(1000)), "expected whole numbers above 0"),
    "layers": (network([dense(1)] * 1000, bytes(10**6)), "expected at most 16 layers"),
    "members": (network([dense(1)], bytes(1000), evil=b""), "expected no members but"),
    "bytes": (network([dense(1)], bytes(300_000_000)), "expected at most 100000 members of 256000000 bytes"),
    "arrays": (
        network([dense(1)], hdf5(lambda file: file.create_dataset("a", (10**9,), "f4", chunks=True))),
        "within its own file",
    ),
    "links": (
        network([dense(1)], hdf5(lambda file: file.__setitem__("a", h5py.ExternalLink("/etc/passwd", "/")))),
        "expected no links",
    ),
    "no_zip": (b"PK", "was damaged"),
}


@pytest.mark.parametrize("name", GREEDY)
def test_a_greedy_network_is_refused_before_anything_of_it_is_built(adbc: "Connection", name: str) -> None:
    body, said = GREEDY[name]
    row = {"model_id": ["m"], "format": ["keras"], "body": pa.array([body], pa.binary())}
    with adbc.cursor() as cursor:
        load(cursor, "ops.artifacts", pa.table(row), key=("model_id",), now=NOW)
        with pytest.raises(UntrustedModel, match=said):
            load_model(cursor, "m")


def test_a_body_that_is_too_large_stays_in_the_database(adbc: "Connection") -> None:
    with adbc.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ops.artifacts (model_id, format, body)"
            " VALUES ('m', 'skops', convert_to(repeat('x', 64000001), 'UTF8'))"
        )
        with pytest.raises(UntrustedModel, match="at most 64000000 bytes"):
            load_model(cursor, "m")
