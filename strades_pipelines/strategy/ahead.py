"""What a strategy's indicators come to, worked out ahead of the engine: small loops of compiled code over bars alone."""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from strades_pipelines.strategy.columns import Columns
from strades_pipelines.strategy.compiler.ahead import Indicator, find_indicators
from strades_pipelines.strategy.compiler.ahead_loop import AheadLoop
from strades_pipelines.strategy.compiler.machine import Machine, load
from strades_pipelines.strategy.compiler.program import MEMORY
from strades_pipelines.strategy.compiler.shapes import Floats, Integers, Shape
from strades_pipelines.strategy.compiler.values import Column, Computed
from strades_pipelines.strategy.events import BAR, Bar
from strades_pipelines.strategy.strategy import Strategy

PROTOTYPE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(MEMORY), *[ctypes.c_int64] * 5)


class CompiledError(Exception):
    """Compiled code raised; the text is the error's class and message."""

    compiled = True


@dataclass(frozen=True, eq=False)
class AheadCode:
    """The machine code that updates an indicator of one shape, and where it puts its numbers."""

    machine: Machine
    columns: tuple[tuple[str, Column], ...]

    @property
    def count(self) -> int:
        """How many columns there are."""
        return len({column.number for _, column in self.columns})


@cache
def _compile(indicator: Indicator, listed: bool, kind: int | None, folder: Path) -> AheadCode:
    loop = AheadLoop(indicator, listed, Bar, kind)
    columns = loop.build()
    program = loop.program
    return AheadCode(load(str(program.module), {"ahead": PROTOTYPE}, tuple(program.errors), folder), columns)


@dataclass(frozen=True)
class Ahead:
    """An indicator of an engine's strategy that is updated ahead.

    Args:
        f, n: where it lies in the engine's arrays; of a list, where N says that.
        first: its first column among all that are computed.
    """

    code: AheadCode
    indicator: Indicator
    listed: bool
    f: int
    n: int
    first: int

    def update(
        self, floats: Floats, integers: Integers, table: Integers, start: int, end: int
    ) -> None:
        """Update it over events [start, end).

        Args:
            table: the addresses of the columns, then those of its own.

        Raises:
            CompiledError: with what it raised.
        """
        f, n, count = self.f, self.n, 1
        if self.indicator.entry.kind == "objects":
            f, n, count = integers[self.n : self.n + 3].tolist()
        error = ctypes.c_int64(0)
        at_f, at_n = floats.ctypes.data, integers.ctypes.data
        self.code.machine.functions["ahead"](
            at_f + 8 * f, at_n + 8 * n, at_f, at_n, ctypes.addressof(error), table.ctypes.data, start, end, f, n, count
        )
        if error.value:
            raise CompiledError(self.code.machine.errors[error.value - 1])

    def computed(self, behind: int) -> Computed:
        """What stands in its place in the engine's code; its columns lie behind so many others."""
        moved = [(name, replace(column, number=column.number + behind + self.first)) for name, column in self.code.columns]
        return Computed(self.indicator.shape, tuple(moved))


def find_ahead(engine: Shape, kinds: Sequence[int], single: bool, folder: Path) -> tuple[Ahead, ...]:
    """The indicators of an engine's strategy that are updated ahead, for events of such kinds."""
    strategy = engine.get("strategy")
    assert strategy is not None
    assert strategy.shape is not None
    if BAR not in kinds:
        return ()
    made: list[Ahead] = []
    for one in find_indicators(strategy.shape, "on_aggregate_bar", Strategy, Bar.compiled_fields):
        if one.entry.single and not single:
            continue
        listed = one.entry.kind == "objects" and not single
        code = _compile(replace(one, name="", entry=replace(one.entry, f=0, n=0)), listed, BAR if len(kinds) > 1 else None, folder)
        first = sum(other.code.count for other in made)
        made.append(Ahead(code, one, listed, strategy.f + one.entry.f, strategy.n + one.entry.n, first))
    return tuple(made)
