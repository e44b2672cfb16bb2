"""Fitted models in the database, in formats that load without running code, and only if they hold what we put there."""

import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from strades_pipelines.database.bulk import load
from strades_pipelines.predictor.artifact_bounds import UntrustedModel, check_members, check_network

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# Types beyond those skops trusts: of scikit-learn's own, arrays of tree nodes.
TRUSTED = frozenset({"numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"})
# The one architecture a stored network may have.
LAYERS = frozenset({"Sequential", "InputLayer", "BatchNormalization", "Dense"})
SKOPS_MEMBER = re.compile(r"schema\.json|[0-9]+\.npy")
KERAS_MEMBER = re.compile(r"metadata\.json|config\.json|model\.weights\.h5")
CONFIGURED = LAYERS | {"DTypePolicy", "GlorotUniform", "Zeros", "Ones"}


BODY = "SELECT format, CASE WHEN octet_length(body) <= $2 THEN body END FROM ops.artifacts WHERE model_id = $1"
MOST_BYTES = 64_000_000  # the largest of ours, a boosted ensemble, has 0.3 MB


def store_model(cursor: "Cursor", model_id: str, fitted: Any, *, format: str = "skops", now: datetime) -> None:
    """Write a fitted model to ops.artifacts; commits nothing."""
    row = {"model_id": [model_id], "format": [format], "body": pa.array([FORMATS[format][0](fitted)], pa.binary())}
    load(cursor, "ops.artifacts", pa.table(row), key=("model_id",), now=now)


def load_model(cursor: "Cursor", model_id: str) -> Any:
    """Read a fitted model back.

    Raises:
        KeyError: when there is none of this id.
        UntrustedModel: when it holds a type that is neither its format's own nor on the list, would take more memory
            than it has bytes, or is damaged.
    """
    cursor.execute(BODY, (model_id, MOST_BYTES))
    found = cursor.fetchone()
    if found is None or found[0] not in FORMATS:
        raise KeyError(f"model {model_id}: expected a {' or '.join(FORMATS)} artifact, was {found and found[0]!r}")
    try:
        return _read(found[0], found[1])
    except UntrustedModel as error:
        raise UntrustedModel(f"model {model_id}: {error}") from None
    except Exception as error:  # what the libraries raise over damaged bytes is anything, also MemoryError
        said = " ".join(str(error).split())[:200]
        raise UntrustedModel(
            f"model {model_id}: expected a whole artifact, was damaged ({type(error).__name__}: {said})"
        ) from None


def _read(format: str, stored: bytes | None) -> Any:
    if stored is None:
        raise UntrustedModel(f"expected an artifact of at most {MOST_BYTES} bytes, was more")
    body = bytes(stored)
    _, unknown_types, read = FORMATS[format]
    # All of them before a library sees the body: it would build what they name.
    unknown = sorted(set(unknown_types(body)))
    if unknown:
        raise UntrustedModel(f"expected no types but the trusted ones, was {', '.join(unknown)[:200]}")
    return read(body)


def _dump_skops(fitted: Any) -> bytes:
    from skops.io import dumps

    body: bytes = dumps(fitted)
    return body


def _unknown_skops(body: bytes) -> Iterator[str]:
    from skops.io import get_untrusted_types

    check_members(body, SKOPS_MEMBER)
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
    check_members(body, KERAS_MEMBER)
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

    check_network(body)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(body)
        # `safe_mode`: a layer of Python code in the file is refused.
        return framework().models.load_model(path, compile=False, safe_mode=True)


Format = tuple[Callable[[Any], bytes], Callable[[bytes], Iterator[str]], Callable[[bytes], Any]]
FORMATS: dict[str, Format] = {
    "skops": (_dump_skops, _unknown_skops, _load_skops),
    "keras": (_dump_keras, _unknown_keras, _load_keras),
}
