"""The expressions of a function, lowered to LLVM."""

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import ModuleType
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler import numbers
from strades_pipelines.compiler.lowered_values import (
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
    Unknown,
    Value,
    column_of,
)
from strades_pipelines.compiler.program import Function, Program, Source
from strades_pipelines.compiler.shapes import SCALARS, Field

BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%"}
COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Expressions:
    """What `Body` knows about expressions."""

    builder: Any
    memory: dict[str, Any]
    llvm: Any

    def __init__(self, program: Program, source: Source, *, hot: bool) -> None:
        self.program, self.source, self.hot = program, source, hot
        # Of the host's own code it is known that no integer leaves 64 bits, nor 53 where it meets a float.
        self.checked = source.names.get("__name__") not in program.trusted

    def refuse(self, node: ast.AST, what: str) -> NotCompilable:
        """The error for a node: where it stands, what is wrong, and its code."""
        code = ast.unparse(node).partition("\n")[0]
        return NotCompilable(f"{self.source.where(node)}: {what}" + ("" if code in what else f": {code}"))

    def local(self, node: ast.Name) -> Value | None:
        """What a local name stands for; `Body` knows."""
        raise NotImplementedError

    def row(self, node: ast.expr) -> Any:
        """The row of the event that is handled; `Body` knows."""
        raise NotImplementedError

    def fail(self, condition: Any, name: str, text: str, per_event: Callable[[], Any] | None = None) -> None:
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

    def place_of(self, index: Any, count: Any, *, write: bool = False) -> Any:
        """The place of an element, an index below 0 counted from the end; raises where the list has no such element.

        A computed index below 0 runs per event: to look for it each time would cost those that are not.
        """
        text = f"list {'assignment ' if write else ''}index out of range"
        if isinstance(index, ir.Constant) and index.constant < 0:
            if isinstance(count, ir.Constant):
                index = INT(index.constant + count.constant)
            else:
                index = self.builder.add(count, index)
        elif isinstance(index, ir.Constant) and isinstance(count, ir.Constant) and index.constant < count.constant:
            return index
        elif not isinstance(index, ir.Constant):
            below = lambda: self.builder.icmp_unsigned("<", self.builder.add(index, count), count)  # noqa: E731
            self.fail(self.builder.icmp_unsigned(">=", index, count), "IndexError", text, per_event=below)
            return index
        self.fail(self.builder.icmp_unsigned(">=", index, count), "IndexError", text)
        return index

    def element_place(self, array: Array, index: Any, *, write: bool = False) -> Any:
        """Where an element of a list of numbers is."""
        if array.reserve:
            base = self.constant_load(self.memory["T"], INT(COLUMNS + array.start), POINTER)
            return self.builder.gep(base, [index], source_etype=DOUBLE)
        index = self.place_of(index, self.load_integer(array.owner, array.count), write=write)
        if array.stride:
            index = self.builder.add(self.builder.mul(index, INT(array.stride)), INT(array.offset))
        at = self.builder.add(self.load_integer(array.owner, array.start), index)
        memory, kind = (self.memory["L"], DOUBLE) if array.kind == "float" else (self.memory["M"], INT)
        return self.builder.gep(memory, [at], source_etype=kind)

    def index(self, node: ast.expr) -> Any:
        """The code of an index; it must be a whole number."""
        number = self.number(node)
        if number.kind in ("float", "real"):
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

    def truth(self, node: ast.expr) -> Any:
        """Whether an expression holds; of `and` and `or` the later parts are looked at only when they matter."""
        if isinstance(node, ast.BoolOp):
            return self.chain(isinstance(node.op, ast.And), [partial(self.truth, part) for part in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self.builder.not_(self.truth(node.operand))
        return numbers.to_bool(self.builder, self.number(node))

    def chain(self, ends_with_false: bool, conditions: Sequence[Callable[[], Any]]) -> Any:
        """Conditions one after the other, until one decides."""
        place = self.allocate("bool")
        after = self.llvm.append_basic_block("decided")
        for condition in conditions[:-1]:
            held = condition()
            self.builder.store(held, place)
            more = self.llvm.append_basic_block("more")
            first, second = (more, after) if ends_with_false else (after, more)
            self.builder.cbranch(held, first, second)
            self.builder.position_at_end(more)
        self.builder.store(conditions[-1](), place)
        self.builder.branch(after)
        self.builder.position_at_end(after)
        return self.builder.load(place, typ=BOOL)

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
        owner = self.value(node.value)
        if isinstance(owner, Event):
            return self.event_number(node, owner)
        if isinstance(owner, Object):
            return self.member(node, owner)
        if isinstance(owner, Computed):
            return self.computed_number(node, owner)
        raise self.unknown(node, owner, f"{ast.unparse(node)}, of no object")

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
        raise self.refuse(node, f"{ast.unparse(node)} of what was updated ahead")

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

    def see_BinOp(self, node: ast.BinOp) -> Value:  # noqa: N802
        return self.operation(node, node.op, self.number(node.left), self.number(node.right))

    def operation(self, node: ast.AST, operator: ast.operator, left: Number, right: Number) -> Number:
        """What an operator makes of two numbers."""
        sign = BINARY.get(type(operator))
        check = self.checked
        made = numbers.arithmetic(self.builder, sign, left, right, self.fail, checked=check) if sign else None
        if made is None:
            raise self.refuse(node, f"the operator in {ast.unparse(node)}; write x * x, or math.floor(x / y)")
        return made

    def see_UnaryOp(self, node: ast.UnaryOp) -> Value:  # noqa: N802
        if isinstance(node.op, ast.Not):
            return Number(self.truth(node), "bool")
        number = self.number(node.operand)
        if isinstance(node.op, ast.USub):
            return numbers.negative(self.builder, number, self.fail, checked=self.checked)
        raise self.refuse(node, f"the operator in {ast.unparse(node)}")

    def see_BoolOp(self, node: ast.BoolOp) -> Value:  # noqa: N802
        """The first part that decides, as it is; the others are not looked at."""
        ends, after = [], self.llvm.append_basic_block("decided")
        for part in node.values[:-1]:
            number = self.number(part)
            held, more = numbers.to_bool(self.builder, number), self.llvm.append_basic_block("more")
            end = self.llvm.append_basic_block("end")
            first, second = (more, end) if isinstance(node.op, ast.And) else (end, more)
            self.builder.cbranch(held, first, second)
            ends.append((number, end))
            self.builder.position_at_end(more)
        ends.append((self.number(node.values[-1]), self.builder.block))
        return self.joined(ends, after)

    def joined(self, ends: Sequence[tuple[Number, Any]], after: Any) -> Number:
        """The number of the block that `after` is reached from, of a kind that holds all of them."""
        kind = numbers.common([number.kind for number, _ in ends])
        values = []
        for number, end in ends:
            self.builder.position_at_end(end)
            value = numbers.as_kind(self.builder, number, kind, self.fail)
            values.append((value, self.builder.block))
            self.builder.branch(after)
        self.builder.position_at_end(after)
        made = self.builder.phi(TYPES[kind])
        for value, end in values:
            made.add_incoming(value, end)
        return Number(made, kind)

    def see_Compare(self, node: ast.Compare) -> Value:  # noqa: N802
        """Each side is looked at once, the later ones only where the comparisons before hold."""
        signs = [COMPARED.get(type(operator)) for operator in node.ops]
        if None in signs:
            raise self.refuse(node, f"the comparison in {ast.unparse(node)}")
        sides = [self.number(node.left)]

        def compare(sign: str, side: ast.expr) -> Any:
            sides.append(self.number(side))
            return numbers.compare(self.builder, sign, sides[-2], sides[-1], self.fail if self.checked else None)

        pairs = zip(signs, node.comparators, strict=True)
        conditions = [partial(compare, sign, side) for sign, side in pairs if sign]
        return Number(conditions[0]() if len(conditions) == 1 else self.chain(True, conditions), "bool")

    def see_IfExp(self, node: ast.IfExp) -> Value:  # noqa: N802
        then, other, after = (self.llvm.append_basic_block(name) for name in ("then", "else", "after"))
        self.builder.cbranch(self.truth(node.test), then, other)
        ends = []
        for start, part in ((then, node.body), (other, node.orelse)):
            self.builder.position_at_end(start)
            number = self.number(part)
            ends.append((number, self.builder.block))
        return self.joined(ends, after)
