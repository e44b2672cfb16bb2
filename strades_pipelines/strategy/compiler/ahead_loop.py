"""The loop that updates indicators over columns of bars, and puts their numbers into columns of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from strades_pipelines.strategy.compiler import numbers
from strades_pipelines.strategy.compiler.ahead import UPDATE, Indicator
from strades_pipelines.strategy.compiler.program import MEMORY, Function, Program
from strades_pipelines.strategy.compiler.values import (
    BOOL,
    COLUMNS,
    DOUBLE,
    INT,
    POINTER,
    TYPES,
    VOID,
    Column,
    Number,
    Object,
    column_of,
)

BYTE, SMALL = ir.IntType(8), ir.IntType(32)
Columns = tuple[tuple[str, Column], ...]


@dataclass(frozen=True)
class Placed:
    """An indicator, and where it begins in F and N; one of a list of them, where N says where the list begins."""

    indicator: Indicator
    f: int
    n: int

    @property
    def is_listed(self) -> bool:
        """Whether there is one for each instrument."""
        return self.indicator.entry.kind == "objects"


class AheadLoop:
    """`ahead`: one update of each indicator for each bar from a row to another.

    Args:
        program: empty as yet.
        sizes: how many numbers at constant places F and N have.
        event: the class of a bar.
        kind: that of a bar, where other events are among them.
    """

    def __init__(
        self, program: Program, placed: Sequence[Placed], sizes: tuple[int, int], event: type, kind: int | None
    ) -> None:
        self.program, self.placed, self.event, self.kind = program, placed, event, kind
        self.made = ir.Function(program.module, ir.FunctionType(VOID, [POINTER] * len(MEMORY) + [INT, INT]), "ahead")
        self.arrays = self.made.args[: len(MEMORY)]
        for given in self.arrays:
            given.add_attribute("noalias")
        self.blocks = {name: self.made.append_basic_block(name) for name in ("entry", "row", "bar", "next", "end")}
        self.builder = ir.IRBuilder(self.blocks["entry"])
        kinds = (DOUBLE, INT)
        self.stack = [self.builder.alloca(ir.ArrayType(kind, size + 1)) for kind, size in zip(kinds, sizes, strict=True)]
        self.starts = [self.where(one) if one.is_listed else [] for one in placed]
        self.width = 0

    def where(self, placed: Placed) -> list[Any]:
        """Where a list's first indicator begins in L and M, and how many they are."""
        return [self.constant(self.arrays[1], INT(placed.n + k), INT) for k in range(3)]

    def build(self) -> list[Columns]:
        """Write the function; returns where the numbers of each indicator go, behind the columns of events."""
        builder, blocks = self.builder, self.blocks
        start, end = self.made.args[len(MEMORY) :]
        self.copy("first")
        builder.cbranch(builder.icmp_signed("<", start, end), blocks["row"], blocks["end"])
        builder.position_at_end(blocks["row"])
        row = builder.phi(INT)
        row.add_incoming(start, blocks["entry"])
        builder.cbranch(self.is_bar(row), blocks["bar"], blocks["next"])
        builder.position_at_end(blocks["bar"])
        columns = [self.step(one, starts, row) for one, starts in zip(self.placed, self.starts, strict=True)]
        builder.branch(blocks["next"])
        builder.position_at_end(blocks["next"])
        after = builder.add(row, INT(1))
        row.add_incoming(after, blocks["next"])
        builder.cbranch(builder.icmp_signed("<", after, end), blocks["row"], blocks["end"])
        builder.position_at_end(blocks["end"])
        self.copy("last")
        builder.ret_void()
        self.arrays[5].attributes.dereferenceable = 8 * (COLUMNS + self.width)
        self.arrays[5].attributes.align = 8
        self.program.copies.define(self.program.module)
        return columns

    def copy(self, which: str) -> None:
        """Copy the numbers at constant places to the stack, or back."""
        copies = getattr(self.program.copies, which)(self.program.module)
        self.builder.call(copies, [*self.stack, *self.arrays[:2]])

    def constant(self, memory: Any, index: Any, kind: ir.Type) -> Any:
        """A load from memory that never changes while the loop runs."""
        loaded = self.builder.load(self.builder.gep(memory, [index], source_etype=kind), typ=kind)
        loaded.set_metadata("invariant.load", self.program.module.add_metadata([]))
        return loaded

    def place(self, column: Column, row: Any) -> tuple[Any, Any]:
        """A column and a row of it."""
        return self.constant(self.arrays[5], INT(column.number), POINTER), row

    def is_bar(self, row: Any) -> Any:
        """Whether the event of a row is a bar."""
        if self.kind is None:
            return BOOL(True)
        what = self.constant(*self.place(Column(0, BYTE, "int"), row), BYTE)
        return self.builder.icmp_signed("==", what, BYTE(self.kind))

    def step(self, placed: Placed, starts: list[Any], row: Any) -> Columns:
        """One update of an indicator."""
        indicator, listed = placed.indicator, placed.is_listed
        bases = self.bases(indicator, starts, row) if listed else []
        owner = Object(indicator.shape, 0, 0, *bases) if listed else Object(indicator.shape, placed.f, placed.n)
        given = []
        for name in indicator.arguments:
            column = column_of(self.event, name)
            assert column is not None
            given.append(Number(self.constant(*self.place(column, row), column.stored), column.kind))
        update = self.program.method(owner, UPDATE, given, UPDATE, hot=not listed)
        memories = self.arrays if listed else [*self.stack, *self.arrays[2:], *self.arrays[:2]]
        returned = self.call(update, [*memories, *bases, *(number.value for number in given)])
        columns = self.columns(indicator, update)
        values = {name: self.slot(placed, name, bases) for name in indicator.numbers}
        if UPDATE in columns and list(columns.values()).count(columns[UPDATE]) == 1:
            values[UPDATE] = numbers.to_int(self.builder, returned) if returned.kind == "bool" else returned.value
        for name, value in values.items():
            base, at = self.place(columns[name], row)
            self.builder.store(value, self.builder.gep(base, [at], source_etype=columns[name].stored))
        return tuple(columns.items())

    def columns(self, indicator: Indicator, update: Function) -> dict[str, Column]:
        """The column of each number; what is returned has none of its own where an attribute is the same."""
        fields, found = dict(indicator.shape.fields), {}
        kinds = {name: fields[name].kind for name in indicator.numbers}
        same = indicator.returned_as is not None and kinds[indicator.returned_as] == update.returns
        if not same and update.returns != "nothing":
            kinds[UPDATE] = update.returns
        for name, kind in kinds.items():
            found[name] = Column(COLUMNS + self.width, DOUBLE if kind == "float" else INT, kind)
            self.width += 1
        return found | ({UPDATE: found[indicator.returned_as]} if same and indicator.returned_as else {})

    def bases(self, indicator: Indicator, starts: list[Any], row: Any) -> list[Any]:
        """Where the indicator of the event's instrument begins in L and M."""
        *begins, count = starts
        i = INT(0)
        if not self.program.single:
            i = self.builder.sext(self.constant(*self.place(Column(1, SMALL, "int"), row), SMALL), INT)
        error = self.program.error("IndexError", "list index out of range")
        self.fail(self.builder.icmp_unsigned(">=", i, count), error)
        sizes = (indicator.shape.f_size, indicator.shape.n_size)
        return [
            self.builder.add(begin, self.builder.mul(i, INT(size))) for begin, size in zip(begins, sizes, strict=True)
        ]

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

    def fail(self, condition: Any, error: int | None = None) -> None:
        """Leave where the condition holds, with this error or the one that is there already."""
        with self.builder.if_then(condition, likely=False):
            if error is not None:
                self.builder.store(INT(error), self.arrays[4])
            self.builder.ret_void()

    def slot(self, placed: Placed, name: str, bases: list[Any]) -> Any:
        """A number of an indicator, as it lies there."""
        entry = dict(placed.indicator.shape.fields)[name]
        which, kind = (0, DOUBLE) if entry.kind == "float" else (1, INT)
        at = (entry.f, entry.n)[which]
        if placed.is_listed:
            memory, index = self.arrays[2 + which], self.builder.add(bases[which], INT(at))
        else:
            at += (placed.f, placed.n)[which]
            self.program.copies.hot.touch("FN"[which], at, write=False)
            memory, index = self.stack[which], INT(at)
        return self.builder.load(self.builder.gep(memory, [index], source_etype=kind), typ=kind)
