"""The shape that an object has: which of its attributes have a place in the arrays, by the values they hold now."""

import inspect
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from types import ModuleType
from typing import Any

from strades_pipelines.compiler.shapes import SCALARS, Field, Reserve, Shape, inline_size

KNOWN: dict[Any, Shape] = {}  # by signature: the same shape is the same object, and quick to find and compare


def shape_of(obj: Any) -> Shape:
    """The shape of an object by the values it has now; attributes of other kinds have no place."""
    if hasattr(type(obj), "compiled_as"):
        obj = obj.compiled_as()
    key = _signature(obj)
    if key not in KNOWN:
        made = _shape(obj)
        KNOWN[key] = KNOWN.setdefault(made, made)
    return KNOWN[key]


def _signature(value: Any) -> Any:
    """What of a value decides its shape."""
    cls = type(value)
    if cls in SCALARS:
        return cls
    if cls is list:
        types = frozenset(map(type, value))
        inner = None if types <= SCALARS.keys() else _signatures(value)
        return (types, len(value) == 1, inner)
    if cls is tuple:
        return tuple(map(_signature, value))
    if cls is Reserve:
        return value
    if not is_plain(value):
        return ("unplaced", cls)
    state = state_of(value)
    fixed = [(name, state[name]) for name in listed(value, "constants")]
    kinds: Sequence[Any] = tuple(map(type, state.values()))
    if not SCALARS.keys() >= set(kinds):
        references = listed(value, "references")
        kinds = [
            kind if kind in SCALARS else "reference" if name in references else _signature(one)
            for kind, (name, one) in zip(kinds, state.items(), strict=True)
        ]
    return (cls, *fixed, *state, *kinds)


def _signatures(values: list[Any]) -> frozenset[Any]:
    """The signatures of some objects; of most lists, of orders above all, they are all the same."""
    if all(map(is_plain, values)) and type(values[0]) is type(values[-1]):
        states = list(map(vars, values))
        kinds = {tuple(map(type, state.values())) for state in states}
        if (
            len(kinds) == 1
            and SCALARS.keys() >= set(*kinds)
            and all(state.keys() == states[0].keys() for state in states)
        ):
            return frozenset(map(_signature, values[:1])) | frozenset(map(type, values))
    return frozenset(map(_signature, values))


def _shape(obj: Any) -> Shape:
    found: list[tuple[str, Field]] = []
    unplaced: dict[str, str] = {}
    together = listed(obj, "interleaved")
    constants, references = listed(obj, "constants"), listed(obj, "references")
    f, n = 0, 0
    state = vars(obj)
    alone = bool(together) and len(state[together[0]]) == 1
    if together and not alone:
        found += _interleaved({name: state[name] for name in together})
        n = 3
    for name, value in state.items():
        if _is_reached_by_code(type(obj), name):
            unplaced[name] = f"behind a {type(inspect.getattr_static(type(obj), name)).__name__} of its class"
            continue
        if name in constants:
            found.append((name, Field("constant", f, n, value=value)))
            continue
        if name in references:
            found.append((name, Field("reference", f, n)))
            continue
        entry = _single(value, f, n) if alone and name in together else None
        if name not in together:
            entry = _field(value, f, n)
        if entry is None:
            if name not in together:
                unplaced[name] = _description(value)
            continue
        found.append((name, entry))
        f_more, n_more = inline_size(entry)
        f, n = f + f_more, n + n_more
    return Shape(type(obj), tuple(found), f, n, unplaced)


def listed(obj: Any, name: str) -> tuple[str, ...]:
    """The attributes that a class names under such a word of the host; () where the word is an attribute of its own."""
    names = getattr(obj, name, ())
    if not isinstance(names, tuple) or not names:
        return ()
    state = vars(obj)
    return names if name not in state and all(one in state for one in names) else ()


def _is_reached_by_code(cls: type, name: str) -> bool:
    """Whether code of the class comes between an attribute's name and its value: a property, or any data descriptor."""
    held = type(inspect.getattr_static(cls, name, None))
    return hasattr(held, "__set__") or hasattr(held, "__delete__")


def _description(value: object) -> str:
    """What an attribute without a place is."""
    if value is None:
        return "None"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of neither numbers of one kind nor objects with attributes of the same kinds"
    return f"a {type(value).__name__}"


def _interleaved(lists: dict[str, list[Any]]) -> list[tuple[str, Field]]:
    """Lists of one length, laid out together.

    Where their floats and integers start, and their length, are the object's first slots.
    """
    kinds = {name: "floats" if isinstance(values[0], float) else "ints" for name, values in lists.items()}
    strides = {kind: sum(other == kind for other in kinds.values()) for kind in ("floats", "ints")}
    seen = {"floats": 0, "ints": 0}
    found = []
    for name, kind in kinds.items():
        found.append((name, Field(kind, 0, 0, stride=strides[kind], offset=seen[kind])))
        seen[kind] += 1
    return found


def state_of(obj: object) -> dict[str, Any]:
    """The attributes that compiled code has of an object."""
    return vars(obj.compiled_as() if hasattr(type(obj), "compiled_as") else obj)  # type: ignore[attr-defined]


def _field(value: object, f: int, n: int) -> Field | None:
    if type(value) in SCALARS:
        return Field(SCALARS[type(value)], f, n)
    if isinstance(value, Reserve):
        return Field("reserve", f, value.number)
    if type(value) is list:
        return _list_field(value, f, n)
    if type(value) is tuple and all(map(is_plain, value)):
        return _parts_field(value, f, n)
    if is_plain(value):
        return Field("object", f, n, shape_of(value))
    return None


def _single(values: list[Any], f: int, n: int) -> Field:
    """A list of one element as that element."""
    inner = _field(values[0], f, n)
    assert inner is not None
    return replace(inner, single=True)


def _parts_field(values: tuple[object, ...], f: int, n: int) -> Field:
    parts: list[Field] = []
    f_at, n_at = f, n
    for value in values:
        shape = shape_of(value)
        parts.append(Field("object", f_at, n_at, shape))
        f_at, n_at = f_at + shape.f_size, n_at + shape.n_size
    return Field("parts", f, n, parts=tuple(parts))


def _list_field(values: Sequence[object], f: int, n: int) -> Field | None:
    types = set(map(type, values))
    if types <= set(SCALARS):
        mixed = float in types and len(types) > 1
        return None if mixed else Field("floats" if not types or float in types else "ints", f, n)
    if len(types) != 1 or not is_plain(values[0]) or len({id(shape_of(value)) for value in values}) != 1:
        return None
    return _single(list(values), f, n) if len(values) == 1 else Field("objects", f, n, shape_of(values[0]))


def is_plain(value: object) -> bool:
    """Whether it is an instance of a class written in Python, of those that make up a session."""
    return _is_plain_class(type(value))  # type: ignore[arg-type]  # any class is hashable


@cache
def _is_plain_class(cls: type) -> bool:
    is_callable = any("__call__" in vars(part) for part in cls.__mro__)
    if issubclass(cls, type | ModuleType | list | tuple) or is_callable or not cls.__dictoffset__:
        return False
    # Else code of the class comes between each name and its value.
    return cls.__getattribute__ is object.__getattribute__
