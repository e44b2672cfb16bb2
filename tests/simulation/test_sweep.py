"""Sweeps give what single runs give, whatever the threads, processes and modes."""

import gc
import math
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.compiler.lowered_values import NotCompilable
from strades_pipelines.engine.journal import CAPACITY
from strades_pipelines.simulation.backtest import Bars, Terms, backtest
from strades_pipelines.simulation.grid import axes, combinations
from strades_pipelines.simulation.runner import Outcome, Runner, Sweep
from strades_pipelines.simulation.sweep import CHUNK, mode_of, run_sets
from strades_pipelines.simulation.trading_costs import parse_fee
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.strategy_files import load_strategy
from tests.strategy.both import cache_folder

HOUR, DAY = 3_600_000_000, 86_400_000_000
START = 1_577_836_800_000_000  # 2020-01-01T00:00Z
# Buys under a limit with a bracket, and counts the instants: orders of its own, a timer, a handler for fills.
OTHERS = '''
from threading import Event

from strades_pipelines.strategy.strategy import Strategy


class Brackets(Strategy):
    """Keeps a bracket under way in each instrument."""

    distance: float = 0.01

    def on_start(self, account):
        self.entries = [0] * account.size

    def on_aggregate_bar(self, bar, account):
        i = bar.i
        if account.position[i] == 0.0 and not account.is_open(self.entries[i]):
            account.cancel_all(i)
            low, high = bar.close * (1.0 - 2.0 * self.distance), bar.close * (1.0 + self.distance)
            self.entries[i] = account.bracket(i, 2.0, low, high, bar.close * (1.0 - self.distance))


class Rotation(Strategy):
    """Holds the instrument that rose most since `back` instants, decided when all bars are in."""

    back: int = 3

    def on_start(self, account):
        self.seen = 0
        self.closes = [0.0] * (account.size * self.back)

    def on_timer(self, time, account):
        best, rise = -1, 0.0
        for i in range(account.size):
            slot = i * self.back + self.seen % self.back
            if self.closes[slot] > 0.0 and account.price[i] / self.closes[slot] - 1.0 > rise:
                best, rise = i, account.price[i] / self.closes[slot] - 1.0
            self.closes[slot] = account.price[i]
        self.seen += 1
        for i in range(account.size):
            account.target[i] = 1.0 if i == best else 0.0


class Worded(Strategy):
    """Cannot be compiled."""

    count: int = 1

    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = float(len("x" * self.count) * (int(bar.close) % 2))


class Broken(Strategy):
    """Divides by what is 0 in some sets."""

    by: int = 0

    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = 1.0 / self.by


class Restless(Strategy):
    """Decides anew with every bar, more often than the journal of compiled code has room for."""

    every: int = 1

    def on_start(self, account):
        self.seen = 0

    def on_aggregate_bar(self, bar, account):
        self.seen += 1
        account.target[bar.i] = float(self.seen // self.every % 2)


class Early(Strategy):
    """Wants what it wants before it begins, by one way or another, and holds it."""

    size: float = 1.0
    way: int = 0

    def on_start(self, account):
        if self.way == 0:
            account.target[0] = self.size
        elif self.way == 1:
            account.set_weight(0, self.size / 16.0)
        elif self.way == 2:
            account.order(0, self.size)

    def on_aggregate_bar(self, bar, account):
        pass


TABLE = {"sets": 0}
LEVELS = [1.0]
COUNT = 0
ON_THE_WAY, BEGUN = Event(), Event()


class Ledger:
    def __init__(self):
        self.bars = []


LEDGER = Ledger()


class Shares(Strategy):
    """Keeps in its module what belongs into itself: in `on_start`, or in its hook too."""

    way: int = 0
    begun = []

    def on_start(self, account):
        global COUNT
        COUNT += 1
        TABLE["sets"] += 1
        self.begun.append(COUNT)
        self.units = float(COUNT + TABLE["sets"] + len(self.begun) + len(LEVELS) + len(LEDGER.bars))

    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = self.units


class SharesInHook(Shares):
    def on_aggregate_bar(self, bar, account):
        LEVELS.append(bar.close)
        LEDGER.bars.append(bar.close)
        account.target[bar.i] = self.units + len(LEVELS) % 3


class Begins(Strategy):
    """Appends to a list of its class when it begins."""

    way: int = 0
    begun = []

    def on_start(self, account):
        self.begun.append(1.0)

    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = float(len(self.begun))


class Wide(Strategy):
    """One way it does not compile, for more than 64 bits, and changes its module."""

    way: int = 0

    def on_start(self, account):
        self.units = 1.0
        if self.way:
            self.huge = 10**30
            LEVELS.append(1.0)

    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = self.units


class Meets(Strategy):
    """Way 1 keeps a price in its module and runs per event; it waits there until way 0 has begun, in another thread."""

    way: int = 3

    def on_start(self, account):
        self.units = 1.0
        if self.way == 1:
            self.huge = 10**30
        if self.way == 2:
            ON_THE_WAY.wait(0.5)
        if self.way == 0:
            BEGUN.set()

    def on_aggregate_bar(self, bar, account):
        if self.way == 1 and len(LEVELS) == 1:
            LEVELS.append(bar.close)
            ON_THE_WAY.set()
            BEGUN.wait(0.5)
        account.target[bar.i] = float(len(LEVELS))


class Unsized(Strategy):
    """Wants no number of units."""

    scale: float = 1.0

    def on_aggregate_bar(self, bar, account):
        account.target[bar.i] = (self.scale * 1e300) * 1e300
'''


def walk(seed: int, n: int, name: str = "A") -> Bars:
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close) * 1.004, np.minimum(opened, close) * 0.996
    opens = START + HOUR * np.arange(n)
    return Bars(name, opens + HOUR, opens, np.stack([opened, high, low, close, np.full(n, 1000.0)]))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("strategies") / "others.py"
    path.write_text(OTHERS)
    return path


@pytest.fixture(scope="module")
def cache() -> Path:
    return cache_folder()


def outcomes(sweep: Sweep, sets: list[dict[str, Any]], jobs: int = 1) -> list[Outcome]:
    pairs = list(run_sets(sweep, sets, jobs=jobs))
    assert [dict(chosen) for chosen, _ in pairs] == sets
    return [outcome for _, outcome in pairs]


def by_single_runs(sweep: Sweep, sets: list[dict[str, Any]]) -> list[list[float]]:
    """Equity, fills, drawdown, mean and deviation of daily returns, from the curve of a backtest per event."""
    rows = []
    for chosen in sets:
        result = backtest(load_strategy(sweep.strategy)(**chosen), sweep.bars, sweep.terms, mode="events")
        curve = np.concatenate(([sweep.terms.cash], result.equity))
        drawdown = float(np.max(1.0 - curve / np.maximum.accumulate(curve)))
        days = (result.times - 1) // DAY  # midnight ends a day
        closing = [result.equity[days == day][-1] for day in np.unique(days)]
        change = np.diff([sweep.terms.cash, *closing]) / np.array([sweep.terms.cash, *closing[:-1]])
        change = change if change[0] else change[1:]
        rows.append([result.equity[-1], len(result.fills), drawdown, np.mean(change), np.std(change, ddof=1)])
    return rows


@pytest.mark.parametrize("mode", ["compiled", "events"])
@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("sma_cross", [{"fast": fast, "slow": slow} for fast in (2, 5) for slow in (7, 30, 12)]),
        ("Brackets", [{"distance": distance} for distance in (0.004, 0.02, 0.01, 0.004)]),
        ("Rotation", [{"back": back} for back in (5, 1, 40)]),
        ("Early", [{"size": size, "way": way} for way in (0, 1, 2) for size in (1.0, 3.0, 7.0)]),
    ],
)
def test_a_set_comes_to_what_a_single_run_does(
    name: str, sets: list[dict[str, Any]], mode: str, others: Path, cache: Path
) -> None:
    named = name if name == "sma_cross" else f"{others}:{name}"
    bars = [walk(1, 500), walk(2, 500, "B"), walk(3, 400, "C")]
    sweep = Sweep(named, {}, bars, Terms(cash=1_000.0, fee=parse_fee("percent:0.1")), mode, cache)
    found = outcomes(sweep, sets)
    rows = [[one.equity, one.fills, one.drawdown, one.mean, one.deviation] for one in found]
    expected = by_single_runs(sweep, sets)
    assert [row[:2] for row in rows] == [row[:2] for row in expected]
    np.testing.assert_allclose(rows, expected, rtol=1e-9, atol=1e-12)
    assert min(row[1] for row in rows) > 0


@pytest.mark.parametrize(("name", "mode"), [("Shares", "events"), ("SharesInHook", "events"), ("Begins", "compiled")])
def test_what_one_set_leaves_in_its_module_or_class_another_does_not_see(
    name: str, mode: str, others: Path, cache: Path
) -> None:
    sweep = Sweep(f"{others}:{name}", {}, [walk(1, 30)], Terms(cash=1e5), "auto", cache)
    how, reason = mode_of(sweep, [{"way": 0}])
    assert (how, "COUNT" in str(reason) or "TABLE" in str(reason)) == (mode, name == "Shares")
    alone, *rest = outcomes(replace(sweep, mode=mode), [{"way": way} for way in range(3)])
    assert alone.skipped is None
    assert rest == [alone] * 2
    fresh = load_strategy(f"{others}:{name}", fresh=True)
    assert alone.equity == backtest(fresh(), sweep.bars, sweep.terms, mode="events").equity[-1]


def test_compiled_sets_that_share_their_module_are_not_run(others: Path, cache: Path) -> None:
    sweep = Sweep(f"{others}:Shares", {}, [walk(1, 30)], Terms(cash=1e5), "compiled", cache)
    [found] = outcomes(sweep, [{"way": 0}])
    assert "which compiled sets share; keep it in self" in str(found.skipped)


def test_a_set_that_goes_on_per_event_among_compiled_ones_may_not_change_what_they_share(
    others: Path, cache: Path
) -> None:
    sweep = Sweep(f"{others}:Wide", {}, [walk(1, 30)], Terms(cash=1e5), "auto", cache)
    before, wide, after = outcomes(sweep, [{"way": way} for way in (0, 1, 0)])
    assert "it changed" in str(wide.skipped)
    assert "LEVELS, which compiled sets share; keep it in self" in str(wide.skipped)
    assert before == after
    assert (before.skipped, before.fills) == (None, 1)


def test_a_set_that_runs_per_event_in_a_thread_has_its_module_for_itself(others: Path, cache: Path) -> None:
    sweep = Sweep(f"{others}:Meets", {}, [walk(1, 30)], Terms(cash=1e5), "auto", cache)
    ways = [1, *[3] * (CHUNK - 1), 2, 0]  # the first worker's chunk, and the second's
    found = outcomes(sweep, [{"way": way} for way in ways], jobs=2)
    assert "it changed" in str(found[0].skipped)  # not put back by another set's beginning, nor seen by that
    assert {one.skipped for one in found[1:]} == {None}
    assert len({one.equity for one in found[1:]}) == 1


def test_sets_of_one_call_that_fill_their_journals_come_to_what_single_runs_do(others: Path, cache: Path) -> None:
    bars, sets = [walk(3, 2 * CAPACITY + 1_000)], [{"every": every} for every in (3, 1, 5_000, 1)]
    sweep = Sweep(f"{others}:Restless", {}, bars, Terms(cash=1_000.0), "compiled", cache)
    found, expected = outcomes(sweep, sets), by_single_runs(sweep, sets)
    assert [[one.equity, one.fills] for one in found] == [row[:2] for row in expected]
    assert found[1].fills > 2 * CAPACITY
    assert found[1] == found[3]


@pytest.mark.parametrize("mode", ["compiled", "events"])
def test_the_outcomes_are_the_same_whatever_the_workers(mode: str, cache: Path) -> None:
    sets = [{"fast": 1 + k % 9, "slow": 10 + k // 9} for k in range(90)]
    sweep = Sweep("sma_cross", {"size": 2.0}, [walk(5, 300)], Terms(cash=1_000.0), mode, cache)
    assert outcomes(sweep, sets, 1) == outcomes(sweep, sets, 3)


def test_modes_agree_to_the_bit(cache: Path) -> None:
    sets = [{"fast": fast, "slow": slow} for fast in range(1, 6) for slow in range(6, 26, 3)]
    runs = [
        outcomes(Sweep("sma_cross", {}, [walk(6, 400)], Terms(cash=1_000.0), mode, cache), sets)
        for mode in ("compiled", "events")
    ]
    assert runs[0] == runs[1]


def test_a_set_that_the_constructor_refuses_is_skipped_with_the_reason(cache: Path) -> None:
    sets = [{"fast": 9, "slow": 9}, {"fast": 2, "slow": 9}]
    found = outcomes(Sweep("sma_cross", {}, [walk(1, 60)], Terms(), "compiled", cache), sets)
    assert "expected 1 <= fast < slow, was fast 9 and slow 9" in str(found[0].skipped)
    assert math.isnan(found[0].equity)
    assert found[1].skipped is None


@pytest.mark.parametrize("mode", ["compiled", "events"])
def test_a_set_that_raises_is_skipped_and_the_others_go_on(mode: str, others: Path, cache: Path) -> None:
    sweep = Sweep(f"{others}:Broken", {}, [walk(1, 60)], Terms(), mode, cache)
    found = outcomes(sweep, [{"by": 1}, {"by": 0}, {"by": 1}])
    assert "division by zero" in str(found[1].skipped)
    assert found[0] == found[2]
    assert found[0].fills == 1


@pytest.mark.parametrize("mode", ["compiled", "events"])
def test_a_set_that_wants_no_number_of_units_is_skipped(mode: str, others: Path, cache: Path) -> None:
    sweep = Sweep(f"{others}:Unsized", {}, [walk(1, 60)], Terms(), mode, cache)
    [one, two] = outcomes(sweep, [{"scale": 1.0}, {"scale": 0.0}])
    assert "finite number of units" in str(one.skipped)
    assert two.skipped is None


def test_what_does_not_compile_runs_per_event_and_says_why(others: Path, cache: Path) -> None:
    sweep = Sweep(f"{others}:Worded", {}, [walk(1, 60)], Terms(), "auto", cache)
    mode, reason = mode_of(sweep, [{"count": 1}])
    assert mode == "events"
    assert "others.py" in str(reason)
    with pytest.raises(NotCompilable, match=r"others\.py"):
        mode_of(Sweep(f"{others}:Worded", {}, [walk(1, 60)], Terms(), "compiled", cache), [{"count": 1}])
    assert mode_of(Sweep("sma_cross", {}, [walk(1, 60)], Terms(), "auto", cache), [{"fast": 0}, {"fast": 2}]) == (
        "compiled",
        None,
    )


def test_axes_are_every_combination_of_ranges_and_choices() -> None:
    varied = axes(SmaCross, ["fast=5:8", "slow=30:50:10"], ["size=1,2.5"])
    assert varied == {"fast": [5, 6, 7], "slow": [30, 40], "size": [1.0, 2.5]}
    sets = list(combinations(varied))
    assert len(sets) == 12
    assert sets[:3] == [
        {"fast": 5, "slow": 30, "size": 1.0},
        {"fast": 5, "slow": 30, "size": 2.5},
        {"fast": 5, "slow": 40, "size": 1.0},
    ]


def test_a_range_of_floats_ends_before_its_stop_though_steps_round() -> None:
    """0.1 three times is a little over 0.3 in floats, and so is 0.7 + 0.1 a little under 0.8."""
    assert axes(SmaCross, ["size=0:0.3:0.1"], [])["size"] == pytest.approx([0.0, 0.1, 0.2])
    assert axes(SmaCross, ["size=0.5:0.8:0.1"], [])["size"] == pytest.approx([0.5, 0.6, 0.7])


@pytest.mark.parametrize(
    ("ranges", "choices", "told"),
    [
        ([], [], "expected --range name=start:stop:step or --choices"),
        (["fast"], [], "--range: expected name=start:stop:step, found 'fast'"),
        (["fast=5"], [], "parameter fast: expected start:stop:step"),
        (["fast=5:4"], [], "expected a stop above the start"),
        (["fast=5:9:0"], [], "expected a stop above the start and a step above 0"),
        (["fast=5:9:0.5"], [], "parameter fast: expected int, found '0.5'"),
        (["fsat=5:9"], [], "parameter fsat: expected one of fast, slow, size"),
        (["fast=5:9"], ["fast=1,2"], "parameter fast: expected it once"),
        ([], ["fast=1,1"], "expected different values"),
        (["size=0:1:1e-9"], [], "at most 10,000,000 values"),
        (["size=0:inf:1"], [], "expected numbers"),
    ],
)
def test_bad_ranges_are_refused(ranges: list[str], choices: list[str], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        axes(SmaCross, ranges, choices)


def test_what_a_sweep_held_is_free_when_it_is_over_without_a_collection_of_garbage(cache: Path) -> None:
    """Its bars and the columns of its indicators, up to 64 MB, stood beside those of the next one."""
    runner = Runner(Sweep("sma_cross", {}, [walk(1, 60)], Terms(), "compiled", cache))
    runner.run_all([{"fast": 2, "slow": 5}, {"fast": 3, "slow": 5}])
    held = weakref.ref(runner)
    gc.disable()
    try:
        del runner
        assert held() is None
    finally:
        gc.enable()
