"""The loop over columns of events that a program is called through."""

from typing import Any

from llvmlite import ir

from strades_pipelines.strategy.compiler.program import MEMORY, Function, Program
from strades_pipelines.strategy.compiler.shapes import Shape
from strades_pipelines.strategy.compiler.values import COLUMNS, DOUBLE, INT, POINTER


class Loop:
    """`run`: one call of a hook for each event, until the end or until the journal is full.

    Numbers at constant places are copied to the stack when it begins and back when it ends: see `copies`.

    Args:
        hooks: the function for each kind of event that occurs.
        full: the place in N that is not 0 when the loop is to stop.
        reserves: how many addresses stand in the table behind those of the columns.
    """

    def __init__(self, program: Program, shape: Shape, hooks: dict[int, Function], full: int, reserves: int) -> None:
        arguments = [POINTER] * len(MEMORY) + [INT, INT]
        self.made = ir.Function(program.module, ir.FunctionType(INT, arguments), "run")
        self.arrays = self.made.args[: len(MEMORY)]
        for given in self.arrays:
            given.add_attribute("noalias")
        # Its entries are read before the loop only if LLVM may read them whether or not there is an event.
        self.arrays[5].attributes.dereferenceable = 8 * (COLUMNS + reserves)
        self.hooks, self.full, self.copies = hooks, full, program.copies
        self.blocks = {name: self.made.append_basic_block(name) for name in ("entry", "event", "next", "end")}
        self.builder = ir.IRBuilder(self.blocks["entry"])
        sizes = ((DOUBLE, shape.f_size), (INT, shape.n_size))
        self.stack = [self.builder.alloca(ir.ArrayType(kind, size + 1)) for kind, size in sizes]

    def build(self) -> None:
        """Write the function."""
        builder, blocks = self.builder, self.blocks
        start, end = self.made.args[len(MEMORY) :]
        self.copy("first")
        builder.cbranch(builder.icmp_signed("<", start, end), blocks["event"], blocks["end"])
        builder.position_at_end(blocks["event"])
        k = builder.phi(INT)
        k.add_incoming(start, blocks["entry"])
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
        self.copy("last")
        builder.ret(done)
        self.copies.define(self.made.module)

    def is_full(self) -> Any:
        """Whether the host is to take the journal."""
        self.copies.touch("N", self.full, hot=True, write=False)
        place = self.builder.gep(self.stack[1], [INT(self.full)], source_etype=INT)
        return self.builder.icmp_signed("!=", self.builder.load(place, typ=INT), INT(0))

    def copy(self, which: str) -> None:
        """Copy to the stack, or back."""
        copies = getattr(self.copies, which)(self.made.module)
        self.builder.call(copies, [*self.stack, *self.arrays[:2]])

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

    def call(self, hook: Function, k: Any) -> None:
        """Call a hook with a row; an error ends the loop."""
        raised = self.builder.call(hook.made, [*self.stack, *self.arrays[2:], *self.arrays[:2], k])
        if hook.raises:
            with self.builder.if_then(raised, likely=False):
                self.copy("last")
                self.builder.ret(k)
        self.builder.branch(self.blocks["next"])
