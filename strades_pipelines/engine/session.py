"""The one way through time: backtest, replay, paper and live step through it, each with its own parts."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from strades_pipelines.compiler.shapes import Floats
from strades_pipelines.engine.columns import PIECE, Columns
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.journal import KINDS
from strades_pipelines.strategy import events

MODES = ("auto", "events", "compiled")
MAKERS: dict[int, tuple[str, Any, int]] = {
    # kind: the engine's hook, the event's class, how many columns it takes behind the instrument and the time
    events.TRADE: ("on_trade", events.Trade, 3),
    events.QUOTE: ("on_quote", events.Quote, 4),
    events.BAR: ("on_bar", events.Bar, 6),
    events.REVISION: ("on_bar_revision", events.BarRevision, 6),
    events.GAP: ("on_gap", events.Gap, 2),
    events.PREDICTION: ("on_prediction", events.Prediction, 2),
    events.ARTICLE: ("on_article", events.Article, 2),
    events.RATE: ("on_rate", events.Rate, 2),
    events.ACTION_AT_OPEN: ("on_corporate_action", events.CorporateAction, 3),
    events.ACTION: ("on_corporate_action", events.CorporateAction, 3),
    events.RECORDED_FILL: ("on_recorded_fill", events.RecordedFill, 5),
}
WITH_TIME = (events.BAR, events.REVISION, events.GAP, events.RECORDED_FILL)


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


Observer = Callable[[Any], None]


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
        for one in self.progress:
            self._contain(one, one.engine.start)

    def step(self, block: Columns) -> None:
        """Step through the events of a block, all of which are before the clock."""
        for one in self.progress:
            if one.error is None and len(block):
                self._step(one, block)

    def finish(self) -> list[Progress]:
        """After the last event: its instant is over, and each engine's journal is complete."""
        for one in self.progress:
            self._finish(one)
        return self.progress

    def _step(self, one: Progress, block: Columns) -> None:
        if one.steps is None:
            one.steps = self._gear(one, block)
        one.instants.append(block.instants)
        self._contain(one, one.steps, block)

    def _gear(self, one: Progress, block: Columns) -> Callable[[Columns], None]:
        """How an engine is to be stepped."""
        if self._mode != "events":
            from strades_pipelines.compiler.lowered_values import NotCompilable
            from strades_pipelines.engine.compiled import CompiledSteps

            assert self._cache is not None
            try:
                steps = CompiledSteps(one.engine, self._cache, insists=self._mode == "compiled")
                steps.compile(block.kinds)
            except NotCompilable as error:
                if self._mode == "compiled":
                    raise
                one.not_compiled = str(error)
            else:
                one.mode = "compiled"
                return steps
        return EventSteps(one.engine, self._observer)

    def _finish(self, one: Progress) -> None:
        if one.error is None and one.steps is not None and one.mode == "compiled":
            self._contain(one, one.steps.close)
        for last in (one.engine.end_last_instant, one.engine.stop):
            if one.error is None:
                self._contain(one, last)
        one.journal = {}
        for kind in KINDS:
            rows = one.engine.journal.rows(kind)
            parts = one.steps.reserves.all(kind, rows) if one.mode == "compiled" else [rows]
            one.journal[kind] = parts[0] if len(parts) == 1 else _joined(kind, parts)
        if one.mode == "compiled" and one.steps.not_compiled:
            one.mode, one.not_compiled = "events", one.steps.not_compiled

    def _contain(self, one: Progress, call: Callable[..., None], *arguments: Any) -> None:
        try:
            call(*arguments)
        except Exception as error:
            if getattr(error, "refuses", False):  # not compilable, in mode compiled
                raise
            one.error = self._told(one, error)

    def _told(self, one: Progress, error: Exception) -> StrategyError:
        now = one.engine.account.now
        where = f" at {events.moment(now).isoformat()}" if now > events.BEGINNING else ""
        said = str(error) if getattr(error, "compiled", False) else f"{type(error).__name__}: {error}"
        text = f"strategy {one.engine.state.strategy.title()}{where}: {said}"
        made = StrategyError(text)
        made.__cause__ = error
        return made


def _joined(kind: str, parts: Sequence[Floats]) -> Floats:
    """Rows one part after the other, column after column in memory where the parts are so."""
    return np.concatenate([np.empty((len(KINDS[kind]), 0)), *(part.T for part in parts)], axis=1).T


class EventSteps:
    """Steps an engine event by event."""

    def __init__(self, engine: Engine, observer: Observer | None) -> None:
        self._engine, self._observer = engine, observer

    def __call__(self, block: Columns) -> None:
        """Step through a block."""
        if self._observer is None and block.kinds == (events.BAR,):
            on_bar, bar = self._engine.on_bar, events.Bar
            for row in rows_of(block, events.BAR):
                on_bar(bar(*row))
            return
        for event, hook in events_of(block):
            if self._observer is not None:
                self._observer(event)
            getattr(self._engine, hook)(event)


def rows_of(block: Columns, kind: int) -> Iterator[tuple[Any, ...]]:
    """The numbers of each event of a block of one kind."""
    _, _, count = MAKERS[kind]
    floats = (block.a, block.b, block.c, block.d, block.e)
    more = [block.more] if kind in WITH_TIME else []
    columns: list[Any] = [block.i, block.time, *more, *floats][: 2 + count]
    # A piece at a time: as Python's objects, numbers take four times the memory.
    pieces = (slice(start, start + PIECE) for start in range(0, len(block), PIECE))
    return itertools.chain.from_iterable(
        zip(*(column[piece].tolist() for column in columns), strict=True) for piece in pieces
    )


def events_of(block: Columns) -> Iterator[tuple[Any, str]]:
    """Each event of a block, and the engine's hook for it."""
    sources = {}
    for kind in block.kinds:
        chosen = np.flatnonzero(block.kind == kind)
        sources[kind] = rows_of(Columns(*(array[chosen] for array in block.arrays)), kind)
    for kind in block.kind.tolist():
        hook, cls, _ = MAKERS[kind]
        yield cls(*next(sources[kind])), hook
