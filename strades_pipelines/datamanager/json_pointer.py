"""Places in a JSON document."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

ABSENT = object()


def resolve(root: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901), or ABSENT.

    Beyond the RFC, `*` is the one member that is an array, whatever its key, and `-1` the last element of an array.
    """
    node = root
    for part in _parts(pointer):
        if isinstance(node, dict):
            if part == "*":
                arrays = [member for member in node.values() if isinstance(member, list)]
                node = arrays[0] if len(arrays) == 1 else ABSENT
            else:
                node = node.get(part if "~" not in part else part.replace("~1", "/").replace("~0", "~"), ABSENT)
        elif isinstance(node, list) and part == "-1":
            node = node[-1] if node else ABSENT
        # `isdigit` alone takes ² too, of which `int` makes nothing.
        elif isinstance(node, list) and part.isascii() and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        else:
            return ABSENT
    return node


@lru_cache(maxsize=1024)  # the pointers of the protocols, each of them asked for in every frame of a stream
def _parts(pointer: str) -> tuple[str, ...]:
    return tuple(pointer.split("/")[1:])


def matches(root: Any, wanted: Mapping[str, Any]) -> bool:
    """Whether the values of `wanted` stand at their JSON pointers; of an array of values, one of them."""
    for pointer, value in wanted.items():
        found = resolve(root, pointer)
        if found not in value if isinstance(value, list) else found != value:
            return False
    return True
