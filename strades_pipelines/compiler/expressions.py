"""The expressions of a function, lowered to LLVM."""

import ast
import inspect
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler import numbers
from strades_pipelines.compiler.lowered_values import (
    DOUBLE,
    INT,
    POINTER,
    Array,
    Column,
    Computed,
    Event,
    NotCompilable,
    Number,
    Object,
    Objects,
    Single,
    Unknown,
    Value,
    column_of,
)
from strades_pipelines.compiler.places import Places
from strades_pipelines.compiler.shapes import SCALARS, Field


class Expressions(Places):
    """What `Body` knows about names, attributes and elements."""

    def index(self, node: ast.expr) -> Any:
        """The code of an index; it must be a whole number."""
        number = self.number(node)
        if number.kind in ("float", "real"):
            raise self.refuse(node, "a float as an index; write int(...)")
        return numbers.to_int(self.builder, number)

    def number(self, node: ast.expr) -> Number:
        """An expression that is a number.

        Raises:
            NotCompilable: it is anything else.
        """
        return self.plain(node, self.value(node))

    def plain(self, node: ast.expr, value: Value) -> Number:
        """A value that is a number."""
        if isinstance(value, Unknown):
            raise self.program.refused()
        if not isinstance(value, Number) or value.kind == "nothing":
            raise self.refuse(node, f"{ast.unparse(node)} in place of a number")
        return value

    def value(self, node: ast.expr) -> Value:
        """What an expression stands for."""
        see = getattr(self, f"see_{type(node).__name__}", None)
        if see is None:
            raise self.refuse(node, f"a {type(node).__name__} expression")
        found: Value = see(node)
        return found

    def constant(self, node: ast.AST, value: Any) -> Number:
        """A constant number."""
        if type(value) not in SCALARS:
            raise self.refuse(node, f"{ast.unparse(node)} is no number")
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise self.refuse(node, "an integer of more than 64 bits")
        return numbers.constant(value)

    def outer(self, space: Any, name: str) -> Any:
        """What stands under a name outside of the function; the code holds as long as it does."""
        value = space[name] if isinstance(space, Mapping) else getattr(space, name)
        if self.checked:  # the host's own stay what they are
            self.program.uses(space, name, value)
        return value

    def see_Constant(self, node: ast.Constant) -> Value:  # noqa: N802
        return self.constant(node, node.value)

    def see_Name(self, node: ast.Name) -> Value:  # noqa: N802
        held = self.local(node)
        if held is not None:
            return held
        if self.source.knows(node.id):
            return self.constant(node, self.outer(self.source.names, node.id))
        raise self.refuse(node, f"{node.id} is no local name and no number of the module")

    def see_Attribute(self, node: ast.Attribute) -> Value:  # noqa: N802
        if isinstance(node.value, ast.Name) and self.local(node.value) is None:
            held = self.source.names.get(node.value.id)
            if not isinstance(held, ModuleType | type) or not hasattr(held, node.attr):
                raise self.refuse(node, f"{ast.unparse(node)} is no number of a module or class")
            return self.constant(node, self.outer(held, node.attr))
        if self.is_super(node.value):
            return self.inherited_member(node)
        owner = self.value(node.value)
        if isinstance(owner, Event):
            return self.event_number(node, owner)
        if isinstance(owner, Object):
            return self.member(node, owner)
        if isinstance(owner, Computed):
            return self.computed_number(node, owner)
        raise self.unknown(node, owner, f"{ast.unparse(node)}, of no object")

    def is_super(self, node: ast.expr) -> bool:
        """Whether an expression is `super()`, and that name Python's own."""
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"
        is_bare = isinstance(node, ast.Call) and not node.args and not node.keywords
        is_other = "super" in self.source.locals or "super" in self.source.names
        return is_call and is_bare and not is_other and bool(self.source.tree.args.args)

    def inherited(self, node: ast.Attribute) -> tuple[Object, Any]:
        """The object that `super()` is of, and what stands in a class behind this one under the attribute's name."""
        me = ast.copy_location(ast.Name(self.source.tree.args.args[0].arg, ast.Load()), node)
        owner, cls = self.value(me), self.source.names.get("__class__")
        if not isinstance(owner, Object):
            raise self.unknown(node, owner, ast.unparse(node))
        if not isinstance(cls, type) or not issubclass(owner.shape.cls, cls):
            raise self.refuse(node, f"{ast.unparse(node)} in no method of the object's class")
        behind = super(cls, owner.shape.cls)
        return owner, self.outer(behind, node.attr) if hasattr(behind, node.attr) else None

    def inherited_member(self, node: ast.Attribute) -> Number:
        """super().name: a property, or a number of a class."""
        owner, held = self.inherited(node)
        if type(held) in SCALARS:
            return self.constant(node, held)
        if not isinstance(held, property) or held.fget is None:
            raise self.refuse(node, f"{ast.unparse(node)} is no property and no number of a class")
        made = self.program.function(held.fget, [owner], self.source.where(node), hot=self.hot)
        return self.emit(made, [owner])

    def unknown(self, node: ast.AST, value: Value, what: str) -> NotCompilable:
        """The error for a value of the wrong sort; for what another error left behind, that one."""
        return self.program.refused() if isinstance(value, Unknown) else self.refuse(node, what)

    def event_number(self, node: ast.Attribute, event: Event) -> Number:
        """A number of an event; from its column only when it is used."""
        column = column_of(event.cls, node.attr)
        if column is None:
            known = ", ".join(event.cls.compiled_fields)  # type: ignore[attr-defined]
            raise self.refuse(node, f"{event.cls.__name__}.{node.attr}; compiled are {known}")
        if event.row is None:
            return dict(event.numbers)[node.attr]
        if node.attr == "i" and self.program.single:
            return numbers.constant(0)
        return self.in_column(column, event.row)

    def in_column(self, column: Column, row: Any) -> Number:
        """The number of a column in a row."""
        address = self.constant_load(self.memory["table"], INT(column.number), POINTER)
        value = self.constant_load(address, row, column.stored)
        if column.kind == "bool":
            return Number(numbers.to_bool(self.builder, Number(value, "int")), "bool")
        return Number(self.builder.sext(value, INT) if column.stored == ir.IntType(32) else value, column.kind)

    def computed_number(self, node: ast.Attribute, owner: Computed) -> Value:
        """An attribute of an indicator that was updated ahead."""
        column, entry = owner.column(node.attr), owner.shape.get(node.attr)
        if column is not None:
            return self.in_column(column, owner.row)
        if entry is None and isinstance(inspect.getattr_static(owner.shape.cls, node.attr, None), property):
            made = self.program.method(owner, node.attr, [], self.source.where(node), hot=self.hot)
            return self.emit(made, [owner])
        raise self.refuse(node, f"{ast.unparse(node)} of what was updated ahead")

    def member(self, node: ast.Attribute, owner: Object) -> Value:
        """An attribute of an object: a slot, a part, a list, a property, or a constant of its class."""
        entry, cls = owner.shape.get(node.attr), owner.shape.cls
        computed = self.program.ahead.get((owner.shape, node.attr))
        if computed is not None:
            return replace(computed, row=self.row(node))
        if node.attr in owner.shape.unplaced:
            raise self.refuse(node, f"{cls.__name__}.{node.attr} is {owner.shape.unplaced[node.attr]}")
        if entry is None:
            held = inspect.getattr_static(cls, node.attr, None)
            if isinstance(held, property):
                made = self.program.method(owner, node.attr, [], self.source.where(node), hot=self.hot)
                return self.emit(made, [owner])
            if type(held) in SCALARS:
                return self.constant(node, self.outer(cls, node.attr))
            raise self.refuse(node, f"{cls.__name__}.{node.attr} is no number set before the first event")
        if entry.kind == "constant":
            return self.constant(node, entry.value)
        if entry.kind == "reference":
            return self.part_of_root(node)
        if entry.single:
            return Single(owner, node.attr, entry)
        if entry.kind in ("float", "int", "bool", "object"):
            return self.inline(owner, node.attr, entry)
        if entry.kind == "reserve":
            return Array("float", owner, node.attr, entry.n, 0, reserve=True)
        if entry.kind == "objects" and entry.shape:
            return Objects(entry.shape, owner, entry.n)
        if entry.kind in ("floats", "ints"):
            kind = entry.kind[:-1]
            if entry.stride:
                return Array(kind, owner, node.attr, 0 if kind == "float" else 1, 2, entry.stride, entry.offset)
            return Array(kind, owner, node.attr, entry.n, entry.n + 1)
        raise self.refuse(node, f"{ast.unparse(node)} outside of a loop over it")

    def part_of_root(self, node: ast.Attribute) -> Value:
        """What an attribute of `references` stands for: the root's part of the same name, which lies at its place."""
        root = self.program.root
        entry = None if root is None else root.shape.get(node.attr)
        if root is None or entry is None or entry.kind != "object":
            raise self.refuse(node, f"{ast.unparse(node)} is no part of the root")
        return self.inline(root, node.attr, entry)

    def kind_at(self, owner: Object, name: str, kind: str) -> str:
        """The kind of what is read from an attribute or list: a real where integers are put into floats."""
        return "real" if (owner.shape, name) in self.program.reals else kind

    def inline(self, owner: Object, name: str, entry: Field) -> Value:
        """A number or an object that lies in its owner."""
        if entry.kind == "object":
            assert entry.shape is not None
            return Object(entry.shape, owner.f + entry.f, owner.n + entry.n, owner.base_f, owner.base_n)
        if entry.kind == "float":
            kind = self.kind_at(owner, name, "float")
            return Number(self.builder.load(self.slot(owner, entry), typ=DOUBLE), kind)
        held = Number(self.builder.load(self.slot(owner, entry), typ=INT), "int")
        return held if entry.kind == "int" else Number(numbers.to_bool(self.builder, held), "bool")

    def see_Subscript(self, node: ast.Subscript) -> Value:  # noqa: N802
        held = self.value(node.value)
        if isinstance(held, Computed):
            return held  # of the event's instrument, as its index is
        if isinstance(held, Single):
            self.place_of(self.index(node.slice), INT(1))
            return self.inline(held.owner, held.name, held.entry)
        if isinstance(held, Array):
            stored = DOUBLE if held.kind == "float" else INT
            kind = self.kind_at(held.owner, held.name, held.kind)
            return Number(self.builder.load(self.element_place(held, self.index(node.slice)), typ=stored), kind)
        if isinstance(held, Objects):
            at = self.place_of(self.index(node.slice), self.load_integer(held.owner, held.n + 2))
            bases = [
                self.builder.add(self.load_integer(held.owner, held.n + k), self.builder.mul(at, INT(size)))
                for k, size in enumerate((held.shape.f_size, held.shape.n_size))
            ]
            return Object(held.shape, 0, 0, *bases)
        raise self.unknown(node, held, f"{ast.unparse(node)}, an element of no list")
