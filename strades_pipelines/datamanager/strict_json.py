"""JSON as RFC 8259 has it, and no more: what Python's own reader lets through is refused here in one line.

Python accepts NaN and Infinity, keeps the last of two equal keys, and stops at its recursion limit with a crash.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import orjson

MAX_DEPTH = 64
LONGEST_PATH, LONGEST_NUMBER = 200, 40  # characters
MOST_FAULTS = 1000
# orjson rounds integers beyond 64 bits.
LONG_DIGITS = re.compile(rb"[0-9]{19}")


class JsonError(ValueError):
    """A text is not the JSON it should be; one line, with the path of the key where there is one."""


class Invalid:
    """Stands in a document for a value that JSON does not have, until its place is known.

    `key` is the one that an object has twice; None for a value that is no object.
    """

    def __init__(self, message: str, key: str | None = None) -> None:
        self.message, self.key = message, key

    def error_at(self, place: "Place | None") -> JsonError:
        """The error of this value, found at a place."""
        where = place if self.key is None else Place(place, self.key)
        return JsonError(self.message if where is None else f"{where}: {self.message}")


def loads(body: bytes, *, parse_float: Callable[[str], Any] = float) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte order mark.

    Raises:
        JsonError: not UTF-8, not JSON, a bare NaN or Infinity, a repeated key, nested too deep.
    """
    if parse_float is float and (fast := _parse_plain(body)) is not None:
        return fast
    value, faults = _parse(body, parse_float)
    if faults:
        # The second of two equal keys hides the first, and a fault in that.
        raise next(
            (node.error_at(at) for at, node in walk(value) if isinstance(node, Invalid)), faults[0].error_at(None)
        )
    return value


def loads_with_faults(body: bytes, *, parse_float: Callable[[str], Any] = float) -> Any:
    """As `loads`, but a value that JSON does not have is an `Invalid` in its place, so that one entry stops no other.

    Raises:
        JsonError: not UTF-8, not JSON, or nested beyond the reader's limit.
    """
    return _parse(body, parse_float)[0]


def _parse_plain(body: bytes) -> Any:
    """The value of a text that orjson surely reads as `_parse` does, several times faster; None of any other.

    orjson refuses what JSON does not have, but keeps the last of two equal keys. In a text without backslashes each
    key and each string has two quotes: where its value written out has as many of them, no key was dropped.
    """
    if b"\\" in body or LONG_DIGITS.search(body):
        return None
    try:
        value = orjson.loads(body)
        written = orjson.dumps(value)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # the latter beyond 254 levels
        return None
    return value if written.count(b'"') == body.count(b'"') else None


def _parse(body: bytes, parse_float: Callable[[str], Any]) -> tuple[Any, list[Invalid]]:
    faults: list[Invalid] = []

    def invalid(message: str, key: str | None = None) -> Invalid:
        found = Invalid(message, key)
        if len(faults) == MOST_FAULTS:
            raise found.error_at(None)
        faults.append(found)
        return found

    def integer(text: str) -> Any:
        try:
            return int(text)
        # Python refuses to read longer ones, whose time grows with the square of their length.
        except ValueError:
            return invalid("expected integers of at most 4300 digits, was more")

    def decimal(text: str) -> Any:
        try:
            return parse_float(text)
        except ArithmeticError:
            return invalid(f"expected a number with a smaller exponent, was {text[:LONGEST_NUMBER]}")

    def pairs(items: list[tuple[str, Any]]) -> Any:
        made = dict(items)
        if len(made) == len(items):
            return made
        key = first_repeated(name for name, _ in items)
        return invalid("expected each key once, was repeated", key[:LONGEST_PATH])

    try:
        value = json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=pairs,
            parse_constant=lambda name: invalid(f"expected a JSON number, was the bare word {name}"),
            parse_float=decimal,
            parse_int=integer,
        )
    except UnicodeDecodeError as error:
        raise JsonError(f"expected UTF-8 text, was byte {body[error.start]:#04x} at {error.start}") from None
    except RecursionError:
        raise JsonError("expected JSON of a few levels, was nested beyond the reader's limit") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"expected JSON, was {error.msg} at line {error.lineno} column {error.colno}") from None
    return value, faults


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
            parts.append(f"[{key}]" if isinstance(key, int) else f".{_printable(key[:LONGEST_PATH])}")
            place = place.parent
        return "".join(reversed(parts)).lstrip(".")[:LONGEST_PATH]


def _printable(key: str) -> str:
    return key if key.isprintable() else ascii(key)[1:-1]


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
