"""Runs of one strategy with one set of parameters after the other, of which a few numbers are kept."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.event_steps import EventSteps
from strades_pipelines.engine.shared_columns import SharedColumns
from strades_pipelines.simulation.backtest import Bars, Terms, event_chain
from strades_pipelines.simulation.run_summary import RunSummary, summarize
from strades_pipelines.strategy.events import BEGINNING
from strades_pipelines.strategy.strategy import Strategy
from strades_pipelines.strategy.strategy_files import load_strategy, make_strategy, module_state

if TYPE_CHECKING:
    from strades_pipelines.simulation.compiled_sets import CompiledSets

TOGETHER = 8  # sets
FLAT = 1e-12  # a deviation of daily returns below this is rounding
Result = TypeVar("Result")


class SetRunner(Protocol[Result]):
    """Runs sets of parameters in one thread."""

    def run_all(self, sets: Sequence[Mapping[str, Any]]) -> list[Result]:
        """A result for each set, in their order."""


@dataclass(frozen=True)
class SharedInputs(ABC, Generic[Result]):
    """What every set has in common; it can be sent to another process, or to a node of a cluster.

    Args:
        strategy: as `load_strategy` takes it.
        parameters: those that are the same in every set.
        mode: auto, events or compiled.
        cache: the folder of compiled code.
    """

    strategy: str
    parameters: Mapping[str, Any]
    bars: Sequence[Bars]
    terms: Terms
    mode: str
    cache: Path

    @abstractmethod
    def runner(self) -> SetRunner[Result]:
        """What runs the sets, made in the process where they run."""


@dataclass(frozen=True)
class Sweep(SharedInputs["Outcome"]):
    """A sweep: of each set a few numbers are kept."""

    def runner(self) -> "Runner":
        """A runner with blocks of its own."""
        return Runner(self)

    def blocks(self) -> list[Columns]:
        """The events of all instruments in their total order; threads share them."""
        return list(event_chain(self.bars).blocks())


@dataclass(frozen=True)
class Outcome:
    """The result of a set of parameters.

    equity: at the end. fills: how many. drawdown: the deepest fall of the value under its peak, a fraction >= 0. mean,
    deviation (n - 1): of the returns from UTC day to day, the first day's from the cash at the start unless nothing had
    changed; days: how many.
    skipped: why it has no result, where it has none.
    """

    equity: float = math.nan
    fills: int = 0
    drawdown: float = math.nan
    mean: float = math.nan
    deviation: float = math.nan
    days: int = 0
    skipped: str | None = None

    @property
    def sharpe(self) -> float:
        """Of a day's return; nan where they do not vary."""
        return self.mean / self.deviation if self.deviation > FLAT else math.nan


class Runner:
    """Runs sets in one thread; `blocks` and `shared` are the sweep's, made here where none are given."""

    def __init__(
        self, sweep: Sweep, blocks: Sequence[Columns] | None = None, shared: SharedColumns | None = None
    ) -> None:
        self.sweep, self._shared = sweep, shared or SharedColumns()
        self.blocks = sweep.blocks() if blocks is None else blocks
        self._class = load_strategy(sweep.strategy)
        self._compiled_sets: CompiledSets | None = None

    def run(self, chosen: Mapping[str, Any]) -> Outcome:
        """Run a set; one that its constructor refuses, or that raises on the way, is skipped with the reason.

        Raises:
            NotCompilable: in mode compiled.
        """
        from strades_pipelines.compiler.lowered_values import NotCompilable

        try:
            with self._alone():
                strategy = self._strategy(chosen)
        except ValueError as error:
            return Outcome(skipped=str(error))
        try:
            if self.sweep.mode == "events":
                return self._per_event(strategy)
            try:
                return self._compiled([chosen])[0]
            except NotCompilable:
                if self.sweep.mode == "compiled":
                    raise
                with self._alone():
                    return self._per_event(self._strategy(chosen))
        except NotCompilable:
            raise
        except Exception as error:
            said = str(error) if getattr(error, "compiled", False) else f"{type(error).__name__}: {error}"
            return Outcome(skipped=f"{strategy.title()}: {said}")

    def run_all(self, sets: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Run some sets, a few together; where one of those has no outcome, each by itself.

        Raises:
            NotCompilable: in mode compiled.
        """
        outcomes: list[Outcome] = []
        for start in range(0, len(sets), TOGETHER):
            some = sets[start : start + TOGETHER]
            found: list[Outcome] = []
            if self.sweep.mode != "events":
                with suppress(Exception):
                    found = self._compiled(some)
            outcomes += found or [self.run(chosen) for chosen in some]
        return outcomes

    def check(self, chosen: Mapping[str, Any]) -> None:
        """See whether a set compiles, without running it.

        Raises:
            NotCompilable: with the file, line and reason.
            ValueError: its constructor refuses it.
        """
        from strades_pipelines.compiler.lowered_values import NotCompilable

        self._sets().compile(self._strategy(chosen), self.blocks)
        if (name := self._shared_name()) is not None:
            raise NotCompilable(f"{name} changes when a run begins: compiled, sets would share it; keep it in self")

    def _strategy(self, chosen: Mapping[str, Any]) -> Strategy:
        return make_strategy(self._class, {**self.sweep.parameters, **chosen})

    def _shared_name(self) -> str | None:
        """What of the strategy's module is not what its import left, so that another set would see it."""
        state = module_state(self._class)
        return None if state is None else state.changed()

    def _per_event(self, strategy: Strategy) -> Outcome:
        engine = self.sweep.terms.engine(strategy, self.sweep.bars, keeps_values=False)
        engine.start()
        steps = EventSteps(engine, None)
        for block in self.blocks:
            steps(block)
        return outcome_of(summarize(engine))

    def _compiled(self, sets: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        makers = [partial(self._strategy, chosen) for chosen in sets]
        return [outcome_of(summary) for summary in self._sets().run(makers, self.blocks)]

    def _alone(self) -> AbstractContextManager[None]:
        return hold_module(self._class, self.sweep.mode)

    def _sets(self) -> "CompiledSets":
        if self._compiled_sets is None:
            from strades_pipelines.simulation.compiled_sets import CompiledSets

            sweep = self.sweep
            # Not a method of this runner: it would be kept, with the columns, until garbage is collected.
            alone = partial(hold_module, self._class, sweep.mode)
            self._compiled_sets = CompiledSets(sweep.bars, sweep.terms, sweep.cache, self._shared, alone)
        return self._compiled_sets


def hold_module(cls: type[Strategy], mode: str) -> AbstractContextManager[None]:
    """While Python code of a set runs in a thread: the other threads share the module of its class, and put it back.

    Raises:
        ValueError: with the name that the set changed. Processes have a module each, which may change.
    """
    state = module_state(cls)
    return nullcontext() if state is None or mode == "events" else state.alone()


def outcome_of(summary: RunSummary) -> Outcome:
    """The figures of a run; the return of its last day, which no later one closed, is added.

    Raises:
        ValueError: a target was not finite.
    """
    if not summary.finite:
        raise ValueError("expected targets of a finite number of units")
    tally, fills = summary.tally, summary.fills
    if tally.next_day == BEGINNING:
        return Outcome(tally.equity, fills, tally.drawdown)
    last = tally.equity / tally.day_equity - 1.0
    if not tally.is_second and last == 0.0:
        return Outcome(tally.equity, fills, tally.drawdown)
    days, total, squares = tally.days + 1, tally.total + last, tally.squares + last * last
    mean = total / days
    # Rounding may take it below 0.
    spread = max(0.0, squares - days * mean * mean)
    deviation = math.sqrt(spread / (days - 1)) if days > 1 else math.nan
    return Outcome(tally.equity, fills, tally.drawdown, mean, deviation, days)
