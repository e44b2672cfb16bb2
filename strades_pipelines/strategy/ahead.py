"""Indicators updated ahead of the engine, by a small loop over all bars: once for all sets of parameters alike.

In a single run it is no gain: what the loop saves, the columns in between cost again.
"""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from strades_pipelines.strategy.columns import Columns
from strades_pipelines.strategy.compiler.ahead import Indicator, find_indicators
from strades_pipelines.strategy.compiler.ahead_loop import AheadLoop
from strades_pipelines.strategy.compiler.layout import Packer
from strades_pipelines.strategy.compiler.machine import Machine, load
from strades_pipelines.strategy.compiler.program import MEMORY, Program
from strades_pipelines.strategy.compiler.shapes import Shape
from strades_pipelines.strategy.compiler.values import Column, Computed
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.shared_columns import Made, SharedColumns
from strades_pipelines.strategy.strategy import Strategy

PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(MEMORY), ctypes.c_int64, ctypes.c_int64)


@dataclass(frozen=True)
class Ahead:
    """The machine code that updates an indicator of a strategy, and the columns that it puts its numbers into."""

    indicator: Indicator
    machine: Machine
    columns: Mapping[str, Column]

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len({column.number for column in self.columns.values()})

    def columns_of(self, strategy: Strategy, blocks: Sequence[Columns], shared: SharedColumns) -> Made | None:
        """The columns of each block for a strategy; None where there is no room for them, or an update raises."""
        packer = self.state(strategy)
        state = packer.floats.tobytes() + packer.integers.tobytes()
        size = len(state) + 8 * self.width * sum(map(len, blocks))
        return shared.get((self.alike, state), size, lambda: self.update(packer, blocks))

    @cached_property
    def alike(self) -> Indicator:
        """The same for indicators that come to the same from the same state, wherever they lie."""
        return replace(self.indicator, name="", entry=replace(self.indicator.entry, f=0, n=0))

    def computed(self, behind: int) -> Computed:
        """What stands in its place in a program; so many reserves and other columns come before its own."""
        moved = ((name, replace(column, number=column.number + behind)) for name, column in self.columns.items())
        return Computed(self.indicator.shape, tuple(moved))

    def state(self, strategy: Strategy) -> Packer:
        """The indicator of a strategy, laid out alone."""
        packer = Packer()
        alone = replace(self.indicator.entry, f=0, n=0)
        size = (3 if self.indicator.is_listed else self.indicator.shape.n_size, self.indicator.shape.f_size)
        packer.add(strategy, Shape(type(strategy), ((self.indicator.name, alone),), size[1], size[0]))
        return packer

    def update(self, packer: Packer, blocks: Sequence[Columns]) -> Made | None:
        """The columns of each block; None where an update raises."""
        floats, integers = packer.arrays()
        f, n, error = floats.ctypes.data, integers.ctypes.data, ctypes.c_int64(0)
        found = []
        for block in blocks:
            made = [np.empty(len(block)) for _ in range(self.width)]
            table = np.array([*block.addresses, *(column.ctypes.data for column in made)], np.int64)
            run = self.machine.functions["ahead"]
            run(f, n, f, n, ctypes.addressof(error), table.ctypes.data, 0, len(block))
            if error.value:
                return None
            found.append(made)
        return found


@cache
def find_ahead(strategy: Shape, single: bool, folder: Path) -> tuple[Ahead, ...]:
    """What of a strategy of this shape is updated ahead.

    Raises:
        NotCompilable: with the file, line and reason.
    """
    found = find_indicators(strategy, "on_aggregate_bar", Strategy, Bar.compiled_fields)
    # Of a list of one, there is none for another instrument.
    return tuple(_compile(one, single, folder) for one in found if single or not one.entry.single)


def _compile(indicator: Indicator, single: bool, folder: Path) -> Ahead:
    program = Program(single)
    columns = AheadLoop(program, indicator, Bar).build()
    machine = load(str(program.module), {"ahead": PROTOTYPE}, tuple(program.errors), folder)
    return Ahead(indicator, machine, columns)
