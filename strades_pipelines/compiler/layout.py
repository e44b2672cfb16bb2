"""Objects laid out in two flat arrays by their shapes, and the arrays' numbers put back into them."""

import itertools
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np

from strades_pipelines.compiler.aliases import where_set
from strades_pipelines.compiler.lowered_values import NotCompilable
from strades_pipelines.compiler.object_shapes import state_of
from strades_pipelines.compiler.shapes import NESTED, Field, Floats, Integers, Shape


@dataclass
class Packer:
    """Lays objects out."""

    floats: "array[float]" = field(default_factory=lambda: array("d"))
    integers: "array[int]" = field(default_factory=lambda: array("q"))

    def copy(self) -> "Packer":
        """Another one with the same numbers laid out."""
        return Packer(self.floats[:], self.integers[:])

    def add(self, obj: object, shape: Shape) -> None:
        """Lay an object out at the end of what is there."""
        f, n = self._room(shape, 1)
        self.fill(obj, shape, f, n)

    def fill(self, obj: object, shape: Shape, f: int, n: int) -> None:
        """Lay an object out at its place; its lists go to the end."""
        state = state_of(obj)
        woven = [(state[name], entry) for name, entry in shape.fields if entry.stride]
        if woven:
            self._weave(woven, n)
        for name, entry in shape.fields:
            if not entry.stride and entry.kind not in ("constant", "reference"):
                try:
                    self._put(state[name], entry, f + entry.f, n + entry.n)
                except OverflowError:
                    raise NotCompilable(f"{where_set(shape.cls, name)}: an integer of more than 64 bits") from None

    def _weave(self, lists: list[tuple[list[Any], Field]], n: int) -> None:
        """Lay lists of one length out together."""
        count = len(lists[0][0])
        self._point(n, len(self.floats), len(self.integers), count)
        for kind, memory in (("floats", self.floats), ("ints", self.integers)):
            ordered = [values for values, entry in lists if entry.kind == kind]
            start, step = len(memory), len(ordered)
            memory.frombytes(bytes(8 * count * step))
            for k, values in enumerate(ordered):
                memory[start + k :: step] = array(memory.typecode, values)

    def _room(self, shape: Shape, count: int) -> tuple[int, int]:
        f, n = len(self.floats), len(self.integers)
        self.floats.frombytes(bytes(8 * shape.f_size * count))
        self.integers.frombytes(bytes(8 * shape.n_size * count))
        return f, n

    def _point(self, n: int, *numbers: int) -> None:
        """Say where a list lies."""
        for k, number in enumerate(numbers):
            self.integers[n + k] = number

    def _put(self, value: Any, entry: Field, f: int, n: int) -> None:
        if entry.single:
            value = value[0]
        if entry.kind == "float":
            self.floats[f] = value
        elif entry.kind in ("int", "bool"):
            self.integers[n] = value
        elif entry.kind == "reserve":
            pass
        elif entry.kind == "object":
            assert entry.shape is not None
            self.fill(value, entry.shape, f, n)
        elif entry.kind == "parts":
            for one, part in zip(value, entry.parts, strict=True):
                self._put(one, part, f - entry.f + part.f, n - entry.n + part.n)
        elif entry.kind == "objects":
            assert entry.shape is not None
            start = self._room(entry.shape, len(value))
            self._point(n, *start, len(value))
            self._fill_all(value, entry.shape, *start)
        else:
            target: array[Any] = self.floats if entry.kind == "floats" else self.integers
            self._point(n, len(target), len(value))
            target.extend(value)

    def _fill_all(self, values: Sequence[object], shape: Shape, f: int, n: int) -> None:
        """Lay out a list of objects, attribute by attribute."""
        if not all(entry.kind in ("float", "int", "bool", "floats", "ints") for _, entry in shape.fields):
            for one in values:
                self.fill(one, shape, f, n)
                f, n = f + shape.f_size, n + shape.n_size
            return
        f_end, n_end = f + shape.f_size * len(values), n + shape.n_size * len(values)
        for name, entry in shape.fields:
            column = list(map(attrgetter(name), values))
            if entry.kind == "float":
                self.floats[f + entry.f : f_end : shape.f_size] = array("d", column)
            elif entry.kind in ("int", "bool"):
                self.integers[n + entry.n : n_end : shape.n_size] = array("q", column)
            else:
                memory: array[Any] = self.floats if entry.kind == "floats" else self.integers
                lengths = list(map(len, column))
                starts = itertools.accumulate(lengths[:-1], initial=len(memory))
                self.integers[n + entry.n : n_end : shape.n_size] = array("q", starts)
                self.integers[n + entry.n + 1 : n_end : shape.n_size] = array("q", lengths)
                for numbers in column:
                    memory.fromlist(numbers)

    def arrays(self) -> tuple[Floats, Integers]:
        """The floats and the integers."""
        return np.array(self.floats, np.float64), np.array(self.integers, np.int64)


def unpack(obj: object, shape: Shape, floats: Floats, integers: Integers, old: tuple[Floats, Integers]) -> None:
    """Write the arrays' numbers back into the objects they were laid out from as `old`."""
    Unpacker(floats, integers, old).fill(obj, shape, 0, 0)


class Unpacker:
    """Writes the numbers of arrays back into objects."""

    def __init__(self, floats: Floats, integers: Integers, old: tuple[Floats, Integers]) -> None:
        self._new, self._old = (floats, integers), old
        # Views give Python's numbers one by one: of most runs few are asked for.
        self._floats, self._integers = floats.data, integers.data

    def fill(self, obj: object, shape: Shape, f: int, n: int) -> None:
        """Write into an object what lies at (f, n)."""
        if hasattr(type(obj), "compiled_as"):
            return
        state = vars(obj)  # no method of the class comes between
        for name, entry in shape.fields:
            value = state[name]
            held = value[0] if entry.single else value
            if entry.kind in ("float", "int", "bool"):
                number = self._number(held, entry, f, n)
                if entry.single:
                    value[0] = number
                else:
                    state[name] = number
            elif entry.kind == "object" and entry.shape:
                self.fill(held, entry.shape, f + entry.f, n + entry.n)
            elif entry.kind == "parts":
                for one, part in zip(value, entry.parts, strict=True):
                    assert part.shape is not None
                    self.fill(one, part.shape, f + part.f, n + part.n)
            elif entry.kind == "objects" and entry.shape:
                self._objects(value, entry.shape, *self._integers[n + entry.n : n + entry.n + 2])
            elif entry.kind in ("floats", "ints"):
                self._list(value, entry, n)

    def _number(self, held: float, entry: Field, f: int, n: int) -> float:
        if entry.kind == "float":
            return self._floats[f + entry.f]
        # A truth value stays one.
        return type(held)(self._integers[n + entry.n])

    def _objects(self, values: list[object], shape: Shape, f: int, n: int) -> None:
        """Write into a list of objects; most lists of many, of orders above all, are as they were."""
        ends = (slice(f, f + shape.f_size * len(values)), slice(n, n + shape.n_size * len(values)))
        # To the bit, so that not a number is as it was too.
        same = [
            old[end].tobytes() == new[end].tobytes() for old, new, end in zip(self._old, self._new, ends, strict=True)
        ]
        if all(same) and not any(entry.kind in NESTED for _, entry in shape.fields):
            return
        if not all(entry.kind in ("float", "int", "bool", "floats", "ints") for _, entry in shape.fields):
            for k, one in enumerate(values):
                self.fill(one, shape, f + k * shape.f_size, n + k * shape.n_size)
            return
        for name, entry in shape.fields:
            # Objects of floats alone have no integers, and no step from those of one to those of the next.
            numbers, first, size = (self._integers, n + entry.n, shape.n_size)
            if entry.kind == "float":
                numbers, first, size = (self._floats, f + entry.f, shape.f_size)
            column: list[Any] = numbers[first : first + size * (len(values) - 1) + 1 : size].tolist()
            if entry.kind in ("floats", "ints"):
                source = self._floats if entry.kind == "floats" else self._integers
                for one, start in zip(values, column, strict=True):
                    held = vars(one)[name]
                    held[:] = source[start : start + len(held)].tolist()
                continue
            for one, number in zip(values, column, strict=True):
                vars(one)[name] = bool(number) if entry.kind == "bool" else number

    def _list(self, value: list[Any], entry: Field, n: int) -> None:
        memory = self._floats if entry.kind == "floats" else self._integers
        step = entry.stride or 1
        at = n + (entry.kind == "ints" if entry.stride else entry.n)
        start = self._integers[at] + entry.offset
        value[:] = memory[start : start + len(value) * step : step].tolist()
