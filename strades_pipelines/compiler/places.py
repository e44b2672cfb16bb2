"""Where the numbers of objects and lists lie, for the functions lowered to LLVM."""

import ast
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler.function_source import Source
from strades_pipelines.compiler.lowered_values import (
    COLUMNS,
    DOUBLE,
    INT,
    POINTER,
    Array,
    NotCompilable,
    Number,
    Object,
    Value,
)
from strades_pipelines.compiler.program import Function, Program
from strades_pipelines.compiler.shapes import Field


class Places:
    """What `Body` knows about places."""

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

    def place(self, base: Any, offset: int) -> Any:
        """An index: so much behind a base, or constant."""
        if base is None:
            return INT(offset)
        return self.builder.add(base, INT(offset)) if offset else base

    def load_integer(self, owner: Object, n: int) -> Any:
        """Where a list lies or how long it is, which never changes while code runs."""
        memory = "list_ints" if owner.base_n is not None else "array_ints" if self.hot else "ints"
        loaded = self.constant_load(self.memory[memory], self.place(owner.base_n, owner.n + n), INT)
        loaded.set_metadata("range", self.program.lengths)
        return loaded

    def slot(self, owner: Object, entry: Field, *, write: bool = False) -> Any:
        """Where a number of an object is."""
        base, at, name, kind = owner.base_n, owner.n + entry.n, "ints", INT
        if entry.kind == "float":
            base, at, name, kind = owner.base_f, owner.f + entry.f, "floats", DOUBLE
        if base is None:
            accesses = self.program.copies.hot if self.hot else self.program.now
            accesses.record(name, at, write=write)
        memory = self.memory[name if base is None else f"list_{name}"]
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
            # Unsigned: below 0 it is a large number, and found by the same comparison.
            self.fail(self.builder.icmp_unsigned(">=", index, count), "IndexError", text, per_event=below)
            return index
        self.fail(self.builder.icmp_unsigned(">=", index, count), "IndexError", text)
        return index

    def element_place(self, array: Array, index: Any, *, write: bool = False) -> Any:
        """Where an element of a list of numbers is."""
        if array.reserve:
            base = self.constant_load(self.memory["table"], INT(COLUMNS + array.start), POINTER)
            return self.builder.gep(base, [index], source_etype=DOUBLE)
        index = self.place_of(index, self.load_integer(array.owner, array.count), write=write)
        if array.stride:
            index = self.builder.add(self.builder.mul(index, INT(array.stride)), INT(array.offset))
        at = self.builder.add(self.load_integer(array.owner, array.start), index)
        memory, kind = (
            (self.memory["list_floats"], DOUBLE) if array.kind == "float" else (self.memory["list_ints"], INT)
        )
        return self.builder.gep(memory, [at], source_etype=kind)

    def constant_load(self, memory: Any, index: Any, kind: ir.Type) -> Any:
        """A load from memory that never changes while code runs."""
        loaded = self.builder.load(self.builder.gep(memory, [index], source_etype=kind), typ=kind)
        loaded.set_metadata("invariant.load", self.program.nothing)
        return loaded
