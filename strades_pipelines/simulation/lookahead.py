"""Does a strategy know the future? What is known after t is poisoned; what was decided up to t must not change."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from strades_pipelines.engine.columns import Columns, Integers
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.session import Session
from strades_pipelines.simulation.backtest import Bars, Terms, streams_of
from strades_pipelines.simulation.decision_diff import DecisionLog, Difference, OrderRecorder, decision_log, difference
from strades_pipelines.simulation.poison import Poison, poisonable
from strades_pipelines.strategy.events import moment
from strades_pipelines.strategy.file_reads import files_read
from strades_pipelines.strategy.strategy import Strategy

READINGS = {
    "network": "is asked by the strategy itself; what it answers cannot be tried",
    "process": "is run by the strategy itself; what it says cannot be tried",
    "database": "is opened by the strategy itself; what it holds cannot be tried",
    "library": "is imported by the strategy; what that reads by itself is not heard and cannot be tried",
}
Make = Callable[[], Strategy]
Feed = Callable[[Sequence[Bars]], Sequence[Columns]]


@dataclass(frozen=True)
class Finding:
    """Something that was known too early, or that nobody can check; `time` in microseconds UTC, None for a file."""

    kind: str
    time: int | None
    instrument: str | None
    text: str

    @property
    def line(self) -> str:
        """It in one line."""
        return " ".join(word for word in (f"{self.kind}:", self._when, self.instrument, self.text) if word)

    def as_json(self) -> dict[str, str | None]:
        """It for programs."""
        return {"kind": self.kind, "time": self._when, "instrument": self.instrument, "text": self.text}

    @property
    def _when(self) -> str | None:
        return None if self.time is None else moment(self.time).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True)
class Report:
    """What was checked: so many times, so many decisions; and what was found."""

    findings: Sequence[Finding]
    times: int
    decisions: int
    mode: str
    not_compiled: str | None


def plain(bars: Sequence[Bars]) -> list[Columns]:
    """The feed of bars as they are, with the rates of their currencies, their splits and dividends."""
    return streams_of(bars)


def lookahead(
    make: Make,
    bars: Sequence[Bars],
    terms: Terms | None = None,
    *,
    feed: Feed = plain,
    times: int = 200,
    cache: Path | None = None,
    seed: int = 0,
    heard: Iterable[str] = (),
) -> Report:
    """Poison the future of bars and compare what a strategy decides.

    For `times` instants t, drawn at random, all that is known after t is poisoned from the start, and the run up to t
    must be the true one to the bit. Then every decision is tried: in two runs per event in which at each instant all
    that comes after it is poison, of either kind. Compiled code sees nothing but its events and its state, so for it
    the state before the first event must be the same. With a feed of your own each decision's time is tried like the
    `times`.

    Args:
        make: a fresh strategy; called for each run, so what it reads when it is made is tried too.
        feed: from bars to streams of events; what it does with values known later than the events it makes is tried.
        cache: the folder of compiled code; without it all runs are per event.
        heard: what was read when the strategy's file was imported, see `files_read`.

    Raises:
        ValueError: the strategy fails on the true bars.
    """
    with poisonable(bars) as poison, files_read(ignored=cache) as read:
        runs = Runs(make, poison, terms or Terms(), feed, cache)
        clean = runs.run(mode="auto")
        if clean.mode == "events":
            # Once more with its orders heard: nothing listens to a run that may be compiled.
            clean = replace(runs.run(), not_compiled=clean.not_compiled)
        if clean.error is not None:
            raise ValueError(clean.error)
        tried = _times(poison.bars, times, seed)
        if feed is not plain:
            tried = np.union1d(tried, clean.decisions[:, 0].astype(np.int64))
        found = [one for one in (*runs.at_times(clean, tried), *runs.all_along(clean)) if one]
    findings = _findings(found, [one.name for one in bars], sorted(read.union(heard)))
    return Report(findings, len(tried), len(clean.decisions), clean.mode, clean.not_compiled)


@dataclass(frozen=True)
class Runs:
    """Runs of a strategy over bars that are poisoned or not."""

    make: Make
    poison: Poison
    terms: Terms
    feed: Feed
    cache: Path | None

    def run(
        self, streams: Sequence[Columns] | None = None, until: int | None = None, mode: str = "events"
    ) -> DecisionLog:
        """A run over the bars as they are now, or over given streams; `until` is the last instant that is seen."""
        engine, recorder = self.terms.engine(self.make(), self.poison.bars), OrderRecorder()
        if mode == "events":
            recorder.listen(engine.account)
        if streams is None:
            streams = self.feed(self.poison.bars)
        else:
            self._reveal(engine)
        chain = EventChain([[stream] for stream in streams])
        # A session ends before its clock, and `until` is seen.
        clock = None if until is None else until + 1
        [progress] = Session(chain, clock, [engine], mode=mode, cache=self.cache).run()
        return decision_log(progress, recorder)

    def _reveal(self, engine: Engine) -> None:
        """Let what is poisoned recede with the engine's clock: an instant's timer still sees nothing later."""
        advance = engine.advance

        def advanced(time: int) -> None:
            advance(time)
            self.poison.after(time)

        engine.advance = advanced  # type: ignore[method-assign]

    def at_times(self, clean: DecisionLog, times: Integers) -> "Iterator[Difference | None]":
        """For each time the first difference of the run up to it, all later poisoned."""
        for time in times.tolist():
            self.poison.after(time)
            self.poison.turn()
            yield _compared(clean.until(time), self.run(until=time, mode=clean.mode), time)
        self.poison.heal()

    def all_along(self, clean: DecisionLog) -> "Iterator[Difference | None]":
        """The first difference of the run in which at each instant everything later is poisoned."""
        if clean.mode == "compiled":
            state, other = self.state(), self.state(poisoned=True)
            if not all(np.array_equal(one, two, equal_nan=True) for one, two in zip(state, other, strict=True)):
                yield Difference(self._begins, 0, "state before the first event", "another one")
        elif self.feed is plain:
            streams = [Columns(*(array.copy() for array in stream.arrays)) for stream in self.feed(self.poison.bars)]
            for _ in range(2):
                self.poison.after(None)
                yield _compared(clean, self.run(streams), None)
                self.poison.turn()
            self.poison.heal()

    def state(self, *, poisoned: bool = False) -> tuple[Any, Any]:
        """All numbers of an engine before its first event."""
        from strades_pipelines.compiler.layout import Packer
        from strades_pipelines.compiler.object_shapes import shape_of

        if poisoned:
            self.poison.after(None)
        engine = self.terms.engine(self.make(), self.poison.bars)
        engine.start()
        self.poison.heal()
        packer = Packer()
        packer.add(engine, shape_of(engine))
        return packer.arrays()

    @property
    def _begins(self) -> int:
        return min(int(one.time[0]) for one in self.poison.bars)


def _compared(clean: DecisionLog, other: DecisionLog, time: int | None) -> Difference | None:
    found = difference(clean, other)
    if found is None and other.error is not None:
        return Difference(time or 0, 0, "no error", other.error)
    return found


def _times(bars: Sequence[Bars], count: int, seed: int) -> Integers:
    """So many of the instants at which something is known, in order; all of them where there are fewer."""
    known = np.unique(np.concatenate([one.time for one in bars]))
    chosen = np.random.default_rng(seed).choice(len(known), min(count, len(known)), replace=False)
    return np.sort(known[chosen])


def _findings(found: Sequence[Difference], names: Sequence[str], read: Sequence[str]) -> list[Finding]:
    """Each difference once, by time; then the files that were read."""
    known: dict[tuple[int, int], Finding] = {}
    for one in sorted(found, key=lambda one: (one.time, one.i)):
        text = f"{one.first}; with everything known later poisoned: {one.second}"
        known.setdefault((one.time, one.i), Finding("lookahead", one.time, names[one.i], text))
    return [*known.values(), *map(_reading, read)]


def _reading(name: str) -> Finding:
    """What a strategy reads by itself: nobody can poison it, so nothing is said of it but that."""
    kind = name.partition(" ")[0]
    if kind in READINGS:
        return Finding(kind, None, None, f"{name.partition(' ')[2]} {READINGS[kind]}")
    return Finding("file", None, None, f"{name} is read by the strategy itself; give it as bars")
