"""Compiled runs of many sets of parameters: whatever is the same in all of them is laid out once.

A set costs Python half a millisecond: the strategy is made, laid out behind a copy of the rest, and after the run a few
numbers are read. So threads hold Python's lock for a small part of the time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from strades_pipelines.strategy.ahead import Ahead, find_ahead
from strades_pipelines.strategy.backtest import Bars, Terms
from strades_pipelines.strategy.columns import Columns
from strades_pipelines.strategy.compiled import CompiledSteps
from strades_pipelines.strategy.compiler.layout import Packer, unpack
from strades_pipelines.strategy.compiler.shapes import Field, Floats, Shape, shape_of
from strades_pipelines.strategy.engine import Engine
from strades_pipelines.strategy.events import BAR
from strades_pipelines.strategy.journal import Counts, Journal
from strades_pipelines.strategy.shared_columns import SharedColumns
from strades_pipelines.strategy.strategy import Strategy

LISTS_OF_ORDERS = ("orders", "queue")


@dataclass(frozen=True)
class Template:
    """Engines of one shape: what steps them, and what they are laid out from, the strategy apart."""

    steps: CompiledSteps
    strategy: Field
    packed: Packer
    values: Shape
    ahead: tuple[Ahead, ...]


class CompiledSets:
    """Steps strategies of one class through the same blocks, in one thread."""

    def __init__(self, bars: Sequence[Bars], terms: Terms, cache: Path, shared: SharedColumns) -> None:
        self._bars, self._terms, self._cache, self._shared = bars, terms, cache, shared
        self._templates: dict[Shape, Template] = {}
        self._start: Engine | None = None

    def compile(self, strategy: Strategy, blocks: Sequence[Columns]) -> None:
        """See whether it compiles.

        Raises:
            NotCompilable: with the file, line and reason.
        """
        engine = self._engine(strategy)
        steps = CompiledSteps(engine, self._cache)
        ahead = self._ends_alone(strategy) and bool(self._ahead(engine, blocks))
        for kinds in {block.kinds for block in blocks}:
            steps.compile(kinds, ahead=ahead)

    def run(self, strategy: Strategy, blocks: Sequence[Columns]) -> tuple[Engine, Counts]:
        """The engine after the last block, and what is known of the rows that compiled code wrote.

        The engine's instant is not over: `end_instant` and `stop` are the caller's. Of its objects only those hold
        their state that these two read.

        Raises:
            NotCompilable: with the file, line and reason.
            CompiledError: the strategy raised.
        """
        if self._ends_alone(strategy):
            return self._from_template(strategy, blocks)
        engine = self._engine(strategy)
        steps = CompiledSteps(engine, self._cache, Counts)
        counts = _cleared(steps)
        for block in blocks:
            steps(block)
        steps.close()
        return engine, counts

    def _ends_alone(self, strategy: Strategy) -> bool:
        """Whether nothing of it is asked for when the last instant ends."""
        cls = type(strategy)
        return cls.on_timer is Strategy.on_timer and cls.on_stop is Strategy.on_stop

    def _ahead(self, engine: Engine, blocks: Sequence[Columns]) -> tuple[Ahead, ...]:
        """What of a strategy is updated ahead: where there are bars alone."""
        bars_alone = all(block.kinds == (BAR,) for block in blocks)
        return find_ahead(shape_of(engine.strategy), engine.account.size == 1, self._cache) if bars_alone else ()

    def _columns(
        self, template: Template, strategy: Strategy, blocks: Sequence[Columns]
    ) -> Sequence[Sequence[Floats] | None]:
        """What the indicators that are updated ahead come to in each block; None where there are none, or one fails."""
        found: list[list[Floats]] = [[] for _ in blocks]
        for one in template.ahead:
            made = one.columns_of(strategy, blocks, self._shared)
            if made is None:
                return [None] * len(blocks)
            found = [[*columns, *more] for columns, more in zip(found, made, strict=True)]
        return list(found) if template.ahead else [None] * len(blocks)

    def _engine(self, strategy: Strategy) -> Engine:
        engine = self._terms.engine(strategy, self._bars, keeps_values=False)
        engine.start()
        return engine

    def _from_template(self, strategy: Strategy, blocks: Sequence[Columns]) -> tuple[Engine, Counts]:
        start = self._started(strategy)
        shape = shape_of(strategy)
        if shape not in self._templates:
            self._templates[shape] = self._template(start, self._ahead(start, blocks))
        template = self._templates[shape]
        steps = template.steps
        packer = template.packed.copy()
        assert template.strategy.shape is not None
        packer.fill(strategy, template.strategy.shape, template.strategy.f, template.strategy.n)
        steps.floats, steps.integers = packer.arrays()
        counts = _cleared(steps)
        engine = steps.engine
        blocks = [steps.readable(block) for block in blocks]
        columns = self._columns(template, strategy, blocks)
        try:
            for block, ahead in zip(blocks, columns, strict=True):
                steps(block, ahead)
        except Exception:
            del self._templates[shape]  # its engine now holds what was under way
            raise
        engine.strategy, engine.journal = strategy, Journal()
        unpack(engine, template.values, steps.floats, steps.integers, (steps.floats, steps.integers))
        return engine, counts

    def _started(self, strategy: Strategy) -> Engine:
        """An engine at its beginning, with this strategy; one serves all, unless a strategy orders before it begins."""
        if self._start is None or self._start.account.count:
            self._start = self._engine(strategy)
        else:
            self._start.strategy = strategy
            self._start.start()
        return self._start

    def _template(self, start: Engine, ahead: tuple[Ahead, ...]) -> Template:
        engine = self._terms.engine(start.strategy, self._bars, keeps_values=False)
        engine.start()
        steps = CompiledSteps(engine, self._cache, Counts)
        fields = dict(steps.shape.fields)
        account = fields["account"]
        assert account.shape is not None
        packed = Packer()
        packed.add(start, _without(steps.shape, "strategy"))
        kept = replace(account, shape=_without(account.shape, *LISTS_OF_ORDERS))
        values = replace(steps.shape, fields=(("account", kept), ("tally", fields["tally"])))
        return Template(steps, fields["strategy"], packed, values, ahead)


def _cleared(steps: CompiledSteps) -> Counts:
    assert isinstance(steps.reserves, Counts)
    steps.reserves.clear()
    return steps.reserves


def _without(shape: Shape, *names: str) -> Shape:
    """A layout in which some attributes keep their places, and nothing is put there."""
    return replace(shape, fields=tuple((name, entry) for name, entry in shape.fields if name not in names))
