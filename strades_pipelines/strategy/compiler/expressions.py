"""The expressions of a function, lowered to LLVM."""

import ast
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from llvmlite import ir

from strades_pipelines.strategy.compiler import numbers
from strades_pipelines.strategy.compiler.program import Function, Program, Source
from strades_pipelines.strategy.compiler.shapes import Field
from strades_pipelines.strategy.compiler.values import (
    BOOL,
    COLUMNS,
    DOUBLE,
    INT,
    POINTER,
    TYPES,
    Array,
    Column,
    Computed,
    Event,
    NotCompilable,
    Number,
    Object,
    Objects,
    Single,
    Value,
    column_of,
)

BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}
COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Expressions:
    """What `Body` knows about expressions."""

    builder: Any
    memory: dict[str, Any]
    llvm: Any

    def __init__(self, program: Program, source: Source, *, hot: bool) -> None:
        self.program, self.source, self.hot = program, source, hot

    def refuse(self, node: ast.AST, what: str) -> NotCompilable:
        """The error for a node."""
        return NotCompilable(f"{self.source.where(node)}: {what}")

    def local(self, node: ast.Name) -> Value | None:
        """What a local name stands for; `Body` knows."""
        raise NotImplementedError

    def row(self, node: ast.expr) -> Any:
        """The row of the event that is handled; `Body` knows."""
        raise NotImplementedError

    def fail(self, condition: Any, name: str, text: str) -> None:
        """Raise an error where the condition holds; `Body` knows how."""
        raise NotImplementedError

    def pass_on(self, raised: Any) -> None:
        """Hand on the error of a call; `Body` knows how."""
        raise NotImplementedError

    def allocate(self, kind: str) -> Any:
        """A place for a local number; `Body` knows where."""
        raise NotImplementedError

    def emit(self, function: Function, arguments: Sequence[Value]) -> Number:
        """A call, its error handed on; `Calls` knows how."""
        raise NotImplementedError

    # Places.

    def place(self, base: Any, offset: int) -> Any:
        """An index: so much behind a base, or constant."""
        if base is None:
            return INT(offset)
        return self.builder.add(base, INT(offset)) if offset else base

    def load_integer(self, owner: Object, n: int) -> Any:
        """Where a list lies or how long it is, which never changes while code runs."""
        memory = "M" if owner.base_n is not None else "HN" if self.hot else "N"
        loaded = self.constant_load(self.memory[memory], self.place(owner.base_n, owner.n + n), INT)
        loaded.set_metadata("range", self.builder.module.add_metadata([INT(0), INT(1 << 48)]))
        return loaded

    def slot(self, owner: Object, entry: Field, *, write: bool = False) -> Any:
        """Where a number of an object is."""
        base, at, names, kind = owner.base_n, owner.n + entry.n, "NM", INT
        if entry.kind == "float":
            base, at, names, kind = owner.base_f, owner.f + entry.f, "FL", DOUBLE
        if base is None:
            touched = self.program.copies.hot if self.hot else self.program.now
            touched.touch(names[0], at, write=write)
        memory = self.memory[names[0] if base is None else names[1]]
        return self.builder.gep(memory, [self.place(base, at)], source_etype=kind)

    def check_index(self, index: Any, count: Any) -> None:
        """Raise where a list has no such element; a negative index is none either."""
        if isinstance(index, ir.Constant) and isinstance(count, ir.Constant) and 0 <= index.constant < count.constant:
            return
        self.fail(self.builder.icmp_unsigned(">=", index, count), "IndexError", "list index out of range")

    def element_place(self, array: Array, index: Any) -> Any:
        """Where an element of a list of numbers is."""
        if array.reserve:
            base = self.constant_load(self.memory["T"], INT(COLUMNS + array.start), POINTER)
            return self.builder.gep(base, [index], source_etype=DOUBLE)
        self.check_index(index, self.load_integer(array.owner, array.count))
        if array.stride:
            index = self.builder.add(self.builder.mul(index, INT(array.stride)), INT(array.offset))
        at = self.builder.add(self.load_integer(array.owner, array.start), index)
        memory, kind = (self.memory["L"], DOUBLE) if array.kind == "float" else (self.memory["M"], INT)
        return self.builder.gep(memory, [at], source_etype=kind)

    def index(self, node: ast.expr) -> Any:
        """The code of an index; it must be a whole number."""
        number = self.number(node)
        if number.kind == "float":
            raise self.refuse(node, "a float as an index; write int(...)")
        return numbers.to_int(self.builder, number)

    # Values.

    def number(self, node: ast.expr) -> Number:
        """An expression that is a number.

        Raises:
            NotCompilable: it is anything else.
        """
        return self.plain(node, self.value(node))

    def plain(self, node: ast.expr, value: Value) -> Number:
        """A value that is a number."""
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

    def truth(self, node: ast.expr) -> Any:
        """Whether an expression holds."""
        if isinstance(node, ast.BoolOp):
            return self.both_or_either(node)
        return numbers.to_bool(self.builder, self.number(node))

    def both_or_either(self, node: ast.BoolOp) -> Any:
        """`and`, `or`: the later ones are looked at only when they matter."""
        place = self.allocate("bool")
        after = self.llvm.append_basic_block("decided")
        for part in node.values[:-1]:
            held = self.truth(part)
            self.builder.store(held, place)
            more = self.llvm.append_basic_block("more")
            first, second = (more, after) if isinstance(node.op, ast.And) else (after, more)
            self.builder.cbranch(held, first, second)
            self.builder.position_at_end(more)
        self.builder.store(self.truth(node.values[-1]), place)
        self.builder.branch(after)
        self.builder.position_at_end(after)
        return self.builder.load(place, typ=BOOL)

    def constant(self, node: ast.expr, value: Any) -> Number:
        """A constant number."""
        if isinstance(value, bool | int | float):
            return numbers.constant(value)
        raise self.refuse(node, f"{ast.unparse(node)} is no number")

    def see_Constant(self, node: ast.Constant) -> Value:  # noqa: N802
        return self.constant(node, node.value)

    def see_Name(self, node: ast.Name) -> Value:  # noqa: N802
        held = self.local(node)
        if held is not None:
            return held
        if node.id in self.source.names:
            return self.constant(node, self.source.names[node.id])
        raise self.refuse(node, f"{node.id} is not known before it is used")

    def see_Attribute(self, node: ast.Attribute) -> Value:  # noqa: N802
        if isinstance(node.value, ast.Name) and self.local(node.value) is None:
            held = self.source.names.get(node.value.id)
            if held is None or not hasattr(held, node.attr):
                raise self.refuse(node, f"{ast.unparse(node)} is not known")
            return self.constant(node, getattr(held, node.attr))
        owner = self.value(node.value)
        if isinstance(owner, Event):
            return self.event_number(node, owner)
        if isinstance(owner, Object):
            return self.member(node, owner)
        if isinstance(owner, Computed):
            return self.computed_number(node, owner)
        raise self.refuse(node, ast.unparse(node))

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
        address = self.constant_load(self.memory["T"], INT(column.number), POINTER)
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
        raise self.refuse(node, ast.unparse(node))

    def constant_load(self, memory: Any, index: Any, kind: ir.Type) -> Any:
        """A load from memory that never changes while code runs."""
        loaded = self.builder.load(self.builder.gep(memory, [index], source_etype=kind), typ=kind)
        loaded.set_metadata("invariant.load", self.builder.module.add_metadata([]))
        return loaded

    def member(self, node: ast.Attribute, owner: Object) -> Value:
        """An attribute of an object: a slot, a part, a list, a property, or a constant of its class."""
        entry, cls = owner.shape.get(node.attr), owner.shape.cls
        computed = self.program.ahead.get((owner.shape, node.attr))
        if computed is not None:
            return replace(computed, row=self.row(node))
        if entry is None:
            if isinstance(inspect.getattr_static(cls, node.attr, None), property):
                made = self.program.method(owner, node.attr, [], self.source.where(node), hot=self.hot)
                return self.emit(made, [owner])
            if isinstance(getattr(cls, node.attr, None), bool | int | float):
                return self.constant(node, getattr(cls, node.attr))
            raise self.refuse(node, f"{cls.__name__}.{node.attr} is no number set before the first event")
        if entry.kind == "constant":
            return self.constant(node, entry.value)
        if entry.single:
            return Single(owner, entry)
        if entry.kind in ("float", "int", "bool", "object"):
            return self.inline(owner, entry)
        if entry.kind == "reserve":
            return Array("float", owner, entry.n, 0, reserve=True)
        if entry.kind == "objects" and entry.shape:
            return Objects(entry.shape, owner, entry.n)
        if entry.kind in ("floats", "ints"):
            kind = entry.kind[:-1]
            if entry.stride:
                return Array(kind, owner, 0 if kind == "float" else 1, 2, entry.stride, entry.offset)
            return Array(kind, owner, entry.n, entry.n + 1)
        raise self.refuse(node, f"{ast.unparse(node)} outside of a loop over it")

    def inline(self, owner: Object, entry: Field) -> Value:
        """A number or an object that lies in its owner."""
        if entry.kind == "object":
            assert entry.shape is not None
            return Object(entry.shape, owner.f + entry.f, owner.n + entry.n, owner.base_f, owner.base_n)
        if entry.kind == "float":
            return Number(self.builder.load(self.slot(owner, entry), typ=DOUBLE), "float")
        held = Number(self.builder.load(self.slot(owner, entry), typ=INT), "int")
        return held if entry.kind == "int" else Number(numbers.to_bool(self.builder, held), "bool")

    def see_Subscript(self, node: ast.Subscript) -> Value:  # noqa: N802
        held = self.value(node.value)
        if isinstance(held, Computed):
            return held  # of the event's instrument, as its index is
        if isinstance(held, Single):
            self.check_index(self.index(node.slice), INT(1))
            return self.inline(held.owner, held.entry)
        if isinstance(held, Array):
            kind = DOUBLE if held.kind == "float" else INT
            return Number(self.builder.load(self.element_place(held, self.index(node.slice)), typ=kind), held.kind)
        if isinstance(held, Objects):
            at = self.index(node.slice)
            self.check_index(at, self.load_integer(held.owner, held.n + 2))
            bases = [
                self.builder.add(self.load_integer(held.owner, held.n + k), self.builder.mul(at, INT(size)))
                for k, size in enumerate((held.shape.f_size, held.shape.n_size))
            ]
            return Object(held.shape, 0, 0, *bases)
        raise self.refuse(node, ast.unparse(node))

    def see_BinOp(self, node: ast.BinOp) -> Value:  # noqa: N802
        left, right = self.number(node.left), self.number(node.right)
        sign = BINARY.get(type(node.op))
        made = numbers.arithmetic(self.builder, sign, left, right, self.fail) if sign else None
        if made is None:
            raise self.refuse(node, f"the operator in {ast.unparse(node)}; write x * x, or math.floor(x / y)")
        return made

    def see_UnaryOp(self, node: ast.UnaryOp) -> Value:  # noqa: N802
        if isinstance(node.op, ast.Not):
            return Number(self.builder.not_(self.truth(node.operand)), "bool")
        number = self.number(node.operand)
        if isinstance(node.op, ast.USub):
            if number.kind == "float":
                return Number(self.builder.fneg(number.value), "float")
            return Number(self.builder.neg(numbers.to_int(self.builder, number)), "int")
        raise self.refuse(node, f"the operator in {ast.unparse(node)}")

    def see_BoolOp(self, node: ast.BoolOp) -> Value:  # noqa: N802
        return Number(self.both_or_either(node), "bool")

    def see_Compare(self, node: ast.Compare) -> Value:  # noqa: N802
        if len(node.ops) > 1:
            steps = [node.left, *node.comparators]
            pairs = [
                ast.copy_location(ast.Compare(steps[k], [sign], [steps[k + 1]]), node)
                for k, sign in enumerate(node.ops)
            ]
            return self.value(ast.copy_location(ast.BoolOp(ast.And(), list(pairs)), node))
        sign = COMPARED.get(type(node.ops[0]))
        if sign is None:
            raise self.refuse(node, f"the comparison in {ast.unparse(node)}")
        left, right = self.number(node.left), self.number(node.comparators[0])
        return Number(numbers.compare(self.builder, sign, left, right), "bool")

    def see_IfExp(self, node: ast.IfExp) -> Value:  # noqa: N802
        then, other, after = (self.llvm.append_basic_block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(self.truth(node.test), then, other)
        ends = []
        for start, part in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(start)
            number = self.number(part)
            ends.append((number, self.builder.block))
        kind = numbers.common([number for number, _ in ends])
        values = []
        for number, end in ends:
            self.builder.position_at_end(end)
            values.append((numbers.as_kind(self.builder, number, kind), end))
            self.builder.branch(after)
        self.builder.position_at_end(after)
        joined = self.builder.phi(TYPES[kind])
        for value, end in values:
            joined.add_incoming(value, end)
        return Number(joined, kind)
