"""JSON as RFC 8259 has it, and no more: what Python's own reader lets through is refused here in one line.

Python accepts NaN and Infinity, keeps the last of two equal keys, and stops at its recursion limit with a crash.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, NoReturn

MAX_DEPTH = 64
LONGEST_PATH = 200  # characters


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
        key = first_repeated(name for name, _ in items)
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
        place = next((Place(at, node.key) for at, node in walk(value) if isinstance(node, _Repeated)), None)
        raise JsonError(f"{place or repeated[0][:LONGEST_PATH]}: expected each key once, was repeated")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise JsonError(f"expected a JSON number, was the bare word {name}")


def first_repeated(names: Iterable[str]) -> str:
    """The first name that was there before, in one pass; the empty text where all differ."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


class Place(NamedTuple):
    """Where a node is: its parent's place and its own key or index. Written out only when it is shown.

    A path for every node would be as long as all keys above it, times the nodes: quadratic in a hostile document.
    """

    parent: "Place | None"
    key: str | int

    def __str__(self) -> str:
        """`websites[0].name`, at most `LONGEST_PATH` characters."""
        parts: list[str] = []
        place: Place | None = self
        while place is not None:
            key = place.key
            parts.append(f"[{key}]" if isinstance(key, int) else f".{key[:LONGEST_PATH]}")
            place = place.parent
        return "".join(reversed(parts)).lstrip(".")[:LONGEST_PATH]


def walk(value: Any) -> Iterator[tuple[Place | None, Any]]:
    """Every node with its place (None for the root), breadth first, without recursion.

    Raises:
        JsonError: deeper than 64 levels.
    """
    level: list[tuple[Place | None, Any]] = [(None, value)]
    for _ in range(MAX_DEPTH):
        if not level:
            return
        yield from level
        level = [child for place, node in level for child in _children(place, node)]
    if level:
        raise JsonError(f"{str(level[0][0])[:80]}: expected at most {MAX_DEPTH} levels, was deeper")


def _children(place: Place | None, node: Any) -> Iterator[tuple[Place, Any]]:
    if isinstance(node, dict):
        return ((Place(place, key), child) for key, child in node.items())
    if isinstance(node, list):
        return ((Place(place, index), child) for index, child in enumerate(node))
    return iter(())
