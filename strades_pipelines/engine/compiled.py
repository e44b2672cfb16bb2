"""An engine compiled: the same classes, lowered to machine code, run over columns of events."""

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from strades_pipelines.compiler.aliases import check_aliases
from strades_pipelines.compiler.body import lower_function
from strades_pipelines.compiler.layout import Packer, unpack
from strades_pipelines.compiler.loop import Hook, Loop, add_end
from strades_pipelines.compiler.lowered_values import (
    PER_EVENT,
    Event,
    NotCompilable,
    Number,
    Object,
    column_of,
    refusing,
)
from strades_pipelines.compiler.machine import Machine, load
from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.compiler.program import MEMORY, Program, Used
from strades_pipelines.compiler.shapes import Floats, Integers, Shape
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_steps import EVENT_HOOKS, EventSteps
from strades_pipelines.engine.journal import RESERVES, Reserves
from strades_pipelines.engine.precomputed_indicators import find_precomputed_indicators
from strades_pipelines.strategy import events

# What orders are filled from, of the events that fill them.
SPARSE = {events.BAR: ("open_time", "open")}
ROW = Number(None, "int")
# What the engine itself is made of: its integers are indices, counts, times and numbers of orders.
ENGINE = (
    "cash_rules",
    "corporate_action_effects",
    "engine",
    "explicit_orders",
    "gate",
    "journal",
    "margin_calls",
    "order_exposure",
    "order_fills",
    "quiet_bands",
    "simulated_broker",
    "state",
    "strategy_requests",
    "tally",
    "targets",
    "valuation",
)
TRUSTED = frozenset(
    {f"strades_pipelines.engine.{name}" for name in ENGINE}
    | {"strades_pipelines.strategy.account", "strades_pipelines.market.fees"}
)
CALLED = (ctypes.c_int64, *[ctypes.c_void_p] * len(MEMORY), ctypes.c_int64, ctypes.c_int64)
# `end` keeps Python's global lock: it takes a microsecond, and getting the lock back may take a thousand.
PROTOTYPES = {"run": ctypes.CFUNCTYPE(*CALLED), "end": ctypes.PYFUNCTYPE(*CALLED)}
# An event writes at most MARGIN rows, and ROWS more for each instrument and each order under way.
MARGIN, ROWS = 1_024, 16


class CompiledError(Exception):
    """Compiled code raised; the text is the error's class and message."""

    compiled = True


@dataclass(frozen=True)
class CompiledEngine:
    """The machine code for engines of one shape."""

    shape: Shape
    machine: Machine
    used: tuple[Used, ...]

    @property
    def may_go_on_per_event(self) -> bool:
        """Whether it may come upon something, at run time, that only Python can do."""
        return any(error.startswith(PER_EVENT) for error in self.machine.errors)

    @cached_property
    def address(self) -> int:
        """Where `run` lies."""
        found: int = self.machine.engine.get_function_address("run")
        return found

    def run(self, floats: Floats, integers: Integers, table: Integers, start: int, end: int) -> int:
        """Step through events [start, end), or until the journal is full; returns how far it came.

        Args:
            table: the addresses of the columns, then of the reserves, then of what was computed ahead.

        Raises:
            CompiledError: with what the code raised, as Python would have put it.
        """
        error = ctypes.c_int64(0)
        f, n = floats.ctypes.data, integers.ctypes.data
        run = self.machine.functions["run"]
        done: int = run(f, n, f, n, ctypes.addressof(error), table.ctypes.data, start, end)
        self.check(error.value)
        return done

    def end(self, floats: Floats, integers: Integers, table: Integers) -> None:
        """Do what follows the last event.

        Args:
            table: as it was in the last `run`.

        Raises:
            CompiledError: with what the code raised, as Python would have put it.
        """
        error = ctypes.c_int64(0)
        f, n = floats.ctypes.data, integers.ctypes.data
        self.machine.functions["end"](f, n, f, n, ctypes.addressof(error), table.ctypes.data, 0, 0)
        self.check(error.value)

    def check(self, error: int) -> None:
        """See whether the code raised.

        Args:
            error: the number of what it raised; 0 for nothing.

        Raises:
            CompiledError: as Python would have put it.
            NotCompilable: it came upon what only Python does, with the file, line and reason.
        """
        if error:
            text = self.machine.errors[error - 1]
            if text.startswith(PER_EVENT):
                raise NotCompilable(text.removeprefix(f"{PER_EVENT}: "))
            raise CompiledError(text)


KNOWN: dict[tuple[Any, ...], CompiledEngine] = {}


def _compile(shape: Shape, kinds: tuple[int, ...], single: bool, folder: Path, ahead: bool) -> CompiledEngine:
    """The machine code for such engines; an earlier one is used again while the constants in it are the same."""
    key = shape, kinds, single, folder, ahead
    known = KNOWN.get(key)
    if known is None or not all(one.is_same for one in known.used):
        reals: frozenset[tuple[Shape, str]] = frozenset()
        made: CompiledEngine | frozenset[tuple[Shape, str]] = reals
        with refusing():
            while not isinstance(made, CompiledEngine):
                reals |= made
                made = _lower(*key, reals)
        known = KNOWN[key] = made
    return known


def _lower(
    shape: Shape,
    kinds: tuple[int, ...],
    single: bool,
    folder: Path,
    ahead: bool,
    reals: frozenset[tuple[Shape, str]],
) -> CompiledEngine | frozenset[tuple[Shape, str]]:
    """The machine code, or more places where integers are put among floats, with which it is to be lowered again."""
    strategy = shape.at("state", "strategy").shape
    assert strategy is not None
    found = find_precomputed_indicators(strategy, single, folder) if ahead else ()
    reserves, computed = RESERVES, {}
    for precomputed in found:
        computed[strategy, precomputed.indicator.name] = precomputed.computed(reserves)
        reserves += precomputed.code.width
    program = Program(lower_function, single, TRUSTED, reals, ahead=computed, root=Object(shape))
    hooks = {}
    for kind in kinds:
        with suppress(NotCompilable):  # the program has the reasons
            name, event, _ = EVENT_HOOKS[kind]
            hooks[kind] = _hook(program, Object(shape), name, event)
    if program.reasons:
        raise program.refused()
    full = shape.at("state", "journal", "full").n
    sparse = {column_of(EVENT_HOOKS[kind][1], name) for kind in kinds for name in SPARSE.get(kind, ())}
    Loop(program, shape, hooks, full, reserves, sorted(column.number for column in sparse if column)).build()
    add_end(program, program.method(Object(shape), "end_last_instant", [], "end", apart=True))
    if program.found_reals:
        return frozenset(program.found_reals)
    machine = load(str(program.module), PROTOTYPES, tuple(program.errors), folder)
    return CompiledEngine(shape, machine, tuple(program.used.values()))


def _hook(program: Program, engine: Object, name: str, event: type) -> Hook:
    row = [Event(event, row=ROW)]
    quick = program.method(engine, name, row, name, hot=True)
    if name != "on_bar":
        return Hook(quick)
    busy = program.method(engine, name, row, name, apart=True)
    return Hook(quick, busy, program.method(engine, "is_busy", row, "is_busy", hot=True))


class CompiledSteps:
    """Steps an engine through blocks of columns; between them its state is two arrays.

    `floats` and `integers` are the whole state: kept, sent to another process and given back, they go on from there.
    `close` puts it back into the objects, which then go on event by event.

    Where compiled code comes upon what only Python does, an integer of more than 64 bits say, the steps go on per event
    from the state before; `not_compiled` says why.

    Args:
        reserves: what takes the rows that are written.
        insists: whether it rather raises than goes on per event.

    Raises:
        NotCompilable: its state cannot be laid out.
    """

    def __init__(
        self, engine: Engine, cache: Path, reserves: type[Reserves] = Reserves, *, insists: bool = True
    ) -> None:
        self.engine, self._cache, self._insists = engine, cache, insists
        self.not_compiled: str | None = None
        self._compiled: dict[tuple[tuple[int, ...], bool], CompiledEngine] = {}
        packer = Packer()
        with refusing():
            check_aliases(engine, "engine")
            self.shape = shape_of(engine)
            packer.add(engine, self.shape)
        self.floats, self.integers = packer.arrays()
        self._packed = packer.arrays()
        journal, account = self.shape.at("state", "journal"), engine.account
        assert journal.shape is not None
        self.reserves = reserves(journal.shape, journal.n, MARGIN + ROWS * (account.capacity + account.size))

    def compile(self, kinds: tuple[int, ...], *, ahead: bool = False) -> CompiledEngine:
        """The machine code for events of such kinds; with `ahead` it reads columns of indicators where it can.

        Raises:
            NotCompilable: with the file, line and reason.
        """
        key = kinds, ahead
        if key not in self._compiled:
            self._compiled[key] = _compile(self.shape, kinds, self.engine.account.size == 1, self._cache, ahead)
        return self._compiled[key]

    def __call__(self, block: Columns, ahead: Sequence[Floats] | None = None) -> None:
        """Step through a block.

        Args:
            ahead: the columns of its indicators, if they were updated ahead; then they keep the state they had.

        Raises:
            CompiledError: when the strategy raised; the objects hold the state of that moment.
            NotCompilable: it insists, and compiled code came upon what only Python does.
        """
        if self.not_compiled:
            EventSteps(self.engine, None)(block)
            return
        k = 0
        try:
            compiled = self.compile(block.kinds, ahead=ahead is not None)
            readable = self.readable(block)
            computed = [column.ctypes.data for column in ahead or ()]
            self.reserves.room(len(block) if self.engine.valuation.keeps_values else 0)
            while k < len(block):
                before = (self.floats.copy(), self.integers.copy()) if compiled.may_go_on_per_event else None
                table = np.array(readable.addresses + self.reserves.addresses + computed, np.int64)
                try:
                    k = compiled.run(self.floats, self.integers, table, k, len(block))
                except NotCompilable:
                    assert before is not None
                    self.floats, self.integers = before
                    raise
                self.reserves.take(self.integers)
        except CompiledError:
            self.reserves.take(self.integers)
            self.close()
            raise
        except NotCompilable as reason:
            if self._insists:
                raise
            self.close()
            self.not_compiled = str(reason)
            EventSteps(self.engine, None)(block.rows(k, len(block)))

    def readable(self, block: Columns) -> Columns:
        """A block whose columns lie in memory one number behind the other, where compiled code reads them."""
        kind, i, *others = block.laid
        if (kind or len(block.kinds) == 1) and (i or self.engine.account.size == 1) and all(others):
            return block
        return Columns(*(np.ascontiguousarray(array) for array in block.arrays))

    def close(self) -> None:
        """Put the state back into the objects, unless they have it."""
        if not self.not_compiled:
            unpack(self.engine, self.shape, self.floats, self.integers, self._packed)
