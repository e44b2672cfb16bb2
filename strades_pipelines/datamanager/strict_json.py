"""JSON as RFC 8259 has it, and no more: what Python's own reader lets through is refused here in one line.

Python accepts NaN and Infinity, keeps the last of two equal keys, and stops at its recursion limit with a crash.
"""

import json
from collections.abc import Callable
from typing import Any, NoReturn

MAX_DEPTH = 64


class JsonError(ValueError):
    """A text is not the JSON it should be; one line, with the path of the key where there is one."""


class _Repeated:
    """Stands where an object with two equal keys was, until its path is known."""

    def __init__(self, key: str) -> None:
        self.key = key


def loads(body: bytes, *, parse_float: Callable[[str], Any] = float) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte order mark.

    Raises:
        JsonError: not UTF-8, not JSON, a bare NaN or Infinity, a repeated key, nested too deep.
    """
    repeated: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> Any:
        made = dict(items)
        if len(made) == len(items):
            return made
        names = [name for name, _ in items]
        key = next(name for name in names if names.count(name) > 1)
        repeated.append(key)
        return _Repeated(key)

    try:
        value = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=pairs, parse_constant=_refuse_constant, parse_float=parse_float
        )
    except UnicodeDecodeError as error:
        raise JsonError(f"expected UTF-8 text, was byte {body[error.start]:#04x} at {error.start}") from None
    except RecursionError:
        raise JsonError("expected JSON of a few levels, was nested beyond the reader's limit") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"expected JSON, was {error.msg} at line {error.lineno} column {error.colno}") from None
    except ValueError as error:
        if isinstance(error, JsonError):
            raise
        raise JsonError("expected integers of at most 4300 digits, was more") from None
    if repeated:
        path = next((f"{at}.{found.key}" for at, found in walk(value) if isinstance(found, _Repeated)), repeated[0])
        raise JsonError(f"{path.lstrip('.')}: expected each key once, was repeated")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"expected a JSON number, was the bare word {name}")


def walk(value: Any) -> list[tuple[str, Any]]:
    """Every node with its path (`websites[0].name`), breadth first, without recursion.

    Raises:
        JsonError: deeper than 64 levels.
    """
    nodes: list[tuple[str, Any]] = []
    level = [("", value)]
    for _ in range(MAX_DEPTH):
        if not level:
            return nodes
        nodes += level
        level = [child for path, node in level for child in _children(path, node)]
    raise JsonError(f"{level[0][0][:80]}: expected at most {MAX_DEPTH} levels, was deeper")


def _children(path: str, node: Any) -> list[tuple[str, Any]]:
    if isinstance(node, dict):
        return [(f"{path}.{key}" if path else key, child) for key, child in node.items()]
    if isinstance(node, list):
        return [(f"{path}[{index}]", child) for index, child in enumerate(node)]
    return []
