"""Compiled steps: any blocks, a full journal, a state that goes elsewhere or on per event, code found again."""

import itertools
import multiprocessing
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strades_pipelines.compiler.lowered_values import NotCompilable
from strades_pipelines.engine import journal
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.compiled import CompiledError, CompiledSteps
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.event_steps import EventSteps
from strades_pipelines.market.fees import PercentFee
from strades_pipelines.simulation.backtest import Bars, Result, Terms, backtest
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.strategy import Strategy

MINUTE = 60_000_000
TERMS = Terms(cash=1e5, fee=lambda: PercentFee(0.001), limits={"leverage": 1.0, "allow_short": False})
ROWS = ("fills", "decisions", "orders", "times", "equity", "gross")


def walk(seed: int, n: int, instruments: int = 1) -> list[Bars]:
    """Bars of random walks, a minute apart, on a grid of 1/8."""
    rng = np.random.default_rng(seed)
    time = (np.arange(n, dtype=np.int64) + 1) * MINUTE
    made = []
    for k in range(instruments):
        close = np.round(800.0 * np.exp(np.cumsum(rng.normal(0.0, 0.002, n)))) / 8.0
        opened = np.concatenate(([100.0], close[:-1])) + rng.integers(-2, 3, n) / 8.0
        prices = np.array([opened, np.maximum(opened, close) + 0.125, np.minimum(opened, close) - 0.125, close])
        made.append(Bars(f"W{k}", time, time - MINUTE, np.vstack([prices, rng.integers(1, 9, n).astype(float)])))
    return made


def merged(bars: Sequence[Bars]) -> Columns:
    """All bars in their order."""
    [block] = EventChain([[one.columns(i)] for i, one in enumerate(bars)]).blocks()
    return block


def started(bars: Sequence[Bars], strategy: Strategy) -> Engine:
    """An engine before the first event."""
    engine = TERMS.engine(strategy, bars)
    engine.start()
    return engine


def state(engine: Engine) -> Any:
    """The account's numbers that a later event depends on."""
    account = engine.account
    return (account.cash, account.position, account.pending, account.target, account.average, account.next_number)


def rows(steps: CompiledSteps, engine: Engine, kind: str) -> list[tuple[float, ...]]:
    """What was written, compiled first."""
    parts = [*steps.reserves.taken[kind], engine.journal.rows(kind)]
    return [tuple(row) for part in parts for row in part.tolist()]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's machine code is kept."""
    return tmp_path_factory.mktemp("code")


def the_same(first: Result, second: Result) -> None:
    """Whether two runs wrote the same, to the bit."""
    assert first.error is None
    assert second.error is None
    for name in ROWS:
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes(), name


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 40), st.sampled_from((1, 3, 12)))
def test_every_row_is_the_same_per_event_and_compiled(cache: Path, seed: int, fast: int, more: int, size: int) -> None:
    bars = walk(seed, 400, size)
    runs = [
        backtest(SmaCross(fast=fast, slow=fast + more), bars, TERMS, mode=mode, cache=cache)
        for mode in ("events", "compiled")
    ]
    the_same(*runs)
    assert len(runs[0].equity) == 400


def test_a_long_stretch_of_bars_written_out_as_one_function_is_the_same_too(cache: Path) -> None:
    bars = walk(1, 60_000)
    runs = [backtest(SmaCross(), bars, TERMS, mode=mode, cache=cache) for mode in ("events", "compiled")]
    the_same(*runs)
    assert len(runs[0].fills) > 1_000
    [one] = bars
    part = Bars("W0", one.time[:2_000], one.open_time[:2_000], one.prices[:, :2_000])
    short = backtest(SmaCross(), [part], TERMS)
    assert short.equity.tolist() == runs[0].equity[:2_000].tolist()  # these were stepped hook by hook


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(st.lists(st.integers(1, 299), max_size=4), st.integers(0, 300))
def test_blocks_and_a_handover_change_nothing(cache: Path, cuts: list[int], handed_over_at: int) -> None:
    bars = walk(5, 300, 2)
    events = merged(bars)
    alone = started(bars, SmaCross(fast=2, slow=5))
    EventSteps(alone, None)(events)
    engine = started(bars, SmaCross(fast=2, slow=5))
    steps = CompiledSteps(engine, cache)
    ends = sorted({2 * cut for cut in cuts if cut < handed_over_at} | {0, 2 * handed_over_at})
    for start, end in itertools.pairwise(ends):
        steps(events.rows(start, end))
    steps.close()
    EventSteps(engine, None)(events.rows(2 * handed_over_at, len(events)))
    assert state(engine) == state(alone)
    for kind in journal.KINDS:
        assert rows(steps, engine, kind) == [tuple(row) for row in alone.journal.rows(kind).tolist()], kind


def _resume(sent: Any) -> Any:
    """Elsewhere: the same strategy's engine, the arrays it is sent, the rest of the events."""
    cache, floats, integers = sent
    bars = walk(7, 500)
    engine = started(bars, SmaCross())
    steps = CompiledSteps(engine, cache)
    steps.floats, steps.integers = floats, integers
    steps(merged(bars).rows(200, 500))
    steps.close()
    return state(engine), rows(steps, engine, "fills")


def test_another_process_goes_on_from_the_arrays(cache: Path) -> None:
    bars = walk(7, 500)
    events = merged(bars)
    whole, first = (CompiledSteps(started(bars, SmaCross()), cache) for _ in range(2))
    whole(events)
    whole.close()
    first(events.rows(0, 200))
    # Not `multiprocessing.Pool`, which ends by SIGTERM: Dagster has that ignored in tests that run in the background.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        resumed, fills = pool.submit(_resume, (cache, first.floats, first.integers)).result()
    assert resumed == state(whole.engine)
    assert rows(first, first.engine, "fills") + fills == rows(whole, whole.engine, "fills")


def test_a_full_journal_is_taken_and_the_run_goes_on(cache: Path) -> None:
    bars = walk(11, 3 * journal.CAPACITY)

    class Restless(Strategy):
        def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
            account.target[bar.i] = 1.0 - account.position[bar.i]

    found = backtest(Restless(), bars, TERMS, mode="compiled", cache=cache)
    assert found.error is None
    assert len(found.decisions) > journal.CAPACITY
    numbers = found.column("fills", "order")
    assert numbers.tolist() == list(range(1, len(numbers) + 1))
    assert len(found.equity) == len(bars[0].time)


class Third(Strategy):
    """Raises at its third bar."""

    def on_start(self, account: Account) -> None:
        self.seen = 0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.seen += 1
        account.target[0] = 1.0
        if self.seen == 3:
            raise ValueError("three is enough")


def test_an_error_leaves_the_objects_as_they_were_when_it_was_raised(cache: Path) -> None:
    bars = walk(3, 10)
    engine, strategy = started(bars, third := Third()), third
    with pytest.raises(CompiledError, match="ValueError: three is enough"):
        CompiledSteps(engine, cache)(merged(bars))
    assert strategy.seen == 3
    assert engine.account.now == 3 * MINUTE
    assert engine.account.position == [1.0]


SECOND = """
import sys
from pathlib import Path
from llvmlite import binding
from strades_pipelines.compiler import machine
from strades_pipelines.engine.compiled import CompiledSteps
from strades_pipelines.strategy.library.sma_cross import SmaCross
from tests.engine.test_compiled import merged, started, walk

def never(*_):
    raise SystemExit("it was compiled again")

machine._optimize = never
bars = walk(7, 50)
steps = CompiledSteps(started(bars, SmaCross()), Path(sys.argv[1]))
steps(merged(bars))
"""


def test_a_second_process_finds_the_code(tmp_path: Path) -> None:
    bars = walk(7, 50)
    CompiledSteps(started(bars, SmaCross()), tmp_path)(merged(bars))
    assert len(list(tmp_path.glob("*.o"))) == 1
    subprocess.run([sys.executable, "-c", SECOND, str(tmp_path)], check=True)
    assert len(list(tmp_path.iterdir())) == 1


def test_columns_that_do_not_lie_in_one_piece_are_read_all_the_same(cache: Path) -> None:
    bars = walk(13, 200)
    [one] = bars
    apart = Bars(one.name, np.repeat(one.time, 2)[::2], np.repeat(one.open_time, 2)[::2], one.prices)
    runs = [backtest(SmaCross(fast=2, slow=5), [each], TERMS, mode="compiled", cache=cache) for each in (one, apart)]
    the_same(*runs)


class Doubles(Strategy):
    """Its whole number has more than 64 bits from the 60th bar on."""

    def on_start(self, account: Account) -> None:
        self.whole = 7
        self.seen = [0.0] * 3

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.whole *= 2
        self.seen[self.whole % 3] += bar.close
        account.target[bar.i] = float(self.whole % 5)


def test_what_only_python_does_is_done_per_event_from_the_state_before(cache: Path) -> None:
    bars = walk(9, 100)
    alone = backtest(Doubles(), bars, TERMS, mode="events")
    found = backtest(Doubles(), bars, TERMS, cache=cache)
    assert found.mode == "events"
    assert "more than 64 bits: self.whole *= 2" in str(found.not_compiled)
    assert alone.error is None
    for kind in ROWS:
        np.testing.assert_array_equal(getattr(found, kind), getattr(alone, kind), err_msg=kind)
    with pytest.raises(NotCompilable, match=r"test_compiled\.py:\d+: an integer of more than 64 bits"):
        backtest(Doubles(), bars, TERMS, mode="compiled", cache=cache)
    # In blocks, of which the first is compiled, the second ends on the way, and the third is per event.
    engine, events = started(bars, Doubles()), merged(bars)
    steps = CompiledSteps(engine, cache, insists=False)
    for start, end in ((0, 40), (40, 80), (80, 100)):
        steps(events.rows(start, end))
    steps.close()
    engine.end_last_instant()
    fills = [row for part in steps.reserves.all("fills", engine.journal.rows("fills")) for row in part.tolist()]
    assert fills == alone.fills.tolist()
    assert engine.account.cash == alone.account.cash


def test_a_last_block_of_one_bar_is_read_where_it_lies(cache: Path) -> None:
    first, second = walk(13, 20, 2)
    bars = [first, Bars("late", second.time + MINUTE // 2, second.open_time + MINUTE // 2, second.prices)]
    compiled, alone = (
        backtest(SmaCross(fast=2, slow=5), bars, TERMS, mode=m, cache=cache) for m in ("compiled", "events")
    )
    assert len(alone.fills) > 0
    for kind in ROWS:
        np.testing.assert_array_equal(getattr(compiled, kind), getattr(alone, kind), err_msg=kind)


SIZE = 0.0


class Constant(Strategy):
    """Holds what its module says."""

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[bar.i] = SIZE


def test_code_is_made_anew_when_a_constant_of_its_module_has_changed(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = walk(9, 20)
    for size in (1.0, 2.0):
        monkeypatch.setitem(globals(), "SIZE", size)
        found = backtest(Constant(), bars, TERMS, mode="compiled", cache=cache)
        assert found.account.target == [size]


class Step:
    """An indicator whose methods are replaced on the way."""

    def __init__(self) -> None:
        self.value = 0.0

    @property
    def level(self) -> float:
        return self.value

    def update(self, price: float) -> float:
        self.value = price
        return self.value


class Replaced(Strategy):
    """A strategy whose methods are replaced on the way."""

    def on_start(self, account: Account) -> None:
        self.step = Step()

    @property
    def size(self) -> float:
        return 1.0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.step.update(bar.close)
        account.target[bar.i] = self.size if self.step.level > bar.open else 0.0


REPLACEMENTS: dict[str, tuple[type, str, Any]] = {
    "a hook": (Replaced, "on_aggregate_bar", lambda self, bar, account: account.set_weight(bar.i, 0.5)),
    "a hook that was the base's": (
        Replaced,
        "on_fill",
        lambda self, fill, account: account.order(0, 5.0) if fill.order == 1 else None,
    ),
    "a property": (Replaced, "size", property(lambda self: 3.0)),
    "an indicator's method": (Step, "update", lambda self, price: price),
    "an indicator's property": (Step, "level", property(lambda self: self.value - 1.0)),
}


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_code_of_a_method_that_was_replaced_is_not_used_again(
    name: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = walk(5, 60)
    before = backtest(Replaced(), bars, TERMS, cache=cache)
    assert before.mode == "compiled"
    monkeypatch.setattr(*REPLACEMENTS[name], raising=False)
    events, auto = (backtest(Replaced(), bars, TERMS, mode=mode, cache=cache) for mode in ("events", "auto"))
    the_same(events, auto)
    assert auto.fills.tobytes() != before.fills.tobytes()
