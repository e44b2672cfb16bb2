"""The assignments of a function, lowered to LLVM: names, attributes, elements of lists."""

import ast
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler import numbers
from strades_pipelines.compiler.calls import Calls
from strades_pipelines.compiler.function_source import Source
from strades_pipelines.compiler.lowered_values import (
    DOUBLE,
    INT,
    TYPES,
    Array,
    Event,
    Number,
    Object,
    Single,
    Unknown,
    Value,
)
from strades_pipelines.compiler.program import Program
from strades_pipelines.compiler.shapes import Field


@dataclass(frozen=True)
class Local:
    """A local number: where it is kept."""

    place: Any
    kind: str


@dataclass(frozen=True)
class LocalObject:
    """A local name for an object at places that are computed."""

    shape: Any
    place_f: Any
    place_n: Any


class Assignments(Calls):
    """The part of `Body` that lowers assignments.

    `scope` is what the local names stand for, `assigned` those that are set on every way to where it is, `kinds` the
    kinds of local numbers: of all that is put there.
    """

    entry: Any
    kinds: dict[str, str]

    def __init__(self, program: Program, source: Source, *, hot: bool) -> None:
        super().__init__(program, source, hot=hot)
        self.scope: dict[str, Value | Local | LocalObject] = {}
        self.assigned: set[str] = set()
        self.widened = False  # whether a local number turned out to be of a wider kind than it began with

    def do_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: N802
        if node.value is not None:
            self.store(node.target, self.value(node.value))

    def do_Assign(self, node: ast.Assign) -> None:  # noqa: N802
        if len(node.targets) != 1:
            raise self.refuse(node, "a chained assignment")
        target = node.targets[0]
        if not isinstance(target, ast.Tuple):
            self.store(target, self.value(node.value))
            return
        if not isinstance(node.value, ast.Tuple) or len(node.value.elts) != len(target.elts):
            raise self.refuse(node, "an assignment to several names from one value")
        # All of them before one is put there: `a, b = b, a`.
        values = [self.value(value) for value in node.value.elts]
        for one, value in zip(target.elts, values, strict=True):
            self.store(one, value)

    def do_AugAssign(self, node: ast.AugAssign) -> None:  # noqa: N802
        """Evaluate the target once, as Python does: read it, evaluate the value, write it."""
        target = node.target
        if isinstance(target, ast.Name):
            held = self.plain(target, self.value(ast.copy_location(ast.Name(target.id, ast.Load()), target)))
            self.store_name(target, self.operation(node, node.op, held, self.number(node.value)))
            return
        if isinstance(target, ast.Attribute):
            owner, entry = self.attribute_of(target)
            held = self.plain(target, self.inline(owner, target.attr, entry))
            made = self.operation(node, node.op, held, self.number(node.value))
            self.store_slot(target, owner, target.attr, entry, made)
            return
        array, index = self.value(target.value), self.index(target.slice)
        if isinstance(array, Single):
            self.place_of(index, INT(1))
            held = self.plain(target, self.inline(array.owner, array.name, array.entry))
            made = self.operation(node, node.op, held, self.number(node.value))
            self.store_slot(target, array.owner, array.name, array.entry, made)
            return
        if not isinstance(array, Array):
            raise self.unknown(target, array, f"an assignment to {ast.unparse(target)}")
        place = self.element_place(array, index)
        kind = self.kind_at(array.owner, array.name, array.kind)
        held = Number(self.builder.load(place, typ=DOUBLE if array.kind == "float" else INT), kind)
        made = self.operation(node, node.op, held, self.number(node.value))
        self.builder.store(self.fitting(target, array.owner, array.name, made, array.kind), place)

    def store(self, target: ast.expr, value: Value) -> None:
        """Put a value into a name, an attribute or an element of a list."""
        if isinstance(target, ast.Name):
            self.store_name(target, value)
            return
        if not isinstance(value, Number):
            raise self.unknown(target, value, "an object put into an attribute; only numbers change")
        self.plain(target, value)
        if isinstance(target, ast.Attribute):
            owner, entry = self.attribute_of(target)
            self.store_slot(target, owner, target.attr, entry, value)
            return
        array = self.value(target.value) if isinstance(target, ast.Subscript) else None
        if isinstance(array, Single):
            assert isinstance(target, ast.Subscript)
            self.place_of(self.index(target.slice), INT(1), write=True)
            self.store_slot(target, array.owner, array.name, array.entry, value)
            return
        if not isinstance(array, Array):
            raise self.unknown(target, array or Unknown(), f"an assignment to {ast.unparse(target)}")
        assert isinstance(target, ast.Subscript)
        place = self.element_place(array, self.index(target.slice), write=True)
        fitting = self.fitting(target, array.owner, array.name, value, array.kind, kept=array.reserve)
        self.builder.store(fitting, place)

    def attribute_of(self, target: ast.Attribute) -> tuple[Object, Field]:
        """The object and the place of an attribute that is a number."""
        owner = self.value(target.value)
        if not isinstance(owner, Object):
            raise self.unknown(target, owner, f"an assignment to {ast.unparse(target)}")
        cls, entry = owner.shape.cls, owner.shape.get(target.attr)
        if any("__setattr__" in vars(part) for part in cls.__mro__[:-1]):
            raise self.refuse(target, f"{cls.__name__} has a way of its own to set attributes")
        if target.attr in owner.shape.unplaced:
            raise self.refuse(target, f"{cls.__name__}.{target.attr} was {owner.shape.unplaced[target.attr]}")
        if entry is None or entry.kind not in ("float", "int", "bool"):
            raise self.refuse(target, f"{ast.unparse(target)} is no number set before the first event")
        if entry.single:
            raise self.refuse(target, f"{ast.unparse(target)} is a list")
        return owner, entry

    def store_slot(self, target: ast.expr, owner: Object, name: str, entry: Field, value: Number) -> None:
        """Change a number that lies in an object."""
        if entry.kind not in ("float", "int", "bool"):
            raise self.refuse(target, "an object put into a list; only numbers change")
        fitting = self.fitting(target, owner, name, value, entry.kind)
        self.builder.store(fitting, self.slot(owner, entry, write=True))

    def fitting(self, node: ast.AST, owner: Object, name: str, value: Number, kind: str, *, kept: bool = False) -> Any:
        """The value in the kind that is stored; a float is never silently made an int, nor an int a bool.

        Args:
            kept: whether compiled code never reads it, so that it is no matter whether it was an integer.
        """
        if kind == "float":
            if value.kind == "float" or kept:
                return numbers.to_float(self.builder, value)
            if (owner.shape, name) not in self.program.reals:
                self.program.found_reals.add((owner.shape, name))
            return numbers.as_kind(self.builder, value, "real", self.fail)
        if value.kind in ("float", "real"):
            raise self.refuse(node, "a whole number or truth value became a float; give it a float from the start")
        if kind == "bool" and value.kind != "bool":
            raise self.refuse(node, "a truth value became a whole number; give it a whole number from the start")
        return numbers.to_int(self.builder, value)

    def store_name(self, target: ast.Name, value: Value) -> None:
        """A local name: of a number, or another name for an object."""
        if isinstance(value, Unknown):
            raise self.program.refused()
        if isinstance(value, Number):
            self.store_number(target, target.id, self.plain(target, value))
        elif isinstance(value, Event):
            raise self.refuse(target, "an event kept under a name")
        else:
            self.store_object(target, value)
        self.assigned.add(target.id)

    def store_object(self, target: ast.Name, value: Value) -> None:
        """Another name for an object or list."""
        known = self.scope.get(target.id)
        if isinstance(value, Object) and value.base_f is not None:
            if known is None:
                known = LocalObject(value.shape, self.allocate("int"), self.allocate("int"))
            if not isinstance(known, LocalObject) or known.shape != value.shape:
                raise self.refuse(target, f"{target.id} stands for two different things")
            self.builder.store(self.place(value.base_f, value.f), known.place_f)
            self.builder.store(self.place(value.base_n, value.n), known.place_n)
            self.scope[target.id] = known
            return
        if known is not None and known != value:
            raise self.refuse(target, f"{target.id} stands for two different things")
        self.scope[target.id] = value

    def store_number(self, node: ast.AST, name: str, number: Number) -> None:
        """A local number, of a kind that holds all that is put there."""
        known = self.scope.get(name)
        if isinstance(known, Unknown):
            return
        if known is None:
            self.kinds.setdefault(name, number.kind)
            known = self.scope[name] = Local(self.allocate(self.kinds[name]), self.kinds[name])
        if not isinstance(known, Local):
            raise self.refuse(node, f"{name} stands for two different things")
        self.kinds[name] = numbers.common([self.kinds[name], number.kind])
        if self.kinds[name] != known.kind:
            self.widened = True  # and lowered once more
            return
        self.builder.store(numbers.as_kind(self.builder, number, known.kind, self.fail), known.place)

    def allocate(self, kind: str) -> Any:
        """A place for a local number."""
        # At the entry: within a loop each round would take more of the stack.
        return ir.IRBuilder(self.entry).alloca(TYPES[kind])

    def row(self, node: ast.expr) -> Any:
        """The row of the event that is handled."""
        rows = [held.row for held in self.scope.values() if isinstance(held, Event) and held.row is not None]
        if not rows:
            raise self.refuse(node, f"{ast.unparse(node)} where no event is handled")
        return rows[0]

    def local(self, node: ast.Name) -> Value | None:
        """What a local name stands for now."""
        if node.id in self.source.locals and node.id not in self.assigned:
            raise self.refuse(node, f"{node.id} may be read before it is set")
        held = self.scope.get(node.id)
        if isinstance(held, Local):
            return Number(self.builder.load(held.place, typ=TYPES[held.kind]), held.kind)
        if isinstance(held, LocalObject):
            load = self.builder.load
            return Object(held.shape, 0, 0, load(held.place_f, typ=INT), load(held.place_n, typ=INT))
        return held
