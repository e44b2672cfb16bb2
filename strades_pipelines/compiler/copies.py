"""Stack copies of the numbers at constant places, used while a loop over events runs.

LLVM keeps them in registers. Cold functions work on the arrays: before a call, the numbers that it may access are
stored to the arrays, and after it those that it may have written are loaded again.
"""

from dataclasses import dataclass, field
from typing import Any

from llvmlite import ir

from strades_pipelines.compiler.lowered_values import DOUBLE, INT, POINTER, VOID

TYPES = {"floats": DOUBLE, "ints": INT}
Slots = set[tuple[str, int]]


@dataclass
class Accesses:
    """The numbers at constant places that a function and its callees read and write."""

    read: Slots = field(default_factory=set)
    written: Slots = field(default_factory=set)

    def add(self, other: "Accesses") -> None:
        """Include the accesses of a called function."""
        self.read |= other.read
        self.written |= other.written

    def record(self, memory: str, at: int, *, write: bool) -> None:
        """Include the access to one number."""
        (self.written if write else self.read).add((memory, at))


@dataclass
class Copies:
    """The copying functions: declared when first used, defined once all other functions are lowered.

    Args:
        hot: accesses of the hot functions.
        called: accesses of the cold functions that hot ones call, by name.
    """

    hot: Accesses = field(default_factory=Accesses)
    called: dict[str, Accesses] = field(default_factory=dict)

    def store_for_call(self, module: ir.Module, name: str, accesses: Accesses) -> Any:
        """The function that stores what a called function may access."""
        self.called[name] = accesses
        return _declared(module, f"out.{name}")

    def load_after_call(self, module: ir.Module, name: str, accesses: Accesses) -> Any:
        """The function that loads what a called function may have written."""
        self.called[name] = accesses
        return _declared(module, f"back.{name}")

    def load_all(self, module: ir.Module) -> Any:
        """The function that loads all copies."""
        return _declared(module, "copies.first")

    def store_all(self, module: ir.Module) -> Any:
        """The function that stores all copies that may have been written."""
        return _declared(module, "copies.last")

    def define(self, module: ir.Module) -> None:
        """Define these functions, once every other function of the module is lowered."""
        hot = self.hot.read | self.hot.written
        _define(module, "copies.first", hot, 2, 0)
        _define(module, "copies.last", self.hot.written, 0, 2)
        for name, accesses in self.called.items():
            _define(module, f"out.{name}", self.hot.written & (accesses.read | accesses.written), 0, 2)
            _define(module, f"back.{name}", hot & accesses.written, 2, 0)


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
    # Sorted: machine code is kept by the program's text, and a set has another order in each process.
    for memory, at in sorted(slots):
        kind, which = TYPES[memory], list(TYPES).index(memory)
        places = [builder.gep(made.args[side + which], [INT(at)], source_etype=kind) for side in (source, target)]
        builder.store(builder.load(places[0], typ=kind), places[1])
    builder.ret_void()
