"""The one way through time: backtest, replay, paper and live step through it, each with its own parts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from strades_pipelines.compiler.shapes import Floats
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_steps import EventSteps, Observer
from strades_pipelines.engine.journal import KINDS
from strades_pipelines.strategy import events

MODES = ("auto", "events", "compiled")


class StrategyError(RuntimeError):
    """A strategy raised; it is stopped, the others of its session go on."""


class Feed(Protocol):
    """What happened, as it became known."""

    def blocks(self) -> Iterable[Columns]:
        """The events in their total order, in blocks."""
        ...


@dataclass
class Progress:
    """One engine in a session: how it runs, why not compiled where it could not be, and what stopped it."""

    engine: Engine
    mode: str = "events"
    not_compiled: str | None = None
    error: StrategyError | None = None
    steps: Any = None
    journal: dict[str, Floats] = field(default_factory=dict)
    instants: list[np.typing.NDArray[np.int64]] = field(default_factory=list)


class Session:
    """Steps strategies through the events of a feed, each with its own account, broker and state, up to a time.

    Args:
        feed: where the events come from; an `EventChain`, say.
        clock: events that become known at this time (microseconds UTC) or later are not seen.
        engines: a strategy each; an exception in one of them stops that one alone.
        mode: events (one Python call for each), compiled, or auto: compiled what can be.
        cache: the folder where compiled code is kept.
        observer: called with each event before an engine handles it; in mode auto a session with one is per event.
    """

    def __init__(
        self,
        feed: Feed,
        clock: int | None,
        engines: Sequence[Engine],
        *,
        mode: str = "auto",
        cache: Path | None = None,
        observer: Observer | None = None,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"mode: expected one of {', '.join(MODES)}, was {mode!r}")
        self._feed, self._clock, self._observer = feed, clock, observer
        self._mode = "events" if cache is None or (observer is not None and mode == "auto") else mode
        self._cache = cache
        self.progress = [Progress(engine) for engine in engines]

    def run(self) -> list[Progress]:
        """Step through every event before the clock; returns how each engine fared.

        Raises:
            NotCompilable: in mode compiled, with the file, line and reason.
            ValueError: when the feed is out of order.
        """
        self.start()
        for block in self._feed.blocks():
            end = len(block) if self._clock is None else int(np.searchsorted(block.time, self._clock, side="left"))
            self.step(block.rows(0, end))
            if end < len(block):
                break
        return self.finish()

    def start(self) -> None:
        """Before the first event: each strategy makes its state."""
        for progress in self.progress:
            self._guard(progress, progress.engine.start)

    def step(self, block: Columns) -> None:
        """Step through the events of a block, all of which are before the clock."""
        for progress in self.progress:
            if progress.error is None and len(block):
                self._step(progress, block)

    def end_instant(self) -> None:
        """Every event of the last instant is in, and later ones may follow: for engines that end each instant once."""
        for progress in self.progress:
            if progress.error is None:
                self._guard(progress, progress.engine.end_last_instant)

    def finish(self) -> list[Progress]:
        """After the last event: its instant is over, and each engine's journal is complete."""
        for progress in self.progress:
            self._finish(progress)
        return self.progress

    def _step(self, progress: Progress, block: Columns) -> None:
        if progress.steps is None:
            progress.steps = self._stepper_for(progress, block)
        progress.instants.append(block.instants)
        self._guard(progress, progress.steps, block)

    def _stepper_for(self, progress: Progress, block: Columns) -> Callable[[Columns], None]:
        """What steps an engine: compiled code where the mode and the strategy allow it, else Python."""
        if self._mode != "events":
            from strades_pipelines.compiler.lowered_values import NotCompilable
            from strades_pipelines.engine.compiled import CompiledSteps

            assert self._cache is not None
            try:
                steps = CompiledSteps(progress.engine, self._cache, insists=self._mode == "compiled")
                steps.compile(block.kinds)
            except NotCompilable as error:
                if self._mode == "compiled":
                    raise
                progress.not_compiled = str(error)
            else:
                progress.mode = "compiled"
                return steps
        return EventSteps(progress.engine, self._observer)

    def _finish(self, progress: Progress) -> None:
        if progress.error is None and progress.steps is not None and progress.mode == "compiled":
            self._guard(progress, progress.steps.close)
        for hook in (progress.engine.end_last_instant, progress.engine.stop):
            if progress.error is None:
                self._guard(progress, hook)
        progress.journal = {}
        for kind in KINDS:
            rows = progress.engine.journal.rows(kind)
            parts = progress.steps.reserves.all(kind, rows) if progress.mode == "compiled" else [rows]
            progress.journal[kind] = parts[0] if len(parts) == 1 else _joined(kind, parts)
        if progress.mode == "compiled" and progress.steps.not_compiled:
            progress.mode, progress.not_compiled = "events", progress.steps.not_compiled

    def _guard(self, progress: Progress, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception as error:
            if getattr(error, "refuses", False):  # not compilable, in mode compiled
                raise
            progress.error = self._strategy_error(progress, error)

    def _strategy_error(self, progress: Progress, error: Exception) -> StrategyError:
        now = progress.engine.account.now
        where = f" at {events.moment(now).isoformat()}" if now > events.BEGINNING else ""
        message = str(error) if getattr(error, "compiled", False) else f"{type(error).__name__}: {error}"
        text = f"strategy {progress.engine.state.strategy.title()}{where}: {message}"
        raised = StrategyError(text)
        raised.__cause__ = error
        return raised


def _joined(kind: str, parts: Sequence[Floats]) -> Floats:
    """Rows one part after the other, column after column in memory where the parts are so."""
    return np.concatenate([np.empty((len(KINDS[kind]), 0)), *(part.T for part in parts)], axis=1).T
