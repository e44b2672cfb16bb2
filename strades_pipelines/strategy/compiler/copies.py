"""Copies of the numbers at constant places, on the stack, for as long as a loop over events runs.

LLVM keeps them in registers. What is rare works on the arrays themselves: before it is called, what it may look at is
written back, and after it what it may have changed is fetched again.
"""

from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir

from strades_pipelines.strategy.compiler.values import DOUBLE, INT, POINTER, VOID

TYPES = {"F": DOUBLE, "N": INT}
Slots = set[tuple[str, int]]


@dataclass
class Copies:
    """Which numbers the hot functions and the others read and write; known when all of them are lowered."""

    read: dict[bool, Slots] = field(default_factory=lambda: {False: set(), True: set()})
    written: dict[bool, Slots] = field(default_factory=lambda: {False: set(), True: set()})
    functions: dict[tuple[int, str], Any] = field(default_factory=dict)

    def touch(self, memory: str, at: int, *, hot: bool, write: bool) -> None:
        """A function uses the number at a constant place."""
        (self.written if write else self.read)[hot].add((memory, at))

    def _declared(self, module: ir.Module, name: str) -> Any:
        key = (id(module), name)
        if key not in self.functions:
            made = ir.Function(module, ir.FunctionType(VOID, [POINTER] * 4), name)
            made.linkage = "internal"
            made.attributes.add("alwaysinline")
            self.functions[key] = made
        return self.functions[key]

    def out(self, module: ir.Module) -> Any:
        """Writes back what a function that is not hot may look at."""
        return self._declared(module, "copies.out")

    def back(self, module: ir.Module) -> Any:
        """Fetches again what it may have changed."""
        return self._declared(module, "copies.back")

    def first(self, module: ir.Module) -> Any:
        """Fetches all."""
        return self._declared(module, "copies.first")

    def last(self, module: ir.Module) -> Any:
        """Writes back all that may have changed."""
        return self._declared(module, "copies.last")

    def define(self, module: ir.Module) -> None:
        """Write these four functions, once every function of the module is lowered."""
        hot, rare = self.read[True] | self.written[True], self.read[False] | self.written[False]
        moved = {
            "copies.out": (self.written[True] & rare, 0, 2),
            "copies.back": (hot & self.written[False], 2, 0),
            "copies.first": (hot, 2, 0),
            "copies.last": (self.written[True], 0, 2),
        }
        for name, (slots, source, target) in moved.items():
            made = self._declared(module, name)
            builder = ir.IRBuilder(made.append_basic_block("entry"))
            for memory, at in sorted(slots):
                kind, which = TYPES[memory], "FN".index(memory)
                places = [
                    builder.gep(made.args[side + which], [INT(at)], source_etype=kind) for side in (source, target)
                ]
                builder.store(builder.load(places[0], typ=kind), places[1])
            builder.ret_void()
