"""Where the attributes of an object tree lie in two flat arrays, one of floats and one of integers.

Numbers and parts lie inline, at offsets that depend on the classes alone; lists lie behind them, and an integer says
where. So
compiled code fits every set of parameters, and the state of a whole session is two arrays.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cache, cached_property
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
SCALARS: dict[type, str] = {bool: "bool", int: "int", float: "float"}
NESTED = ("object", "parts", "objects", "floats", "ints")
# The slots among floats and integers of each kind of attribute that has a fixed number of them.
SIZES = {
    "float": (1, 0),
    "int": (0, 1),
    "bool": (0, 1),
    "floats": (0, 2),
    "ints": (0, 2),
    "objects": (0, 3),
    "reserve": (0, 0),
    "reference": (0, 0),
}


@dataclass(frozen=True)
class Reserve:
    """A list of floats that the host keeps apart from the state and gives with each run: the `number`th of them.

    What a compiled journal writes into; code that writes there sees to it that it stays inside.
    """

    number: int


@dataclass(frozen=True)
class Field:
    """An attribute: its kind, its first slots `f` and `n` among floats and integers, and the shape of objects in it.

    Kinds: float, int and bool (an integer), object (inline), parts (a tuple of objects, inline one after the other),
    floats and ints (integers: start, length), objects (integers: start of their floats, start of their integers,
    count), reserve (`n` is its number). The lists that a class names in `interleaved` lie together, element by element:
    `n` is then where they all start, `stride` how far an element is from the next, `offset` where in it this list's
    number is. What a class names in `constants` is part of the code. What it names in `references` is the root's part
    of the same name, and takes no place here.
    `single`: a list of one element, which lies inline: that of the only instrument, for the most part.
    """

    kind: str
    f: int
    n: int
    shape: "Shape | None" = None
    parts: tuple["Field", ...] = ()
    stride: int = 0
    offset: int = 0
    value: float = 0.0
    single: bool = False


@dataclass(frozen=True)
class Shape:
    """The layout of a class's instances with the same kinds of attributes.

    `unplaced` has what each other attribute is, which has no place in the arrays: code that uses one does not compile.
    """

    cls: type
    fields: tuple[tuple[str, Field], ...]
    f_size: int
    n_size: int
    unplaced: Mapping[str, str] = dataclass_field(default_factory=dict)

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.cls, self.fields, self.f_size, self.n_size))

    def get(self, name: str) -> Field | None:
        """The field of an attribute, None where it has no place in the arrays."""
        return self._by_name.get(name)

    def at(self, *path: str) -> Field:
        """The field that a path of attributes leads to, its slots counted from the beginning of this shape."""
        name, *rest = path
        entry = self._by_name[name]
        if not rest:
            return entry
        assert entry.shape is not None
        inner = entry.shape.at(*rest)
        return replace(inner, f=entry.f + inner.f, n=entry.n + inner.n)

    def without(self, *path: str) -> "Shape":
        """The same layout, in which what a path of attributes leads to is left as it is."""
        name, *rest = path
        fields = [(one, entry) for one, entry in self.fields if one != name]
        if rest:
            entry = self._by_name[name]
            assert entry.shape is not None
            fields.append((name, replace(entry, shape=entry.shape.without(*rest))))
        return replace(self, fields=tuple(fields))

    @cached_property
    def _by_name(self) -> dict[str, Field]:
        return dict(self.fields)


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
        f_more, n_more = _inline_size(entry)
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
    return cls.__getattribute__ is object.__getattribute__


def _inline_size(entry: Field) -> tuple[int, int]:
    if entry.kind == "object" and entry.shape:
        return entry.shape.f_size, entry.shape.n_size
    if entry.kind == "parts":
        sizes = [_inline_size(part) for part in entry.parts]
        return sum(size for size, _ in sizes), sum(size for _, size in sizes)
    return SIZES[entry.kind]
