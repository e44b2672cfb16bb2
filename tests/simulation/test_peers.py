"""The workloads on which other engines were measured: the same fills and the same money to the cent, in both modes.

The expected figures are those that vectorbt, backtrader, zipline and a bare NumPy loop came to on this data; no fees.
"""

import numpy as np
import pytest

from benchmarks.engine_data import BARS, CASH, DAYS, INSTRUMENTS, PAIRS, SWEPT, Floats, walk
from strades_pipelines.simulation.backtest import Bars, Terms, backtest
from strades_pipelines.simulation.runner import Sweep
from strades_pipelines.simulation.sweep import run_sets
from strades_pipelines.strategy.library.sma_cross import SmaCross
from tests.strategy.both import cache_folder
from tests.strategy.builders import MINUTE_US

TERMS = Terms(cash=CASH, limits={"leverage": 1.0, "allow_short": False})
MODES = ("events", "compiled")


@pytest.fixture(scope="module")
def walks() -> tuple[list[Bars], list[Bars]]:
    """A million minutes of one instrument, and ten years of days of a hundred."""
    rng = np.random.default_rng(42)
    one = bars_of(walk(rng, BARS, 0.0005), "w1", MINUTE_US)
    return [one], [bars_of(walk(rng, DAYS, 0.02), f"w2-{k}", 1_440 * MINUTE_US) for k in range(INSTRUMENTS)]


def bars_of(rows: Floats, name: str, step: int) -> Bars:
    time = (np.arange(len(rows), dtype=np.int64) + 1) * step
    return Bars(name, time, time - step, np.ascontiguousarray(rows.T))


@pytest.mark.parametrize("mode", MODES)
def test_one_instrument(walks: tuple[list[Bars], list[Bars]], mode: str) -> None:
    ran = backtest(SmaCross(fast=10, slow=30), walks[0], TERMS, mode=mode, cache=cache_folder())
    assert (len(ran.fills), float(ran.equity[-1]) - CASH) == (39_205, -469.875)


@pytest.mark.parametrize("mode", MODES)
def test_a_hundred_instruments(walks: tuple[list[Bars], list[Bars]], mode: str) -> None:
    ran = backtest(SmaCross(fast=10, slow=30), walks[1], TERMS, mode=mode, cache=cache_folder())
    assert (len(ran.fills), float(ran.equity[-1]) - CASH) == (9_685, -2_749.375)


@pytest.mark.parametrize(
    ("mode", "pairs", "fills", "profit"), [("events", 2, 5_963, -64.125), ("compiled", 400, 861_553, -1_198.875)]
)
def test_many_parameters(
    walks: tuple[list[Bars], list[Bars]], mode: str, pairs: int, fills: int, profit: float
) -> None:
    [whole] = walks[0]
    part = Bars("w3", whole.time[:SWEPT], whole.open_time[:SWEPT], np.ascontiguousarray(whole.prices[:, :SWEPT]))
    sets = [{"fast": fast, "slow": slow} for fast, slow in (PAIRS[int(k)] for k in np.linspace(0, 399, pairs))]
    sweep = Sweep("sma_cross", {}, [part], TERMS, mode, cache_folder())
    outcomes = [outcome for _, outcome in run_sets(sweep, sets)]
    assert sum(each.fills for each in outcomes) == fills
    assert sum(each.equity - CASH for each in outcomes) == profit
