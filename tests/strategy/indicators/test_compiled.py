"""Each indicator compiles and is the same as per event to the bit: where bars move, stand still, lack numbers."""

from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.simulation.backtest import backtest
from tests.compiler.harness import Compiled, bits, in_python, module_of
from tests.strategy.indicators.catalog import EACH, FIELDS
from tests.strategy.library.data import packaged

HOOK = """
from strades_pipelines.strategy.events import Bar
from tests.compiler.harness import Stepped


class Fed(Stepped):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def on_bar(self, bar: Bar) -> None:
        self.out = self.part.update({inputs})
        self.flag = self.part.ready
"""
STRATEGY = """
from strades_pipelines.strategy.indicators import SuperTrend
from strades_pipelines.strategy.indicators.prices import typical_price
from strades_pipelines.strategy.strategy import Strategy


class Trailed(Strategy):
    def on_start(self, account):
        self.lines = [SuperTrend(10, 3.0) for _ in range(account.size)]

    def on_aggregate_bar(self, bar, account):
        line = self.lines[bar.i]
        line.update(bar.high, bar.low, bar.close)
        if line.rising and typical_price(bar.high, bar.low, bar.close) > line.value:
            account.target[bar.i] = 10.0
        elif not line.rising:
            account.target[bar.i] = 0.0
"""


def rows() -> list[list[float]]:
    """200 bars, among them 30 without any change or volume, one without a close and one without a volume."""
    random = np.random.default_rng(5)
    close = np.round(100 + np.cumsum(random.normal(size=200)), 2)
    high, low = close + random.integers(0, 3, 200), close - random.integers(0, 3, 200)
    bars = np.stack([np.round((high + low) / 2, 2), high, low, close, random.integers(1, 6, 200)]).astype(np.float64)
    bars[:4, 100:130] = bars[3, 100]
    bars[4, 100:130] = 0.0
    bars[3, 150] = bars[4, 160] = np.nan
    return [list(map(float, bar)) for bar in bars.T]


@pytest.mark.parametrize("name", sorted(EACH))
def test_compiled_is_the_same_to_the_bit(tmp_path: Path, name: str) -> None:
    make, fields = EACH[name]
    module = module_of(HOOK.format(inputs=", ".join(f"bar.{FIELDS[field]}" for field in fields)), tmp_path)
    expected, compiled = module.Fed(make()), module.Fed(make())
    assert Compiled(compiled, tmp_path).run(compiled, rows()) == in_python(expected, rows())
    assert bits(compiled) == bits(expected)
    assert expected.flag


def test_a_strategy_of_them_compiles_by_itself(tmp_path: Path) -> None:
    bars = [packaged("GOOG", "2006-01-01")]
    module = module_of(STRATEGY, tmp_path)
    compiled = backtest(module.Trailed(), bars, cache=tmp_path)
    assert compiled.mode == "compiled"
    per_event = backtest(module.Trailed(), bars, mode="events")
    assert len(compiled.fills) > 10
    assert compiled.fills.tobytes() == per_event.fills.tobytes()
    np.testing.assert_array_equal(compiled.equity, per_event.equity)
