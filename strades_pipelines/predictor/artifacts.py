"""Fitted models in the database, in formats that load without running code, and only if they hold what we put there."""

import json
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from strades_pipelines.database.bulk import load

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# Types beyond those skops trusts: of scikit-learn's own, arrays of tree nodes.
TRUSTED = frozenset({"numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"})
# The one architecture a stored network may have.
LAYERS = frozenset({"Sequential", "InputLayer", "BatchNormalization", "Dense"})
CONFIGURED = LAYERS | {"DTypePolicy", "GlorotUniform", "Zeros", "Ones"}


class UntrustedModel(RuntimeError):
    """A stored model asks for a type that is not on our list; it is not loaded."""


def store_model(cursor: "Cursor", model_id: str, fitted: Any, *, format: str = "skops", now: datetime) -> None:
    """Write a fitted model to ops.artifacts; commits nothing."""
    row = {"model_id": [model_id], "format": [format], "body": pa.array([FORMATS[format][0](fitted)], pa.binary())}
    load(cursor, "ops.artifacts", pa.table(row), key=("model_id",), now=now)


def load_model(cursor: "Cursor", model_id: str) -> Any:
    """Read a fitted model back.

    Raises:
        KeyError: when there is none of this id.
        UntrustedModel: when it holds a type that is neither its format's own nor on the list.
    """
    cursor.execute("SELECT format, body FROM ops.artifacts WHERE model_id = $1", (model_id,))
    found = cursor.fetchone()
    if found is None or found[0] not in FORMATS:
        raise KeyError(f"model {model_id}: expected a {' or '.join(FORMATS)} artifact, was {found and found[0]!r}")
    body = bytes(found[1])
    _, unknown_types, read = FORMATS[found[0]]
    unknown = sorted(set(unknown_types(body)))
    if unknown:
        raise UntrustedModel(f"model {model_id}: expected no types but the trusted ones, was {', '.join(unknown)}")
    return read(body)


def _dump_skops(fitted: Any) -> bytes:
    from skops.io import dumps

    body: bytes = dumps(fitted)
    return body


def _unknown_skops(body: bytes) -> Iterator[str]:
    from skops.io import get_untrusted_types

    yield from set(get_untrusted_types(data=body)) - TRUSTED


def _load_skops(body: bytes) -> Any:
    from skops.io import loads

    return loads(body, trusted=sorted(TRUSTED))


def _dump_keras(network: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        network.save(path)
        return path.read_bytes()


def _unknown_keras(body: bytes) -> Iterator[str]:
    """The classes that the file's configuration names and the list does not; reading it runs nothing."""
    with zipfile.ZipFile(BytesIO(body)) as archive:
        waiting: list[Any] = [json.loads(archive.read("config.json"))]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = part.get("class_name")
            if name is not None and not (name in CONFIGURED and str(part.get("module", "keras")).startswith("keras")):
                yield f"{part.get('module')}.{name}"
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _load_keras(body: bytes) -> Any:
    from strades_pipelines.predictor.models.dense import framework

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(body)
        return framework().models.load_model(path, compile=False, safe_mode=True)


Format = tuple[Callable[[Any], bytes], Callable[[bytes], Iterator[str]], Callable[[bytes], Any]]
FORMATS: dict[str, Format] = {
    "skops": (_dump_skops, _unknown_skops, _load_skops),
    "keras": (_dump_keras, _unknown_keras, _load_keras),
}
