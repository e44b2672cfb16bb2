"""Copies of the numbers at constant places, on the stack, for as long as a loop over events runs.

LLVM keeps them in registers. What is rare works on the arrays themselves: before it is called, what it may look at is
written back, and after it what it may have changed is fetched again.
"""

from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler.lowered_values import DOUBLE, INT, POINTER, VOID

TYPES = {"floats": DOUBLE, "ints": INT}
Slots = set[tuple[str, int]]


@dataclass
class Touched:
    """The numbers at constant places that a function reads and writes, with all that it calls."""

    read: Slots = field(default_factory=set)
    written: Slots = field(default_factory=set)

    def add(self, other: "Touched") -> None:
        """Take in what a called function touches."""
        self.read |= other.read
        self.written |= other.written

    def touch(self, memory: str, at: int, *, write: bool) -> None:
        """Take in one number."""
        (self.written if write else self.read).add((memory, at))


@dataclass
class Copies:
    """The functions that copy; what they copy is known when all others are lowered.

    `hot` is what the hot functions touch; the functions that they call on the arrays themselves are in `called`.
    """

    hot: Touched = field(default_factory=Touched)
    called: dict[str, Touched] = field(default_factory=dict)

    def out(self, module: ir.Module, name: str, touched: Touched) -> Any:
        """The function that writes back what a called function may look at."""
        self.called[name] = touched
        return _declared(module, f"out.{name}")

    def back(self, module: ir.Module, name: str, touched: Touched) -> Any:
        """The function that fetches again what it may have changed."""
        self.called[name] = touched
        return _declared(module, f"back.{name}")

    def first(self, module: ir.Module) -> Any:
        """The function that fetches all."""
        return _declared(module, "copies.first")

    def last(self, module: ir.Module) -> Any:
        """The function that writes back all that may have changed."""
        return _declared(module, "copies.last")

    def define(self, module: ir.Module) -> None:
        """Write these functions, once every function of the module is lowered."""
        hot = self.hot.read | self.hot.written
        _define(module, "copies.first", hot, 2, 0)
        _define(module, "copies.last", self.hot.written, 0, 2)
        for name, touched in self.called.items():
            _define(module, f"out.{name}", self.hot.written & (touched.read | touched.written), 0, 2)
            _define(module, f"back.{name}", hot & touched.written, 2, 0)


def _declared(module: ir.Module, name: str) -> Any:
    if name in module.globals:
        return module.globals[name]
    made = ir.Function(module, ir.FunctionType(VOID, [POINTER] * 4), name)
    made.linkage = "internal"
    made.attributes.add("alwaysinline")
    return made


def _define(module: ir.Module, name: str, slots: Slots, source: int, target: int) -> None:
    """Copy numbers from the arrays that begin at one argument to those that begin at another."""
    made = _declared(module, name)
    builder = ir.IRBuilder(made.append_basic_block("entry"))
    for memory, at in sorted(slots):
        kind, which = TYPES[memory], list(TYPES).index(memory)
        places = [builder.gep(made.args[side + which], [INT(at)], source_etype=kind) for side in (source, target)]
        builder.store(builder.load(places[0], typ=kind), places[1])
    builder.ret_void()
