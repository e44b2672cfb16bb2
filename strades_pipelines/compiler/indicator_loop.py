"""The loop that updates an indicator over columns of bars, and stores its numbers in columns of their own."""

from typing import Any

from llvmlite import ir

from strades_pipelines.compiler import numbers
from strades_pipelines.compiler.bar_hook import UPDATE
from strades_pipelines.compiler.bar_indicators import Indicator
from strades_pipelines.compiler.lowered_values import (
    COLUMNS,
    DOUBLE,
    INT,
    POINTER,
    TYPES,
    VOID,
    Column,
    NotCompilable,
    Number,
    Object,
    column_of,
)
from strades_pipelines.compiler.program import MEMORY, Function, Program


class IndicatorLoop:
    """`ahead`: one update for each bar from a row to another.

    The indicator, or the list with one for each instrument, is all that lies in the arrays.

    Args:
        program: empty as yet.
        event: the class of a bar.
    """

    def __init__(self, program: Program, indicator: Indicator, event: type) -> None:
        self.program, self.indicator, self.event = program, indicator, event
        self.made = ir.Function(program.module, ir.FunctionType(VOID, [POINTER] * len(MEMORY) + [INT, INT]), "ahead")
        self.arrays = self.made.args[: len(MEMORY)]
        for given in self.arrays:
            given.add_attribute("noalias")
        self.blocks = {name: self.made.append_basic_block(name) for name in ("entry", "row", "end")}
        self.builder = ir.IRBuilder(self.blocks["entry"])
        sizes = ((DOUBLE, indicator.shape.f_size), (INT, indicator.shape.n_size))
        self.stack = [self.builder.alloca(ir.ArrayType(kind, size + 1)) for kind, size in sizes]
        self.columns: dict[str, Column] = {}

    def build(self) -> dict[str, Column]:
        """Write the function; returns where its numbers go, behind the columns of events."""
        builder, blocks = self.builder, self.blocks
        start, end = self.made.args[len(MEMORY) :]
        # Where a list begins in each array, and how long it is; of one indicator nothing is read.
        listed = [self.constant(self.arrays[1], INT(k), INT) for k in range(3)] if self.indicator.is_listed else []
        self.copy("load_all")
        builder.cbranch(builder.icmp_signed("<", start, end), blocks["row"], blocks["end"])
        builder.position_at_end(blocks["row"])
        row = builder.phi(INT)
        row.add_incoming(start, blocks["entry"])
        self.step(row, self.bases(listed, row) if listed else [])
        after = builder.add(row, INT(1))
        row.add_incoming(after, builder.block)
        builder.cbranch(builder.icmp_signed("<", after, end), blocks["row"], blocks["end"])
        builder.position_at_end(blocks["end"])
        self.copy("store_all")
        builder.ret_void()
        self.program.copies.define(self.program.module)
        return self.columns

    def copy(self, which: str) -> None:
        """Copy the numbers at constant places to the stack, or back."""
        copies = getattr(self.program.copies, which)(self.program.module)
        self.builder.call(copies, [*self.stack, *self.arrays[:2]])

    def constant(self, memory: Any, index: Any, kind: ir.Type) -> Any:
        """A load from memory that never changes while the loop runs."""
        loaded = self.builder.load(self.builder.gep(memory, [index], source_etype=kind), typ=kind)
        loaded.set_metadata("invariant.load", self.program.nothing)
        return loaded

    def column(self, column: Column) -> Any:
        """Where a column begins."""
        return self.constant(self.arrays[5], INT(column.number), POINTER)

    def number(self, name: str, row: Any) -> Number:
        """A number of a bar."""
        column = column_of(self.event, name)
        assert column is not None
        value = self.constant(self.column(column), row, column.stored)
        return Number(value if column.kind == "float" or name != "i" else self.builder.sext(value, INT), column.kind)

    def bases(self, listed: list[Any], row: Any) -> list[Any]:
        """Where the indicator of the bar's instrument begins in its list."""
        *begins, count = listed
        i = INT(0) if self.program.single else self.number("i", row).value
        self.fail(self.builder.icmp_unsigned(">=", i, count), "IndexError", "list index out of range")
        shape = self.indicator.shape
        pairs = zip(begins, (shape.f_size, shape.n_size), strict=True)
        return [self.builder.add(begin, self.builder.mul(i, INT(size))) for begin, size in pairs]

    def step(self, row: Any, bases: list[Any]) -> None:
        """Update the indicator once, and store its numbers in their columns."""
        given = [self.number(name, row) for name in self.indicator.arguments]
        owner = Object(self.indicator.shape, 0, 0, *bases)
        update = self.program.method(owner, UPDATE, given, UPDATE, hot=not bases)
        memories = self.arrays if bases else [*self.stack, *self.arrays[2:], *self.arrays[:2]]
        returned = self.call(update, [*memories, *bases, *(number.value for number in given)])
        values = {name: self.slot(name, bases) for name in self.indicator.numbers}
        if returned.kind == "real" or self.program.found_reals:
            raise NotCompilable(f"{self.indicator.name}: whether its numbers are ints or floats is not known ahead")
        same = values.get(self.indicator.returned_as or "")
        is_kept = self.indicator.is_returned and returned.kind != "nothing"
        if is_kept and (same is None or same.kind != returned.kind):
            values[UPDATE] = returned
        for name, value in values.items():
            self.store(name, value, row)
        if same is not None and UPDATE not in values:
            self.columns[UPDATE] = self.columns[self.indicator.returned_as or ""]

    def call(self, update: Function, given: list[Any]) -> Number:
        """The result of an update; an error ends the loop."""
        if not update.raises:
            return Number(self.builder.call(update.made, given), update.returns)
        place = None
        if update.returns != "nothing":
            with self.builder.goto_entry_block():
                place = self.builder.alloca(TYPES[update.returns])
        self.fail(self.builder.call(update.made, [*given, place] if place else given))
        return Number(self.builder.load(place, typ=TYPES[update.returns]) if place else None, update.returns)

    def fail(self, condition: Any, name: str = "", text: str = "") -> None:
        """Return where the condition holds, with this error, or without a name with the one that is set already."""
        with self.builder.if_then(condition, likely=False):
            if name:
                self.builder.store(INT(self.program.error(name, text)), self.arrays[4])
            self.builder.ret_void()

    def slot(self, name: str, bases: list[Any]) -> Number:
        """A number of the indicator."""
        entry = dict(self.indicator.shape.fields)[name]
        which, at, kind = (0, entry.f, DOUBLE) if entry.kind == "float" else (1, entry.n, INT)
        memory, index = self.stack[which], INT(at)
        if bases:
            memory, index = self.arrays[2 + which], self.builder.add(bases[which], INT(at))
        else:
            self.program.copies.hot.record(MEMORY[which], at, write=False)
        value = self.builder.load(self.builder.gep(memory, [index], source_etype=kind), typ=kind)
        return Number(
            numbers.to_bool(self.builder, Number(value, "int")) if entry.kind == "bool" else value, entry.kind
        )

    def store(self, name: str, value: Number, row: Any) -> None:
        """Put a number into a column of its own; a truth value as 0 or 1."""
        kind = DOUBLE if value.kind == "float" else INT
        column = self.columns[name] = Column(COLUMNS + len(self.columns), kind, value.kind)
        kept = value.value if value.kind == "float" else numbers.to_int(self.builder, value)
        self.builder.store(kept, self.builder.gep(self.column(column), [row], source_etype=kind))
