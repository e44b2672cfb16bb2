"""Compiled runs of many sets of parameters: whatever is the same in all of them is laid out once.

A set costs Python a tenth of a millisecond: the strategy is made, laid out behind a copy of the rest, and after the run
a few numbers are read. So threads hold Python's lock for a small part of the time.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from strades_pipelines.compiler.aliases import check_aliases
from strades_pipelines.compiler.layout import Packer, Unpacker
from strades_pipelines.compiler.lowered_values import refusing
from strades_pipelines.compiler.many import WIDTH, run_many
from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.compiler.shapes import Field, Floats, Integers, Shape
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.compiled import CompiledEngine, CompiledSteps
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.journal import Counts
from strades_pipelines.engine.precomputed_indicators import PrecomputedIndicator, find_precomputed_indicators
from strades_pipelines.engine.shared_columns import SharedColumns
from strades_pipelines.engine.tally import Tally
from strades_pipelines.simulation.backtest import Bars, Terms
from strades_pipelines.simulation.run_summary import RunSummary, summarize
from strades_pipelines.strategy.events import BAR
from strades_pipelines.strategy.strategy import Strategy


@dataclass(frozen=True)
class Template:
    """Engines of one shape: what steps them, and where in them the strategy and the tally lie."""

    steps: CompiledSteps
    strategy: Field
    tally: Field
    ahead: tuple[PrecomputedIndicator, ...]


@dataclass
class LaidOut:
    """A strategy laid out in arrays, and counts of the rows that its run wrote.

    Args:
        columns: of its indicators, for each block; None where they are not updated ahead.
        code, table: of the block that it is stepped through.
    """

    template: Template
    strategy: Strategy
    floats: Floats
    integers: Integers
    columns: Sequence[Sequence[Floats] | None] = ()
    code: CompiledEngine = field(init=False)
    table: Integers = field(init=False)
    fills: int = 0
    finite: bool = True

    def count(self) -> None:
        """Count the rows written since the last time."""
        counts = _cleared(self.template.steps)
        counts.take(self.integers)
        self.fills, self.finite = self.fills + counts.fills, self.finite and counts.finite

    def summarize(self) -> RunSummary:
        """End the run after the last block, and summarize it."""
        self.code.end(self.floats, self.integers, self.table)
        self.count()
        tally, entry = Tally(0.0), self.template.tally
        assert entry.shape is not None
        Unpacker(self.floats, self.integers, (self.floats, self.integers)).fill(tally, entry.shape, entry.f, entry.n)
        return RunSummary(tally, self.fills, self.finite)


class CompiledSets:
    """Steps strategies of one class through the same blocks, in one thread.

    Args:
        python_lock: held while a strategy's own Python code runs, or its modules are read.
    """

    def __init__(
        self,
        bars: Sequence[Bars],
        terms: Terms,
        cache: Path,
        shared: SharedColumns,
        python_lock: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._bars, self._terms, self._cache, self._shared = bars, terms, cache, shared
        self._python_lock = python_lock
        self._templates: dict[Shape, Template] = {}
        self._packed: dict[Shape, Packer] = {}  # engines that wait for nothing, the strategy apart
        self._start: Engine | None = None
        self._others: set[int] = set()  # the ids of all objects of `_start` but the strategy's

    def compile(self, strategy: Strategy, blocks: Sequence[Columns]) -> None:
        """Compile the strategy for these blocks.

        Raises:
            NotCompilable: with the file, line and reason.
        """
        engine = self._engine(strategy)
        steps = CompiledSteps(engine, self._cache)
        ahead = self._needs_no_end_hooks(strategy) and bool(self._ahead(engine, blocks))
        for kinds in {block.kinds for block in blocks}:
            steps.compile(kinds, ahead=ahead)

    def run(self, makers: Sequence[Callable[[], Strategy]], blocks: Sequence[Columns]) -> Iterator[RunSummary]:
        """Run each strategy; yields the summary of each run.

        What Python does for a strategy it does for all of them at once, before and after compiled code runs: after it
        has read a hundred thousand bars, Python's own data is no longer in the processor's cache.

        Raises:
            NotCompilable: with the file, line and reason.
            CompiledError: a strategy raised.
        """
        laid = []
        for make in makers:
            with self._python_lock():
                strategy = make()
                needs_no_end_hooks = self._needs_no_end_hooks(strategy)
                laid += [self._lay_out(strategy, blocks)] if needs_no_end_hooks else []
            if not needs_no_end_hooks:
                yield self._run_apart(make, blocks)
        if not laid:
            return
        for one in laid:
            one.columns = self._columns(one.template, one.strategy, blocks)
        for number, block in enumerate(blocks):
            self._step(laid, number, laid[0].template.steps.readable(block))
        for one in laid:
            yield one.summarize() if blocks else RunSummary(one.template.steps.engine.valuation.tally, 0, True)

    def _needs_no_end_hooks(self, strategy: Strategy) -> bool:
        """Whether a strategy has no hook that runs after the last event: no timer, no stop."""
        cls = type(strategy)
        return cls.on_timer is Strategy.on_timer and cls.on_stop is Strategy.on_stop

    def _ahead(self, engine: Engine, blocks: Sequence[Columns]) -> tuple[PrecomputedIndicator, ...]:
        """The indicators that are updated before the engine runs; none where there are other events than bars."""
        if any(block.kinds != (BAR,) for block in blocks):
            return ()
        return find_precomputed_indicators(shape_of(engine.state.strategy), engine.account.size == 1, self._cache)

    def _columns(
        self, template: Template, strategy: Strategy, blocks: Sequence[Columns]
    ) -> Sequence[Sequence[Floats] | None]:
        """The columns of those indicators in each block; None where there are none, or where one fails."""
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

    def _run_apart(self, make: Callable[[], Strategy], blocks: Sequence[Columns]) -> RunSummary:
        with self._python_lock():
            engine = self._engine(make())
            steps = CompiledSteps(engine, self._cache, Counts)
            for block in blocks:
                steps.compile(block.kinds)
        counts = _cleared(steps)
        for block in blocks:
            steps(block)
        with self._python_lock():
            steps.close()
            return summarize(engine, counts.fills, counts.finite)

    def _lay_out(self, strategy: Strategy, blocks: Sequence[Columns]) -> LaidOut:
        start = self._started(strategy)
        shape = shape_of(strategy)
        if shape not in self._templates:
            self._templates[shape] = self._template(start, self._ahead(start, blocks))
        template = self._templates[shape]
        packer = self._packer(start, template, shape)
        assert template.strategy.shape is not None
        with refusing():
            check_aliases(strategy, "strategy", self._others)
            packer.fill(strategy, template.strategy.shape, template.strategy.f, template.strategy.n)
        for block in blocks:
            template.steps.compile(block.kinds, ahead=bool(template.ahead))
        return LaidOut(template, strategy, *packer.arrays())

    def _step(self, laid: Sequence[LaidOut], number: int, block: Columns) -> None:
        """Step all of them through a block in one call, each as far as its journal has room."""
        rows, errors = np.zeros((len(laid), WIDTH), np.int64), np.zeros(len(laid), np.int64)
        for k, one in enumerate(laid):
            columns, steps = one.columns[number], one.template.steps
            computed = [column.ctypes.data for column in columns or ()]
            fails_ahead = bool(one.template.ahead) and columns is None
            with self._python_lock() if fails_ahead else nullcontext():
                one.code = steps.compile(block.kinds, ahead=columns is not None)
            one.table = np.array(block.addresses + steps.reserves.addresses + computed, np.int64)
            f, n, error = one.floats.ctypes.data, one.integers.ctypes.data, errors.ctypes.data + errors.itemsize * k
            rows[k] = (one.code.address, f, n, f, n, error, one.table.ctypes.data, 0, len(block), 0)
        run_many(self._cache)(rows.ctypes.data, len(rows))
        for one, error, done in zip(laid, errors.tolist(), rows[:, -1].tolist(), strict=True):
            one.count()
            one.code.check(error)
            while done < len(block):
                done = one.code.run(one.floats, one.integers, one.table, done, len(block))
                one.count()

    def _started(self, strategy: Strategy) -> Engine:
        """A started engine with this strategy. All share one, unless a strategy asks for something when it starts."""
        if self._start is None or _has_asked(self._start):
            self._start = self._engine(strategy)
            with refusing():
                self._others = check_aliases(self._start, "engine") - check_aliases(strategy, "strategy")
        else:
            self._start.state.strategy = strategy
            self._start.start()
        return self._start

    def _template(self, start: Engine, ahead: tuple[PrecomputedIndicator, ...]) -> Template:
        # Its strategy has begun already: a second `on_start` would see what the first one made.
        engine = self._terms.engine(start.state.strategy, self._bars, keeps_values=False)
        steps = CompiledSteps(engine, self._cache, Counts)
        return Template(steps, steps.shape.at("state", "strategy"), steps.shape.at("valuation", "tally"), ahead)

    def _packer(self, start: Engine, template: Template, shape: Shape) -> Packer:
        """An engine laid out, the strategy apart: once for all sets, but for those that asked for something already."""
        if shape in self._packed and not _has_asked(start):
            return self._packed[shape].copy()
        packer = Packer()
        packer.add(start, template.steps.shape.without("state", "strategy"))
        if not _has_asked(start):
            self._packed[shape] = packer.copy()
        return packer


def _has_asked(engine: Engine) -> bool:
    """Whether its strategy asked for anything when it started."""
    account = engine.account
    return bool(account.count or account.wishes or account.next_group > 1 or any(one != 0.0 for one in account.target))


def _cleared(steps: CompiledSteps) -> Counts:
    assert isinstance(steps.reserves, Counts)
    steps.reserves.clear()
    return steps.reserves
