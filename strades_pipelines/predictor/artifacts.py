"""Fitted models in the database, in a format that loads without running code."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from strades_pipelines.database.bulk import load

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

FORMAT = "skops"
TRUSTED = frozenset({"numpy.dtype"})  # types beyond those skops trusts


class UntrustedModel(RuntimeError):
    """A stored model asks for a type that is not on our list; it is not loaded."""


def store_model(cursor: "Cursor", model_id: str, pipeline: Any, *, now: datetime) -> None:
    """Write a fitted pipeline to ops.artifacts; commits nothing."""
    from skops.io import dumps

    row = {"model_id": [model_id], "format": [FORMAT], "body": pa.array([dumps(pipeline)], pa.binary())}
    load(cursor, "ops.artifacts", pa.table(row), key=("model_id",), now=now)


def load_model(cursor: "Cursor", model_id: str) -> Any:
    """Read a fitted pipeline back.

    Raises:
        KeyError: when there is none of this id.
        UntrustedModel: when it holds a type that is neither skops' own nor on the list.
    """
    from skops.io import get_untrusted_types, loads

    cursor.execute("SELECT format, body FROM ops.artifacts WHERE model_id = $1", (model_id,))
    found = cursor.fetchone()
    if found is None or found[0] != FORMAT:
        raise KeyError(f"model {model_id}: expected a {FORMAT} artifact, was {found and found[0]!r}")
    body = bytes(found[1])
    unknown = sorted(set(get_untrusted_types(data=body)) - TRUSTED)
    if unknown:
        raise UntrustedModel(f"model {model_id}: expected no types but the trusted ones, was {', '.join(unknown)}")
    return loads(body, trusted=sorted(TRUSTED))
