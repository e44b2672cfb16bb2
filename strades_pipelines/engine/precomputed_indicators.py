"""Indicators updated ahead of the engine, by a small loop over all bars: in a sweep, once for all sets alike.

A single run has no gain of it: what the engine's loop saves, the loop ahead of it and the columns in between cost.
"""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from strades_pipelines.compiler.bar_indicators import Indicator, find_indicators
from strades_pipelines.compiler.body import lower_function
from strades_pipelines.compiler.indicator_loop import AheadLoop
from strades_pipelines.compiler.layout import Packer
from strades_pipelines.compiler.lowered_values import Column, Computed, NotCompilable
from strades_pipelines.compiler.machine import Machine, load
from strades_pipelines.compiler.program import MEMORY, Program, Used
from strades_pipelines.compiler.shapes import Shape
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.shared_columns import Made, SharedColumns
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.strategy import Strategy

PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(MEMORY), ctypes.c_int64, ctypes.c_int64)


@dataclass(frozen=True)
class UpdateCode:
    """The machine code of a program that updates indicators of one shape, and the columns of their numbers."""

    text: str
    machine: Machine
    columns: Mapping[str, Column]
    width: int

    def run(self, state: Packer, blocks: Sequence[Columns]) -> Made | None:
        """The columns of each block, from such a state on; None where an update raises."""
        floats, integers = state.arrays()
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


@dataclass(frozen=True)
class Ahead:
    """An indicator of a strategy that is updated ahead."""

    indicator: Indicator
    code: UpdateCode

    def computed(self, behind: int) -> Computed:
        """What stands in its place in a program; so many reserves and columns of others come before its own."""
        moved = ((name, replace(column, number=column.number + behind)) for name, column in self.code.columns.items())
        return Computed(self.indicator.shape, tuple(moved))

    @cached_property
    def _alone(self) -> Shape:
        """The layout of a strategy of which nothing else is laid out."""
        one = self.indicator
        sizes = (0, 3) if one.is_listed else (one.shape.f_size, one.shape.n_size)
        return Shape(Strategy, ((one.name, replace(one.entry, f=0, n=0)),), *sizes)

    def columns_of(self, strategy: Strategy, blocks: Sequence[Columns], shared: SharedColumns) -> Made | None:
        """The columns of each block for a strategy; None where there is no room for them, or an update raises."""
        state = Packer()
        state.add(strategy, self._alone)
        numbers = state.floats.tobytes() + state.integers.tobytes()
        size = len(numbers) + 8 * self.code.width * sum(map(len, blocks))
        return shared.get((self.code.text, numbers), size, lambda: self.code.run(state, blocks))


def find_ahead(strategy: Shape, single: bool, folder: Path) -> tuple[Ahead, ...]:
    """What of a strategy of this shape is updated ahead; `single`: there is one instrument."""
    found = find_indicators(strategy, "on_aggregate_bar", Strategy, Bar.compiled_fields)
    # Of a list of one, there is none for another instrument.
    codes = ((one, _code_for(one, single, folder)) for one in found if single or not one.entry.single)
    return tuple(Ahead(one, code) for one, code in codes if code is not None)


def _code_for(one: Indicator, single: bool, folder: Path) -> UpdateCode | None:
    """The same code for indicators that are alike, wherever they lie; None for what does not compile."""
    return _compile(replace(one, name="", entry=replace(one.entry, f=0, n=0)), single, folder)


KNOWN: dict[tuple[Indicator, bool, Path], tuple[UpdateCode | None, tuple[Used, ...]]] = {}


def _compile(indicator: Indicator, single: bool, folder: Path) -> UpdateCode | None:
    """The code that was made before holds as long as the functions and constants in it are the same."""
    key = indicator, single, folder
    if key not in KNOWN or not all(one.is_same for one in KNOWN[key][1]):
        program = Program(lower_function, single)
        KNOWN[key] = _lower(program, indicator, folder), tuple(program.used.values())
    return KNOWN[key][0]


def _lower(program: Program, indicator: Indicator, folder: Path) -> UpdateCode | None:
    try:
        columns = AheadLoop(program, indicator, Bar).build()
    except NotCompilable:
        return None
    text = str(program.module)
    machine = load(text, {"ahead": PROTOTYPE}, tuple(program.errors), folder)
    return UpdateCode(text, machine, columns, len({column.number for column in columns.values()}))
