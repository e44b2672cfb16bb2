"""The loop that updates an indicator over columns of bars, and puts its numbers into columns of their own."""

from dataclasses import dataclass, field
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

SMALL = ir.IntType(32)


@dataclass
class AheadLoop:
    """`ahead`: one update for each bar from a row to another.

    The arrays of one indicator begin at F and N; of a list with one for each instrument, in L and M, the first begins
    where the last three arguments say, and so many there are. Lists are in L and M either way.

    Args:
        listed: whether it is such a list.
        event: the class of a bar, and its kind where others are among them.
    """

    indicator: Indicator
    listed: bool
    event: type
    kind: int | None
    program: Program = field(default_factory=Program)

    def build(self) -> tuple[tuple[str, Column], ...]:
        """Write the function; returns where its numbers go, the first of them behind the columns of bars."""
        shape, program = self.indicator.shape, self.program
        arguments = [POINTER] * len(MEMORY) + [INT] * 5
        self.made = ir.Function(program.module, ir.FunctionType(VOID, arguments), "ahead")
        *self.arrays, self.start, self.end, self.f, self.n, self.count = self.made.args
        for given in self.arrays:
            given.add_attribute("noalias")
        self.builder = ir.IRBuilder(self.made.append_basic_block("entry"))
        sizes = ((DOUBLE, shape.f_size), (INT, shape.n_size))
        self.stack = [self.builder.alloca(ir.ArrayType(kind, size + 1)) for kind, size in sizes]
        taken = [column for name in self.indicator.arguments if (column := column_of(self.event, name))]
        owner = Object(shape, 0, 0, self.f, self.n) if self.listed else Object(shape)
        given = [Number(None, column.kind) for column in taken]
        update = program.method(owner, UPDATE, given, UPDATE, hot=not self.listed)
        columns = self.columns(update)
        self.arrays[5].attributes.dereferenceable = 8 * (COLUMNS + len(columns))
        self.arrays[5].attributes.align = 8
        self.copy("first")
        self.loop(update, taken, dict(columns))
        self.program.copies.define(program.module)
        return columns

    def columns(self, update: Function) -> tuple[tuple[str, Column], ...]:
        """The column of each number; what is returned has none of its own where an attribute is the same."""
        found: dict[str, Column] = {}
        for k, name in enumerate(self.indicator.numbers):
            kind = dict(self.indicator.shape.fields)[name].kind
            found[name] = Column(COLUMNS + k, DOUBLE if kind == "float" else INT, kind)
        same = found.get(self.indicator.returned_as or "")
        if same and same.kind == update.returns:
            found[UPDATE] = same
        elif update.returns != "nothing":
            stored = DOUBLE if update.returns == "float" else INT
            found[UPDATE] = Column(COLUMNS + len(found), stored, update.returns)
        return tuple(found.items())

    def copy(self, which: str) -> None:
        """Copy to the stack, or back."""
        copies = getattr(self.program.copies, which)(self.program.module)
        self.builder.call(copies, [*self.stack, *self.arrays[:2]])

    def loop(self, update: Function, taken: list[Column], columns: dict[str, Column]) -> None:
        """From row to row."""
        builder = self.builder
        entry, head, body, after, end = builder.block, *map(
            self.made.append_basic_block, ("row", "bar", "next", "end")
        )
        builder.branch(head)
        builder.position_at_end(head)
        row = builder.phi(INT)
        row.add_incoming(self.start, entry)
        more = self.made.append_basic_block("more")
        builder.cbranch(builder.icmp_signed("<", row, self.end), more, end)
        builder.position_at_end(more)
        builder.cbranch(self.is_bar(row), body, after)
        builder.position_at_end(body)
        self.step(update, taken, columns, row)
        builder.branch(after)
        builder.position_at_end(after)
        row.add_incoming(builder.add(row, INT(1)), after)
        builder.branch(head)
        builder.position_at_end(end)
        self.copy("last")
        builder.ret_void()

    def is_bar(self, row: Any) -> Any:
        """Whether the event of a row is a bar."""
        byte = ir.IntType(8)
        return BOOL(True) if self.kind is None else self.builder.icmp_signed("==", self.load(0, row, byte), byte(self.kind))

    def address(self, column: int) -> Any:
        """Where a column begins."""
        return self.constant(self.arrays[5], INT(column), POINTER)

    def load(self, column: int, row: Any, stored: ir.Type) -> Any:
        """A number of an event."""
        return self.constant(self.address(column), row, stored)

    def constant(self, memory: Any, index: Any, kind: ir.Type) -> Any:
        """A load from memory that never changes while the loop runs."""
        loaded = self.builder.load(self.builder.gep(memory, [index], source_etype=kind), typ=kind)
        loaded.set_metadata("invariant.load", self.program.module.add_metadata([]))
        return loaded

    def step(self, update: Function, taken: list[Column], columns: dict[str, Column], row: Any) -> None:
        """One update."""
        bases = self.bases(row) if self.listed else []
        memories = self.arrays if self.listed else [*self.stack, *self.arrays[2:], *self.arrays[:2]]
        given = [*memories, *bases, *(self.load(column.number, row, column.stored) for column in taken)]
        returned = self.call(update, given)
        for name in self.indicator.numbers:
            self.store(columns[name], row, self.slot(name, columns[name], bases))
        column = columns.get(UPDATE)
        if column and column.number >= COLUMNS + len(self.indicator.numbers):
            value = numbers.to_int(self.builder, returned) if column.stored == INT else returned.value
            self.store(column, row, value)

    def store(self, column: Column, row: Any, value: Any) -> None:
        """Put a number into its column."""
        self.builder.store(value, self.builder.gep(self.address(column.number), [row], source_etype=column.stored))

    def bases(self, row: Any) -> list[Any]:
        """Where the indicator of the event's instrument begins in L and M."""
        i = self.builder.sext(self.load(1, row, SMALL), INT)
        self.fail(self.builder.icmp_unsigned(">=", i, self.count), self.program.error("IndexError", "list index out of range"))
        shape = self.indicator.shape
        sizes = ((self.f, shape.f_size), (self.n, shape.n_size))
        return [self.builder.add(start, self.builder.mul(i, INT(size))) for start, size in sizes]

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

    def slot(self, name: str, column: Column, bases: list[Any]) -> Any:
        """An attribute of the indicator."""
        entry = dict(self.indicator.shape.fields)[name]
        which, at = (0, entry.f) if entry.kind == "float" else (1, entry.n)
        if self.listed:
            memory, place = self.arrays[2 + which], self.builder.add(bases[which], INT(at))
        else:
            self.program.copies.hot.touch("FN"[which], at, write=False)
            memory, place = self.stack[which], INT(at)
        return self.builder.load(self.builder.gep(memory, [place], source_etype=column.stored), typ=column.stored)
