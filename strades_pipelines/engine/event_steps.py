"""An engine stepped event by event: rows of columns made into events, and each given to its hook."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from strades_pipelines.engine.columns import PIECE, Columns
from strades_pipelines.engine.engine import Engine
from strades_pipelines.strategy import events

EVENT_HOOKS: dict[int, tuple[str, Any, int]] = {
    # kind: the engine's hook, the event's class, how many columns it takes behind the instrument and the time
    events.TRADE: ("on_trade", events.Trade, 3),
    events.QUOTE: ("on_quote", events.Quote, 4),
    events.BAR: ("on_bar", events.Bar, 6),
    events.REVISION: ("on_bar_revision", events.BarRevision, 6),
    events.GAP: ("on_gap", events.Gap, 2),
    events.PREDICTION: ("on_prediction", events.Prediction, 2),
    events.ARTICLE: ("on_article", events.Article, 2),
    events.RATE: ("on_rate", events.Rate, 2),
    events.ACTION_AT_OPEN: ("on_corporate_action", events.CorporateAction, 4),
    events.ACTION: ("on_corporate_action", events.CorporateAction, 4),
    events.RECORDED_FILL: ("on_recorded_fill", events.RecordedFill, 5),
}
WITH_TIME = (events.BAR, events.REVISION, events.GAP, events.RECORDED_FILL)

Observer = Callable[[Any], None]


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
    _, _, count = EVENT_HOOKS[kind]
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
        hook, cls, _ = EVENT_HOOKS[kind]
        yield cls(*next(sources[kind])), hook
