"""Where the attributes of an object tree lie in two flat arrays, one of floats and one of integers.

Numbers and parts lie inline, at offsets that depend on the classes alone; lists lie behind them, and an integer says
where. So compiled code fits every set of parameters, and the state of a whole session is two arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cached_property

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
        # Without `unplaced`, which cannot be hashed.
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


def inline_size(entry: Field) -> tuple[int, int]:
    """How many floats and integers a field takes where it stands."""
    if entry.kind == "object" and entry.shape:
        return entry.shape.f_size, entry.shape.n_size
    if entry.kind == "parts":
        sizes = [inline_size(part) for part in entry.parts]
        return sum(size for size, _ in sizes), sum(size for _, size in sizes)
    return SIZES[entry.kind]
