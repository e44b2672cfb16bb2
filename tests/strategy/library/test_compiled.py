"""Every strategy of the library compiles, and does compiled what it does per event, to the bit."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.engine.precomputed_indicators import find_precomputed_indicators
from strades_pipelines.simulation.runner import Runner, Sweep
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.registry import strategies
from tests.strategy.both import cache_folder
from tests.strategy.library.data import packaged
from tests.strategy.library.running import TERMS, run

# Those that compare instruments, and one whose state is a list of objects of floats; the others are compiled for one.
SEVERAL = ("dual_momentum", "heikin_ashi_trend", "momentum_rotation", "pairs_zscore", "risk_parity")
IDLE = ("time_of_day",)  # daily bars all close at midnight
# Those whose indicators depend on more than bars, and so are not updated ahead in a sweep.
OTHERS = {
    *("buy_and_hold", "dollar_cost_averaging", "donchian_breakout", "dual_momentum", "follow_prediction"),
    *("inside_bar_bracket", "momentum_rotation", "news_trend", "opening_gap", "pairs_zscore", "risk_parity"),
    *("time_of_day", "trade_imbalance", "volatility_target"),
}


@pytest.mark.parametrize("name", sorted(strategies()))
def test_compiled_is_per_event(name: str) -> None:
    symbols = ("AAPL", "IBM", "MSFT") if name in SEVERAL else ("AAPL",)
    bars = [packaged(symbol, "2006-01-01") for symbol in symbols]
    compiled = run(strategies()[name](), bars, mode="compiled", cache=cache_folder())
    events = run(strategies()[name](), bars)
    assert compiled.mode == "compiled"
    for kind in ("fills", "decisions", "orders", "times", "equity", "gross"):
        np.testing.assert_array_equal(getattr(compiled, kind), getattr(events, kind), err_msg=kind)
    assert len(events.fills) > 0 or name in IDLE


@pytest.mark.parametrize("name", sorted(set(strategies()) - OTHERS))
def test_updated_ahead_it_comes_to_what_it_does_per_event(name: str) -> None:
    bars, strategy = [packaged("AAPL", "2006-01-01")], strategies()[name]()
    runs = [Runner(Sweep(name, {}, bars, TERMS, mode, cache_folder())).run({}) for mode in ("compiled", "events")]
    assert runs[0] == runs[1]
    assert runs[0].fills > 0
    strategy.on_start(Account(1, 1.0))
    assert find_precomputed_indicators(shape_of(strategy), True, cache_folder())


@pytest.mark.parametrize("name", sorted(strategies()))
def test_a_strategy_is_a_short_file_that_says_what_it_does(name: str) -> None:
    cls = strategies()[name]
    lines = Path(inspect.getfile(cls)).read_text().splitlines()
    assert len(lines) < 60
    assert Path(inspect.getfile(cls)).stem == name
    assert cls.__doc__
    assert {"explain"} <= set(vars(cls))


def test_there_are_at_least_twenty() -> None:
    assert len(strategies()) >= 20
