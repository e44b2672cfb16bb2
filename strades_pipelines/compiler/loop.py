"""The loop over columns of events that a program is called through."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler.lowered_values import BOOL, COLUMNS, DOUBLE, INT, POINTER, VOID
from strades_pipelines.compiler.program import MEMORY, Function, Program
from strades_pipelines.compiler.shapes import Shape

AHEAD = 32  # events


@dataclass(frozen=True)
class Hook:
    """What is called for events of one kind.

    `quick` is hot. Where `is_busy` says so of an event, `busy` is called in its place, which does the same on the
    arrays themselves: so what is rare leaves no traces in the loop.
    """

    quick: Function
    busy: Function | None = None
    is_busy: Function | None = None


ARGUMENTS = (POINTER,) * len(MEMORY) + (INT, INT)  # the memory, the first event, and the one behind the last


def add_end(program: Program, function: Function) -> None:
    """`end`: one call of a function that works on the arrays themselves; it is called as `run` is."""
    made = ir.Function(program.module, ir.FunctionType(INT, ARGUMENTS), "end")
    builder = ir.IRBuilder(made.append_basic_block("entry"))
    builder.call(function.made, made.args[: len(MEMORY)])
    builder.ret(INT(0))


class Loop:
    """`run`: one call of a hook for each event, until the end or until the journal is full.

    Numbers at constant places are copied to the stack when it begins and back when it ends: see `copies`.

    Args:
        hooks: the functions for each kind of event that occurs.
        full: the place in `ints` that is not 0 when the loop is to stop.
        reserves: how many addresses stand in the table behind those of the columns.
        sparse: columns of 8 bytes a row of which few events need theirs; fetched into the cache ahead of time.
    """

    def __init__(
        self,
        program: Program,
        shape: Shape,
        hooks: dict[int, Hook],
        full: int,
        reserves: int,
        sparse: Sequence[int] = (),
    ) -> None:
        self.made = ir.Function(program.module, ir.FunctionType(INT, ARGUMENTS), "run")
        self.arrays = self.made.args[: len(MEMORY)]
        for given in self.arrays:
            given.add_attribute("noalias")
        # What never changes is read before the loop only if LLVM may read it whether or not there is an event.
        for at, size in ((0, shape.f_size), (1, shape.n_size), (5, COLUMNS + reserves)):
            self.arrays[at].attributes.dereferenceable = 8 * size
            self.arrays[at].attributes.align = 8
        self.hooks, self.full, self.copies, self.sparse = hooks, full, program.copies, sparse
        self.blocks = {name: self.made.append_basic_block(name) for name in ("entry", "event", "next", "end")}
        self.builder = ir.IRBuilder(self.blocks["entry"])
        sizes = ((DOUBLE, shape.f_size), (INT, shape.n_size))
        self.stack = [self.builder.alloca(ir.ArrayType(kind, size + 1)) for kind, size in sizes]

    def build(self) -> None:
        """Write the function."""
        builder, blocks = self.builder, self.blocks
        start, end = self.made.args[len(MEMORY) :]
        self.copy("load_all")
        builder.cbranch(builder.icmp_signed("<", start, end), blocks["event"], blocks["end"])
        builder.position_at_end(blocks["event"])
        k = builder.phi(INT)
        k.add_incoming(start, blocks["entry"])
        self.prefetch(k)
        self.dispatch(k)
        builder.position_at_end(blocks["next"])
        after = builder.add(k, INT(1))
        more = builder.and_(builder.icmp_signed("<", after, end), builder.not_(self.is_full()))
        k.add_incoming(after, blocks["next"])
        builder.cbranch(more, blocks["event"], blocks["end"])
        builder.position_at_end(blocks["end"])
        done = builder.phi(INT)
        done.add_incoming(start, blocks["entry"])
        done.add_incoming(after, blocks["next"])
        self.copy("store_all")
        builder.ret(done)
        self.copies.define(self.made.module)

    def is_full(self) -> Any:
        """Whether the host is to take the journal."""
        self.copies.hot.record("ints", self.full, write=False)
        place = self.builder.gep(self.stack[1], [INT(self.full)], source_etype=INT)
        return self.builder.icmp_signed("!=", self.builder.load(place, typ=INT), INT(0))

    def copy(self, which: str) -> None:
        """Copy to the stack, or back."""
        copies = getattr(self.copies, which)(self.made.module)
        self.builder.call(copies, [*self.stack, *self.arrays[:2]])

    def prefetch(self, k: Any) -> None:
        """Ask for the sparse columns: read here and there only, they would be waited for each time."""
        builder, module = self.builder, self.made.module
        prefetch = module.declare_intrinsic(
            "llvm.prefetch", [POINTER], ir.FunctionType(VOID, [POINTER] + [ir.IntType(32)] * 3)
        )
        # Behind the last row there may be nothing: a prefetch never fails.
        ahead = builder.add(k, INT(AHEAD))
        for column in self.sparse:
            place = builder.gep(self.arrays[5], [INT(column)], source_etype=POINTER)
            address = builder.load(place, typ=POINTER)
            address.set_metadata("invariant.load", module.add_metadata([]))
            where = builder.gep(address, [ahead], source_etype=INT)
            # A read of data, to be kept in all caches.
            builder.call(prefetch, [where, *(ir.IntType(32)(number) for number in (0, 3, 1))])

    def dispatch(self, k: Any) -> None:
        """Call the hook of the event's kind."""
        if len(self.hooks) == 1:
            self.call(next(iter(self.hooks.values())), k)
            return
        byte, builder = ir.IntType(8), self.builder
        kinds = builder.load(self.arrays[5], typ=POINTER)
        kinds.set_metadata("invariant.load", self.made.module.add_metadata([]))
        what = builder.load(builder.gep(kinds, [k], source_etype=byte), typ=byte)
        cases = builder.switch(what, self.blocks["next"])
        for kind, hook in self.hooks.items():
            block = self.made.append_basic_block(f"kind_{kind}")
            cases.add_case(byte(kind), block)
            builder.position_at_end(block)
            self.call(hook, k)

    def call(self, hook: Hook, k: Any) -> None:
        """Call a hook with a row; an error ends the loop."""
        stacked = [*self.stack, *self.arrays[2:], *self.arrays[:2]]
        if hook.is_busy and hook.busy:
            with self.builder.if_then(self.truth(hook.is_busy, [*stacked, k], k), likely=False):
                self.call_apart(hook.busy, k)
                self.builder.branch(self.blocks["next"])
        self.finish(hook.quick, self.builder.call(hook.quick.made, [*stacked, k]), k)
        self.builder.branch(self.blocks["next"])

    def truth(self, function: Function, arguments: list[Any], k: Any) -> Any:
        """The truth value that a function gives."""
        if not function.raises:
            return self.builder.call(function.made, arguments)
        with self.builder.goto_entry_block():
            place = self.builder.alloca(BOOL)
        self.finish(function, self.builder.call(function.made, [*arguments, place]), k)
        return self.builder.load(place, typ=BOOL)

    def call_apart(self, function: Function, k: Any) -> None:
        """Call a function that works on the arrays themselves."""
        called = (self.made.module, function.made.name, function.accesses)
        memories = [*self.stack, *self.arrays[:2]]
        self.builder.call(self.copies.store_for_call(*called), memories)
        raised = self.builder.call(function.made, [*self.arrays, k])
        self.builder.call(self.copies.load_after_call(*called), memories)
        self.finish(function, raised, k)

    def finish(self, function: Function, raised: Any, k: Any) -> None:
        """End the loop where a function raised."""
        if function.raises:
            with self.builder.if_then(raised, likely=False):
                self.copy("store_all")
                self.builder.ret(k)
