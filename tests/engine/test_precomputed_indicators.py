"""Indicators updated ahead: a sweep's sets come to what they do per event, and share what is the same."""

import math
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.event_steps import EventSteps
from strades_pipelines.engine.precomputed_indicators import UpdateCode, find_precomputed_indicators
from strades_pipelines.engine.shared_columns import SharedColumns
from strades_pipelines.simulation.compiled_sets import CompiledSets
from strades_pipelines.simulation.run_summary import RunSummary, summarize
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar, Fill
from strades_pipelines.strategy.indicators import Atr, Bollinger, Sma
from strades_pipelines.strategy.strategy import Strategy
from tests.engine.test_properties import FEW, blocks_of
from tests.strategy.both import Terms, bars, cache_folder, columns_of, plain
from tests.strategy.random_runs import SIZE, event_lists
from tests.strategy.random_runs import terms as random_terms


class Steps:
    """Numbers of all kinds: the last close, how often in a row it rose, whether it did; too high a one raises."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.last = math.nan
        self.count = 0
        self.rose = False

    @property
    def is_long(self) -> bool:
        """Whether it rose more than once."""
        return self.rose and self.count > 1

    def update(self, time: int, close: float) -> int:
        """Take in the next close."""
        if close > self.limit:
            raise ValueError("too high")
        self.rose = close > self.last
        self.count = self.count + 1 if self.rose else 0
        self.last = close
        return self.count + time % 2


class Averages(Strategy):
    """Holds what its indicators come to, so that a bit more or less of them shows."""

    length: int = 3
    limit: float = 1e9
    fails_above: float = 1e9

    def on_start(self, account: Account) -> None:
        self.means = [Sma(self.length) for _ in range(account.size)]
        self.bands = [Bollinger(self.length + 1, 1.5) for _ in range(account.size)]
        self.steps = [Steps(self.limit) for _ in range(account.size)]
        self.range = Atr(2)
        self.whole = 0.0

    def on_fill(self, fill: Fill, account: Account) -> None:
        self.whole += fill.price

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        i = bar.i
        bands = self.bands[i]
        self.range.update(bar.high, bar.low, bar.close)
        if bar.close > self.fails_above:
            raise ValueError("too much")
        mean = self.means[bar.i].update(bar.close)
        bands.update(bar.close)
        taken = self.steps[i].update(bar.time, bar.close)
        if self.means[i].ready and self.range.ready and bands.ready:
            size = mean - bands.lower + 3.0 * self.range.value + self.whole % 7.0
            account.target[i] = size * (-0.5 if self.steps[i].is_long else 0.25) + taken * 0.01
        elif self.steps[i].rose:
            account.target[i] = 0.125 * self.steps[i].count


@dataclass(frozen=True)
class OfSweep:
    """Terms as a sweep wants them."""

    terms: Terms

    def engine(self, strategy: Strategy, _: Any, *, keeps_values: bool) -> Engine:
        engine = self.terms.engine(strategy)
        engine.valuation.keeps_values = keeps_values
        return engine


def compiled_sets(terms: Terms, capacity: int = 1 << 20) -> CompiledSets:
    return CompiledSets(range(terms.size), OfSweep(terms), cache_folder(), SharedColumns(capacity))  # type: ignore[arg-type]


def come_to(ran: RunSummary) -> str:
    """The tally at the end, to the bit, and how many fills there were."""
    return repr((plain(ran.tally), ran.fills, ran.finite))


def per_event(strategy: Strategy, blocks: Sequence[Columns], terms: Terms) -> tuple[str, str | None]:
    engine = OfSweep(terms).engine(strategy, None, keeps_values=False)
    engine.start()
    try:
        for block in blocks:
            EventSteps(engine, None)(block)
    except ValueError as error:
        return "", f"ValueError: {error}"
    return come_to(summarize(engine)), None


def in_sweep(sets: CompiledSets, strategy: Strategy, blocks: Sequence[Columns]) -> tuple[str, str | None]:
    try:
        [ran] = sets.run([lambda: strategy], blocks)
        return come_to(ran), None
    except Exception as error:
        return "", str(error)


@pytest.fixture
def updates(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each indicator that was updated ahead, whether it came to the end."""
    made: list[bool] = []
    run = UpdateCode.run

    def counted(self: UpdateCode, *given: Any) -> Any:
        found = run(self, *given)
        made.append(found is not None)
        return found

    monkeypatch.setattr(UpdateCode, "run", counted)
    return made


def walk(n: int, instruments: int = 1) -> Columns:
    """Bars of random walks, in their order."""
    rng = random.Random(n)
    streams = []
    for i in range(instruments):
        close = [10.0 + k % 3 + rng.random() for k in range(n)]
        streams.append([columns_of(bars(*((c, c + 0.5, c - 0.5, c) for c in close), i=i))])
    [block] = EventChain(streams).blocks()
    return block


@given(event_lists("bar"), random_terms(rest={}, fills={}), st.integers(2, 5), st.integers(1, 9))
@settings(FEW, max_examples=60)
def test_a_set_comes_to_what_it_does_per_event_whatever_the_blocks(
    events: list[Any], terms: Terms, length: int, size: int
) -> None:
    blocks = blocks_of(columns_of(events), size)
    expected = per_event(Averages(length=length), blocks, terms)
    assert in_sweep(compiled_sets(terms), Averages(length=length), blocks) == expected


@given(event_lists("bar"), st.sampled_from(["limit", "fails_above"]), st.floats(9.0, 11.0), st.integers(1, 50))
@settings(FEW, max_examples=60)
def test_what_raises_on_the_way_raises_the_same(events: list[Any], which: str, above: float, size: int) -> None:
    blocks, terms = blocks_of(columns_of(events), size), Terms(size=SIZE)
    expected = per_event(Averages(**{which: above}), blocks, terms)
    assert in_sweep(compiled_sets(terms), Averages(**{which: above}), blocks) == expected


def test_every_indicator_of_the_example_is_updated_ahead() -> None:
    for size in (1, 3):
        strategy = Averages()
        strategy.on_start(Account(size, 1.0))
        found = find_precomputed_indicators(shape_of(strategy), size == 1, cache_folder())
        assert {one.indicator.name for one in found} == {"means", "bands", "steps", "range"}


@pytest.mark.parametrize("instruments", [1, 3])
def test_sets_share_the_indicators_that_are_the_same_in_both(updates: list[bool], instruments: int) -> None:
    terms, block = Terms(size=instruments), walk(200, instruments)
    sets = compiled_sets(terms)
    lengths = (2, 3, 4, 2)
    found = [in_sweep(sets, Averages(length=length), [block]) for length in lengths]
    # A mean and bands for each length; the range and the steps are the same in all.
    assert updates == [True] * (3 * 2 + 2)
    assert found == [per_event(Averages(length=length), [block], terms) for length in lengths]
    assert found[0] == found[3] != found[1]


@pytest.mark.parametrize("capacity", [0, 10_000])
def test_where_there_is_no_room_to_share_the_outcome_is_the_same(updates: list[bool], capacity: int) -> None:
    terms, block = Terms(), walk(300)
    sets = compiled_sets(terms, capacity)
    assert in_sweep(sets, Averages(), [block]) == per_event(Averages(), [block], terms)
    assert bool(updates) == (capacity > 0)  # some had room


def test_an_update_that_raises_leaves_the_error_to_the_bar_that_it_comes_with(updates: list[bool]) -> None:
    rows = [(c, c, c, c) for c in (10.0, 12.0, 20.0, 10.0)]
    block = columns_of(bars(*rows))
    sets = compiled_sets(Terms())
    assert in_sweep(sets, Averages(limit=15.0), [block])[1] == "ValueError: too high"
    assert in_sweep(sets, Averages(limit=15.0, fails_above=11.0), [block])[1] == "ValueError: too much"
    assert in_sweep(sets, Averages(limit=25.0), [block])[1] is None
    assert updates.count(False) == 1  # the second set knows that it raises


def test_threads_share_without_a_difference() -> None:
    block, shared = walk(500), SharedColumns()
    sets = OfSweep(Terms())
    expected = [per_event(Averages(length=2 + k % 4), [block], Terms()) for k in range(24)]

    def run(k: int) -> tuple[str, str | None]:
        own = CompiledSets(range(1), sets, cache_folder(), shared)  # type: ignore[arg-type]
        return in_sweep(own, Averages(length=2 + k % 4), [block])

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(24))) == expected


def columns(n: int) -> Callable[[], list[list[Any]]]:
    return lambda: [[np.zeros(n)]]


def test_no_more_is_kept_than_there_is_room_for() -> None:
    shared = SharedColumns(100)
    first = shared.get("a", 60, columns(1))
    assert shared.get("b", 60, columns(1)) is None
    assert shared.get("a", 60, columns(1)) is first
    assert shared.get("c", 40, columns(1)) is not None
    assert shared.get("d", 1, columns(1)) is None
