"""Stored models that were made to run code when they are loaded: they are refused, and nothing of them runs."""

import json
import os
import pickle
import shutil
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from strades_pipelines.database.bulk import load
from strades_pipelines.predictor.artifact_bounds import UntrustedModel
from strades_pipelines.predictor.artifacts import load_model
from tests.predictor.made import NOW
from tests.predictor.test_artifacts import dense, network

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

TOUCH = shutil.which("touch") or "touch"
Json = dict[str, Any]
NUMBERS = count(1)  # skops takes nodes of one number for one object
Canary = Path  # a file that is there if code ran; its name has blanks


class Reduced:
    """Makes the canary when it is unpickled."""

    def __init__(self, canary: Canary) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"{TOUCH} '{self.canary}'",)


def archive(members: dict[str, bytes]) -> bytes:
    """A zip file; a name may be there twice."""
    body = BytesIO()
    with zipfile.ZipFile(body, "w") as written:
        for name, content in members.items():
            written.writestr(name.rstrip("#"), content)
    return body.getvalue()


def node(loader: str, module: str, name: str, content: Any = None, **more: Any) -> Json:
    """A node of a skops schema."""
    return {
        "__loader__": loader,
        "__module__": module,
        "__class__": name,
        "content": content,
        "__id__": next(NUMBERS),
        **more,
    }


def text(value: Any) -> Json:
    """A node that is a JSON value."""
    return node("JsonNode", "builtins", "str", json.dumps(value), is_json=True)


def listed(loader: str, *values: Json) -> Json:
    """A node of a list or tuple."""
    return node(loader, "builtins", loader.removesuffix("Node").lower(), list(values))


def schema(root: Json, **files: bytes) -> bytes:
    """A skops file of a handmade root."""
    from skops import __version__
    from skops.io._protocol import PROTOCOL

    document = {**root, "protocol": PROTOCOL, "_skops_version": __version__}
    return archive({"schema.json": json.dumps(document).encode(), **files})


def dictionary(**values: Json) -> Json:
    """A node of a dictionary."""
    return node("DictNode", "builtins", "dict", values, key_types=listed("ListNode"))


def called(module: str, name: str, argument: Any) -> bytes:
    """An object that is made by calling a class or function."""
    return schema(
        node(
            "ConstructorFromReduceNode", module, name, listed("TupleNode", text(argument)), trusted=[f"{module}.{name}"]
        )
    )


def array(content: bytes, loader: str = "NdArrayNode") -> bytes:
    """An array with its file."""
    return schema(node(loader, "numpy", "ndarray", type="numpy", file="1.npy"), **{"1.npy": content})


def object_array(canary: Canary) -> bytes:
    """A .npy file whose items are pickled."""
    body = BytesIO()
    np.save(body, np.array([Reduced(canary)], dtype=object), allow_pickle=True)
    return body.getvalue()


def layer(module: str, name: str, **config: Any) -> Json:
    """A layer of a Keras configuration."""
    return {"module": module, "class_name": name, "config": config}


SKOPS: dict[str, Callable[[Canary], bytes]] = {
    "a pickle": lambda canary: pickle.dumps(Reduced(canary)),
    "a pickle among the members": lambda canary: archive({"schema.json": pickle.dumps(Reduced(canary))}),
    "os.system": lambda canary: called("os", "system", f"{TOUCH} '{canary}'"),
    "Popen": lambda canary: called("subprocess", "Popen", [TOUCH, str(canary)]),
    "eval": lambda canary: called("builtins", "eval", f"open({str(canary)!r}, 'w')"),
    "open": lambda canary: schema(
        node("ConstructorFromReduceNode", "io", "open", listed("TupleNode", text(str(canary)), text("w")))
    ),
    "partial": lambda canary: schema(
        node(
            "PartialNode",
            "functools",
            "partial",
            {
                "func": node("FunctionNode", "os", "system"),
                "args": listed("TupleNode", text(f"{TOUCH} '{canary}'")),
                "kwds": dictionary(),
                "namespace": text(None),
            },
        )
    ),
    "methodcaller": lambda canary: schema(
        node(
            "OperatorFuncNode", "operator", "methodcaller", attrs=listed("TupleNode", text("system"), text(str(canary)))
        )
    ),
    "call": lambda canary: schema(
        node(
            "OperatorFuncNode",
            "operator",
            "call",
            attrs=listed("TupleNode", node("TypeNode", "os", "system"), text(f"{TOUCH} '{canary}'")),
        )
    ),
    "MethodNode": lambda canary: schema(
        node(
            "MethodNode",
            "pathlib",
            "Path",
            {
                "func": "touch",
                "obj": node("ConstructorFromReduceNode", "pathlib", "Path", listed("TupleNode", text(str(canary)))),
            },
        )
    ),
    "a state": lambda canary: schema(
        node("ObjectNode", "tests.predictor.test_hostile_artifacts", "Touching", text(str(canary)))
    ),
    "a module that is imported": lambda canary: schema(node("TypeNode", "this", "s")),
    "an object array": lambda canary: array(object_array(canary)),
    "an object array as a matrix": lambda canary: array(object_array(canary), "SparseMatrixNode"),
    "an old protocol": lambda canary: archive(
        {
            "schema.json": json.dumps(
                node("FunctionNode", "os", "system", {"module_path": "os", "function": "system"}, protocol=0)
            ).encode()
        }
    ),
}
KERAS: dict[str, Callable[[Canary], bytes]] = {
    "a Lambda": lambda canary: network([layer("keras.layers", "Lambda", function=f"open({str(canary)!r}, 'w')")], b""),
    "os.system as a layer": lambda canary: network([layer("os", "system", command=f"{TOUCH} '{canary}'")], b""),
    "os.system as a dense layer": lambda canary: network([layer("os", "Dense", command=f"{TOUCH} '{canary}'")], b""),
    "os.system as the model": lambda canary: archive(
        {
            "config.json": json.dumps(layer("os", "system", command=f"{TOUCH} '{canary}'")).encode(),
            "model.weights.h5": b"",
        }
    ),
    "a function as activation": lambda canary: network(
        [
            layer(
                "keras.layers",
                "Dense",
                units=1,
                activation={"module": "os", "class_name": "function", "config": "system", "registered_name": "system"},
            )
        ],
        bytes(1000),
    ),
    "a class behind a list": lambda canary: network(
        [layer("keras.layers", "Dense", units=1, callbacks=[[{"class_name": "__lambda__", "config": {"value": ""}}]])],
        bytes(1000),
    ),
    "a second config.json": lambda canary: archive(
        {
            "config.json": json.dumps(layer("keras", "Sequential", layers=[layer("os", "system")])).encode(),
            "model.weights.h5": bytes(1000),
            "config.json#": json.dumps(layer("keras", "Sequential", layers=[dense(1)])).encode(),
        }
    ),
    "a member of another folder": lambda canary: network([dense(1)], bytes(1000), **{f"../../../{canary}": b"x"}),
    "an absolute member": lambda canary: network([dense(1)], bytes(1000), **{str(canary): b"x"}),
    "an asset": lambda canary: network(
        [dense(1)], bytes(1000), **{"assets/x.py": f"open({str(canary)!r}, 'w')".encode()}
    ),
    "a pickle": lambda canary: pickle.dumps(Reduced(canary)),
}


class Touching:
    """Makes the canary when its state is set."""

    def __setstate__(self, state: Any) -> None:
        Path(state).touch()


@pytest.mark.parametrize(("format", "cases"), [("skops", SKOPS), ("keras", KERAS)])
def test_a_model_that_would_run_code_is_refused_and_nothing_of_it_runs(
    adbc: "Connection", tmp_path: Path, format: str, cases: dict[str, Callable[[Canary], bytes]]
) -> None:
    bodies = [made(tmp_path / name) for name, made in cases.items()]
    rows = {"model_id": list(cases), "format": [format] * len(cases), "body": pa.array(bodies, pa.binary())}
    with adbc.cursor() as cursor:
        load(cursor, "ops.artifacts", pa.table(rows), key=("model_id",), now=NOW)
        for name in cases:
            with pytest.raises(UntrustedModel) as refused:
                load_model(cursor, name)
            assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    assert "this" not in sys.modules
