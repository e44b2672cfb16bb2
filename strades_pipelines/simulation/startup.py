"""Does a strategy warm up as it says? Runs that open after 1, 2 and 4 times its lookback must agree."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from strades_pipelines.engine.actions import Actions
from strades_pipelines.engine.columns import Integers
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.session import Session
from strades_pipelines.simulation.backtest import Bars, Terms
from strades_pipelines.simulation.decision_diff import DecisionLog, decision_log, difference
from strades_pipelines.simulation.lookahead import Finding, Make, plain

MULTIPLES = (1, 2, 4)


@dataclass(frozen=True)
class Report:
    """What was compared: from so many openings, with so many bars of warm-up each; and what differed."""

    findings: Sequence[Finding]
    openings: int
    warm_ups: Sequence[int]
    mode: str
    not_compiled: str | None


def startup(
    make: Make,
    bars: Sequence[Bars],
    terms: Terms | None = None,
    *,
    openings: int = 20,
    tolerance: float = 1e-6,
    cache: Path | None = None,
) -> Report:
    """Compare warm-up lengths of a strategy: w, 2w and 4w bars, w its declared `lookback` (at least 1).

    For each of `openings` times, spread evenly, nothing is decided before it; what is decided from then on for 4w bars
    (at least 100) must be the same whatever the length. Averages that forget may differ by `tolerance`, relative.

    Raises:
        ValueError: there are too few bars, or the strategy fails on them.
    """
    w = max(make().lookback, 1)
    run = _Runs(make, bars, terms or Terms(), max(4 * w, 100), cache)
    chosen = _openings(bars, MULTIPLES[-1] * w, openings)
    findings, last = [], None
    for time in chosen.tolist():
        last = run(time, MULTIPLES[-1] * w)
        if last.error is not None:
            raise ValueError(last.error)
        for multiple in MULTIPLES[:-1]:
            found = difference(run(time, multiple * w), last, tolerance)
            if found:
                text = f"{found.first} after {multiple * w} bars of warm-up, {found.second} after {MULTIPLES[-1] * w}"
                findings.append(Finding("startup", found.time, bars[found.i].name, text))
                break
    assert last is not None
    return Report(findings, len(chosen), [multiple * w for multiple in MULTIPLES], last.mode, last.not_compiled)


@dataclass(frozen=True)
class _Runs:
    """Runs that open at a time, after so many bars of each instrument."""

    make: Make
    bars: Sequence[Bars]
    terms: Terms
    horizon: int
    cache: Path | None

    def __call__(self, opened_at: int, warm_up: int) -> DecisionLog:
        """What is decided from `opened_at` on; the bar that is known then is the last one of the warm-up."""
        parts = []
        for one in self.bars:
            opens = int(np.searchsorted(one.time, opened_at, side="right"))
            rows = slice(max(opens - warm_up, 0), opens + self.horizon)
            parts.append(_part(one, rows))
        engine = replace(self.terms, opened_at=opened_at).engine(self.make(), parts)
        chain = EventChain([[stream] for stream in plain(parts)])
        [progress] = Session(chain, None, [engine], mode="auto", cache=self.cache).run()
        made = decision_log(progress)
        made.decisions = made.decisions[made.decisions[:, 0] >= opened_at]
        return made


def _part(bars: Bars, rows: slice) -> Bars:
    """Some of the bars, with the splits and dividends of those."""
    time, days, actions = bars.time[rows], bars.days, bars.actions
    if actions is not None:
        inside = (actions.time >= time[0]) & (actions.time <= time[-1])
        actions = Actions(*(getattr(actions, field.name)[inside] for field in fields(actions)))
    return replace(
        bars,
        time=time,
        open_time=bars.open_time[rows],
        prices=bars.prices[:, rows],
        days=None if days is None else days[rows],
        actions=actions,
    )


def _openings(bars: Sequence[Bars], before: int, count: int) -> Integers:
    """Times at which every instrument has so many bars, spread evenly over the rest."""
    short = [one for one in bars if len(one.time) <= before]
    if short:
        raise ValueError(f"{short[0].name}: expected more than {before} bars to warm up on, found {len(short[0].time)}")
    known = np.unique(np.concatenate([one.time for one in bars]))
    first = max(int(one.time[before - 1]) for one in bars)
    known = known[known >= first]
    return known[np.unique(np.linspace(0, len(known) - 1, count + 1).astype(np.int64)[:-1])]
