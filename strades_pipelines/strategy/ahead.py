"""What a strategy's indicators come to, worked out ahead of the engine: small loops of compiled code over bars alone."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from strades_pipelines.strategy.columns import Columns
from strades_pipelines.strategy.compiler.ahead import Indicator, find_indicators
from strades_pipelines.strategy.compiler.ahead_loop import AheadLoop, Placed
from strades_pipelines.strategy.compiler.machine import Machine, load
from strades_pipelines.strategy.compiler.program import MEMORY, Program
from strades_pipelines.strategy.compiler.shapes import Floats, Integers, Shape
from strades_pipelines.strategy.compiler.values import Column, Computed
from strades_pipelines.strategy.events import BAR, Bar
from strades_pipelines.strategy.strategy import Strategy

PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(MEMORY), ctypes.c_int64, ctypes.c_int64)


class CompiledError(Exception):
    """Compiled code raised; the text is the error's class and message."""

    compiled = True


@dataclass(frozen=True, eq=False)
class Ahead:
    """The machine code that updates indicators, and the columns that it puts the numbers of each into."""

    machine: Machine
    indicators: tuple[Indicator, ...]
    columns: tuple[tuple[tuple[str, Column], ...], ...]

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len({column.number for columns in self.columns for _, column in columns})

    def update(
        self, floats: Floats, integers: Integers, block: Columns, places: Sequence[int], start: int, end: int
    ) -> None:
        """Update over events [start, end).

        Args:
            places: the addresses of its columns.

        Raises:
            CompiledError: with what was raised.
        """
        error = ctypes.c_int64(0)
        f, n = floats.ctypes.data, integers.ctypes.data
        table = np.array([*block.addresses, *places], np.int64)
        self.machine.functions["ahead"](f, n, f, n, ctypes.addressof(error), table.ctypes.data, start, end)
        if error.value:
            raise CompiledError(self.machine.errors[error.value - 1])

    def computed(self, strategy: Shape, behind: int) -> Mapping[tuple[Shape, str], Computed]:
        """What stands in the place of the indicators in a program; their columns lie behind so many reserves."""
        made = {}
        for one, columns in zip(self.indicators, self.columns, strict=True):
            moved = tuple((name, replace(column, number=column.number + behind)) for name, column in columns)
            made[strategy, one.name] = Computed(one.shape, moved)
        return made


def find_ahead(engine: Shape, kinds: Sequence[int], single: bool, folder: Path) -> Ahead | None:
    """What of an engine's strategy is updated ahead, for events of such kinds."""
    strategy = dict(engine.fields)["strategy"]
    assert strategy.shape is not None
    found = find_indicators(strategy.shape, "on_aggregate_bar", Strategy, Bar.compiled_fields) if BAR in kinds else ()
    placed = tuple(
        Placed(one, strategy.f + one.entry.f, strategy.n + one.entry.n) for one in found if single or not one.entry.single
    )
    return compile_ahead(placed, (engine.f_size, engine.n_size), single, len(kinds) > 1, folder) if placed else None


@cache
def compile_ahead(
    placed: tuple[Placed, ...], sizes: tuple[int, int], single: bool, mixed: bool, folder: Path
) -> Ahead:
    """The code for indicators that lie so; `mixed`: other events are among the bars."""
    program = Program(single)
    columns = AheadLoop(program, placed, sizes, Bar, BAR if mixed else None).build()
    machine = load(str(program.module), {"ahead": PROTOTYPE}, tuple(program.errors), folder)
    return Ahead(machine, tuple(one.indicator for one in placed), tuple(columns))
