"""An engine compiled: the same classes, lowered and jitted, run over columns of events."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir

from strades_pipelines.strategy import events
from strades_pipelines.strategy.columns import Columns
from strades_pipelines.strategy.compiler.machine import Machine, load, pointer
from strades_pipelines.strategy.compiler.program import Function, Program
from strades_pipelines.strategy.compiler.shapes import Floats, Integers, Packer, Shape, shape_of, unpack
from strades_pipelines.strategy.compiler.values import INT, POINTER, Event, Object
from strades_pipelines.strategy.engine import Engine
from strades_pipelines.strategy.journal import take

HOOKS = {
    events.TRADE: ("on_trade", events.Trade),
    events.QUOTE: ("on_quote", events.Quote),
    events.BAR: ("on_bar", events.Bar),
    events.REVISION: ("on_bar_revision", events.BarRevision),
    events.GAP: ("on_gap", events.Gap),
    events.PREDICTION: ("on_prediction", events.Prediction),
    events.ARTICLE: ("on_article", events.Article),
    events.ACTION: ("on_corporate_action", events.CorporateAction),
    events.RECORDED_FILL: ("on_recorded_fill", events.RecordedFill),
}


@dataclass(frozen=True)
class CompiledEngine:
    """The machine code for engines of one shape."""

    shape: Shape
    machine: Machine

    def run(self, floats: Floats, integers: Integers, columns: Columns, start: int, end: int) -> int:
        """Step through events [start, end), or until the journal is full; returns how far it came.

        Raises:
            CompiledError: with what the code raised, as Python would have put it.
        """
        error = np.zeros(1, np.int64)
        table = np.array([array.ctypes.data for array in columns.arrays], np.int64)
        arrays = [pointer(array) for array in (floats, integers, error, table)]
        done: int = self.machine.functions["run"](*arrays, start, end)
        if error[0]:
            raise CompiledError(self.machine.errors[int(error[0]) - 1])
        return done


class CompiledError(Exception):
    """Compiled code raised; the text is the error's class and message."""

    compiled = True


@cache
def _compile(shape: Shape, kinds: tuple[int, ...], single: bool, folder: Path) -> CompiledEngine:
    program = Program(single)
    root = Object(shape)
    hooks = {kind: program.method(root, HOOKS[kind][0], [Event(HOOKS[kind][1], row=(None, None))], HOOKS[kind][0]) for kind in kinds}
    Loop(program, shape, hooks).build()
    prototype = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4, ctypes.c_int64, ctypes.c_int64)
    return CompiledEngine(shape, load(str(program.module), {"run": prototype}, tuple(program.errors), folder))


class Loop:
    """The loop over columns: one call of a hook for each event, until the end or until the journal is full."""

    def __init__(self, program: Program, shape: Shape, hooks: dict[int, Function]) -> None:
        arguments = [POINTER] * 4 + [INT, INT]
        self.made = ir.Function(program.module, ir.FunctionType(INT, arguments), "run")
        for given in self.made.args[:4]:
            given.add_attribute("noalias")
        self.hooks, self.full = hooks, _slot_of_full(shape)
        self.blocks = {name: self.made.append_basic_block(name) for name in ("entry", "event", "next", "end")}
        self.builder = ir.IRBuilder(self.blocks["entry"])

    def build(self) -> None:
        """Write the function."""
        builder, blocks = self.builder, self.blocks
        start, end = self.made.args[4:]
        builder.cbranch(builder.icmp_signed("<", start, end), blocks["event"], blocks["end"])
        builder.position_at_end(blocks["event"])
        k = builder.phi(INT)
        k.add_incoming(start, blocks["entry"])
        self.dispatch(k)
        builder.position_at_end(blocks["next"])
        after = builder.add(k, INT(1))
        full = builder.load(builder.gep(self.made.args[1], [INT(self.full)], source_etype=INT), typ=INT)
        more = builder.and_(builder.icmp_signed("<", after, end), builder.icmp_signed("==", full, INT(0)))
        k.add_incoming(after, blocks["next"])
        builder.cbranch(more, blocks["event"], blocks["end"])
        builder.position_at_end(blocks["end"])
        done = builder.phi(INT)
        done.add_incoming(start, blocks["entry"])
        done.add_incoming(after, blocks["next"])
        builder.ret(done)

    def dispatch(self, k: Any) -> None:
        """Call the hook of the event's kind."""
        byte, table = ir.IntType(8), self.made.args[3]
        kinds = self.builder.load(table, typ=POINTER)
        kinds.set_metadata("invariant.load", self.made.module.add_metadata([]))
        what = self.builder.load(self.builder.gep(kinds, [k], source_etype=byte), typ=byte)
        cases = self.builder.switch(what, self.blocks["next"])
        for kind, hook in self.hooks.items():
            block = self.made.append_basic_block(f"kind_{kind}")
            cases.add_case(byte(kind), block)
            self.builder.position_at_end(block)
            raised = self.builder.call(hook.made, [*self.made.args[:3], table, k])
            if hook.raises:
                with self.builder.if_then(raised, likely=False):
                    self.builder.ret(k)
            self.builder.branch(self.blocks["next"])


def _slot_of_full(shape: Shape) -> int:
    journal = shape.get("journal")
    assert journal is not None
    assert journal.shape is not None
    full = journal.shape.get("full")
    assert full is not None
    return journal.n + full.n


class CompiledSteps:
    """Steps an engine through blocks of columns; between them its state is two arrays.

    `floats` and `integers` are the whole state: kept, sent to another process and given back, they go on from there.
    `close` puts it back into the objects, which then go on event by event.
    """

    def __init__(self, engine: Engine, cache: Path, expected: int) -> None:
        engine.journal.expected = expected
        self.engine, self._cache = engine, cache
        self.shape = shape_of(engine)
        packer = Packer()
        packer.add(engine, self.shape)
        self.floats, self.integers = packer.arrays()
        self.taken: list[dict[str, Floats]] = []
        journal = self.shape.get("journal")
        assert journal is not None
        self._journal = journal

    def compile(self, kinds: Sequence[int]) -> CompiledEngine:
        """The machine code for events of such kinds.

        Raises:
            NotCompilable: with the file, line and reason.
        """
        return _compile(self.shape, tuple(kinds), self.engine.account.size == 1, self._cache)

    def __call__(self, block: Columns) -> None:
        """Step through a block.

        Raises:
            CompiledError: when the strategy raised; the objects hold the state of that moment.
        """
        compiled, k = self.compile(block.kinds), 0
        try:
            while k < len(block):
                k = compiled.run(self.floats, self.integers, block, k, len(block))
                self._take()
        except CompiledError:
            self._take()
            self.close()
            raise

    def _take(self) -> None:
        shape = self._journal.shape
        assert shape is not None
        rows = take(shape, self._journal.f, self._journal.n, self.floats, self.integers)
        self.taken.append({kind: part.copy() for kind, part in rows.items()})

    def close(self) -> None:
        """Put the state back into the objects."""
        unpack(self.engine, self.shape, self.floats, self.integers)
