"""Indicators computed before the engine runs, in a small loop over all bars; equal sets of a sweep share them.

Not used for a single run: the extra loop and its columns cost what the engine's loop saves.
"""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from strades_pipelines.compiler.bar_indicators import Indicator, find_indicators
from strades_pipelines.compiler.body import lower_function
from strades_pipelines.compiler.indicator_loop import IndicatorLoop
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
        """Run the indicator over the blocks, starting from `state`; None if an update raises."""
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
class PrecomputedIndicator:
    """An indicator of a strategy that runs over all bars before the engine."""

    indicator: Indicator
    code: UpdateCode

    def computed(self, first_column: int) -> Computed:
        """The value that replaces the indicator in a program. `first_column`: how many columns others use before it."""
        moved = (
            (name, replace(column, number=column.number + first_column)) for name, column in self.code.columns.items()
        )
        return Computed(self.indicator.shape, tuple(moved))

    @cached_property
    def _own_layout(self) -> Shape:
        """Memory layout with this indicator only."""
        one = self.indicator
        sizes = (0, 3) if one.is_listed else (one.shape.f_size, one.shape.n_size)
        return Shape(Strategy, ((one.name, replace(one.entry, f=0, n=0)),), *sizes)

    def columns_of(self, strategy: Strategy, blocks: Sequence[Columns], shared: SharedColumns) -> Made | None:
        """The columns of each block for a strategy; None where there is no room for them, or an update raises."""
        state = Packer()
        state.add(strategy, self._own_layout)
        numbers = state.floats.tobytes() + state.integers.tobytes()
        size = len(numbers) + 8 * self.code.width * sum(map(len, blocks))
        return shared.get((self.code.text, numbers), size, lambda: self.code.run(state, blocks))


def find_precomputed_indicators(strategy: Shape, single: bool, folder: Path) -> tuple[PrecomputedIndicator, ...]:
    """Indicators of a strategy that can be precomputed; `single`: there is one instrument."""
    found = find_indicators(strategy, "on_aggregate_bar", Strategy, Bar.compiled_fields)
    # A list with one indicator has none for the other instruments.
    codes = ((one, _code_for(one, single, folder)) for one in found if single or not one.entry.single)
    return tuple(PrecomputedIndicator(one, code) for one, code in codes if code is not None)


def _code_for(one: Indicator, single: bool, folder: Path) -> UpdateCode | None:
    """The same code for indicators that are alike, wherever they lie; None for what does not compile."""
    return _compile(replace(one, name="", entry=replace(one.entry, f=0, n=0)), single, folder)


COMPILED: dict[tuple[Indicator, bool, Path], tuple[UpdateCode | None, tuple[Used, ...]]] = {}


def _compile(indicator: Indicator, single: bool, folder: Path) -> UpdateCode | None:
    """The code that was made before holds as long as the functions and constants in it are the same."""
    key = indicator, single, folder
    if key not in COMPILED or not all(one.is_same for one in COMPILED[key][1]):
        program = Program(lower_function, single)
        COMPILED[key] = _lower(program, indicator, folder), tuple(program.used.values())
    return COMPILED[key][0]


def _lower(program: Program, indicator: Indicator, folder: Path) -> UpdateCode | None:
    try:
        columns = IndicatorLoop(program, indicator, Bar).build()
    except NotCompilable:
        return None
    text = str(program.module)
    machine = load(text, {"ahead": PROTOTYPE}, tuple(program.errors), folder)
    return UpdateCode(text, machine, columns, len({column.number for column in columns.values()}))
