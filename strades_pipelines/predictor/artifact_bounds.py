"""Refuse a stored model that would take more memory than it has bytes, before a library builds anything of it."""

import json
import re
import zipfile
from io import BytesIO
from typing import Any

MOST_MEMBER_BYTES = 256_000_000  # unpacked, all members together
MOST_MEMBERS = 100_000  # a boosted ensemble has three arrays a tree
MOST_LAYERS = 16
FLOAT_BYTES = 4


class UntrustedModel(RuntimeError):
    """A stored model asks for a type that is not on our list, or is damaged or too large; it is not loaded."""


def check_members(body: bytes, names: re.Pattern[str]) -> None:
    """Refuse a zip archive with other members than `names`, or with more bytes in them than may be.

    Raises:
        UntrustedModel: in one line.
        zipfile.BadZipFile: for bytes that are no archive.
    """
    with zipfile.ZipFile(BytesIO(body)) as archive:
        members = archive.infolist()  # zipfile reads no more of a member than it says here
    for member in members:
        if not names.fullmatch(member.filename):
            raise UntrustedModel(f"expected no members but {names.pattern}, was {member.filename[:80]!r}")
    size = sum(member.file_size for member in members)
    if len(members) > MOST_MEMBERS or size > MOST_MEMBER_BYTES:
        raise UntrustedModel(
            f"expected at most {MOST_MEMBERS} members of {MOST_MEMBER_BYTES} bytes, was {len(members)} of {size}"
        )


def check_network(body: bytes) -> None:
    """Refuse a Keras file whose layers have more parameters than its weights have bytes for.

    Keras allocates and fills what the configuration says before it looks at the weights.

    Raises:
        UntrustedModel: in one line.
        Exception: KeyError, TypeError and others for a configuration of another shape.
    """
    with zipfile.ZipFile(BytesIO(body)) as archive:
        layers = json.loads(archive.read("config.json"))["config"]["layers"]
        weights = archive.read("model.weights.h5")
    if len(layers) > MOST_LAYERS:
        raise UntrustedModel(f"expected at most {MOST_LAYERS} layers, was {len(layers)}")
    needed = FLOAT_BYTES * parameter_count(layers)
    if needed > len(weights):
        raise UntrustedModel(f"expected weights of {needed} bytes for its layers, was {len(weights)}")
    _check_stored_arrays(weights)


def parameter_count(layers: list[Any]) -> int:
    """How many numbers a stack of dense layers has. Where a configuration contradicts itself, the larger is counted."""
    total = width = 0
    for layer in layers:
        config = layer["config"]
        shapes = [config.get("batch_shape"), *(layer.get("build_config") or {}).values()]
        width = max([width, *(_size(size) for shape in shapes if shape for size in shape if size is not None)])
        if layer["class_name"] == "Dense":
            total += (width + 1) * _size(config["units"])
            width = config["units"]
        elif layer["class_name"] == "BatchNormalization":
            total += 2 * width
    return total


def _size(value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise UntrustedModel(f"expected whole numbers above 0 as sizes of its layers, was {str(value)[:80]!r}")
    return value


def _check_stored_arrays(weights: bytes) -> None:
    """Refuse arrays that unpack to more than the file, and links: HDF5 can name other files of the machine."""
    import h5py  # type: ignore[import-untyped]

    with h5py.File(BytesIO(weights), "r") as file:
        groups, size = [file], 0
        while groups:
            group = groups.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise UntrustedModel(f"expected no links among its weights, was one at {name[:80]!r}")
                node = group[name]
                if isinstance(node, h5py.Group):
                    groups.append(node)
                    continue
                size += node.nbytes
                if node.external or node.is_virtual or size > len(weights):
                    raise UntrustedModel("expected its weights within its own file and no larger, was otherwise")
