"""Candlestick patterns are TA-Lib's: the same sign at each bar, on real bars and on random ones rich in patterns."""

import math
from pathlib import Path

import numpy as np
import pytest
import talib

from strades_pipelines.strategy.indicators.candle_patterns import CandlePatterns
from tests.compiler.harness import Compiled, bits, in_python, module_of
from tests.strategy.indicators.feeding import read_bars

# TA-Lib's names of those that are named otherwise here.
OTHERWISE = {
    "CDLTWOCROWS": "CDL2CROWS",
    "CDLTHREEBLACKCROWS": "CDL3BLACKCROWS",
    "CDLIDENTICALTHREECROWS": "CDLIDENTICAL3CROWS",
    "CDLTHREEINSIDE": "CDL3INSIDE",
    "CDLTHREEOUTSIDE": "CDL3OUTSIDE",
    "CDLTHREESTARSINSOUTH": "CDL3STARSINSOUTH",
    "CDLTHREEWHITESOLDIERS": "CDL3WHITESOLDIERS",
    "CDLTHREELINESTRIKE": "CDL3LINESTRIKE",
    "CDLUPSIDEGAPTWOCROWS": "CDLUPSIDEGAP2CROWS",
    "CDLUNIQUETHREERIVER": "CDLUNIQUE3RIVER",
    "CDLGAPTHREEMETHODS": "CDLXSIDEGAP3METHODS",
    "CDLCONCEALINGBABYSWALLOW": "CDLCONCEALBABYSWALL",
    "CDLTHREEMETHODS": "CDLRISEFALL3METHODS",
}
LEFT_OUT = {"CDLHIKKAKE", "CDLHIKKAKEMOD"}
FUNCTIONS = [name for name in dir(talib) if name.startswith("CDL") and name not in LEFT_OUT]
# A bar later than the last that TA-Lib begins with: where it reads one candle more than it compares, it begins later.
BEGIN = 16
# Open, high, low, close of five candles after 20 of body 2 and range 4: those that random bars do not come to.
BY_HAND: dict[str, list[tuple[float, ...]]] = {
    "CDLBREAKAWAY": [
        (100, 105, 99, 104),
        (106, 109, 105, 108),
        (108, 111, 107, 110),
        (109, 113, 108, 112),
        (112, 113, 104, 105),
    ],
    "CDLMATHOLD": [
        (100, 105, 99, 104),
        (106, 107, 104.5, 105),
        (104.5, 105, 103, 103.5),
        (104, 104.2, 102.8, 103),
        (104, 109, 103, 108),
    ],
    "CDLCONCEALBABYSWALL": [(110, 110, 106, 106), (105, 105, 100, 100), (98, 101, 96, 97), (99, 102, 90, 95)],
}
METHODS = {
    OTHERWISE.get(key, key): name
    for name in vars(CandlePatterns) | vars(CandlePatterns.__base__) | vars(CandlePatterns.__mro__[2])
    if (key := "CDL" + name.replace("_", "").upper()) in FUNCTIONS or key in OTHERWISE
}
HOOK = """
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators.candle_patterns import CandlePatterns
from tests.compiler.harness import Stepped


class Fed(Stepped):
    def __init__(self):
        super().__init__()
        self.candles = CandlePatterns()

    def on_bar(self, bar: Bar) -> None:
        candles = self.candles
        candles.update(bar.open, bar.high, bar.low, bar.close)
        self.whole = 100 * self.whole % 1000003 + candles.hammer() + 3 * candles.engulfing()
        self.whole += 9 * candles.morning_star()
        self.flag = candles.ready
"""


def random_rows(count: int) -> list[list[float]]:
    """Bars of few sizes of bodies, shadows and gaps, so that some are equal, near or far."""
    random = np.random.default_rng(1)
    rows, price = [], 100.0
    for _ in range(count):
        open_ = round(price + random.choice([0, 0, 0, 1, -1, 2.5, -2.5, 0.25]) * random.choice([0.1, 0.5, 1]), 2)
        close = round(open_ + random.choice([0, 0.05, 0.3, 1, 2, 3]) * random.choice([-1, 1]), 2)
        high = max(open_, close) + random.choice([0, 0, 0, 0.05, 0.5, 2])
        rows.append([open_, high, min(open_, close) - random.choice([0, 0, 0, 0.05, 0.5, 2]), close])
        price = close
    return rows


def signs(rows: list[list[float]]) -> dict[str, list[int]]:
    """Of each pattern, by TA-Lib's name: what it returns after each bar."""
    candles = CandlePatterns()
    seen: dict[str, list[int]] = {function: [] for function in METHODS}
    for row in rows:
        candles.update(*row)
        for function, method in METHODS.items():
            seen[function].append(getattr(candles, method)())
    return seen


def assert_same(rows: list[list[float]]) -> set[str]:
    """Compares each pattern with TA-Lib's; returns those that were seen."""
    ours, columns = signs(rows), np.array(rows).T
    for function, seen in ours.items():
        theirs = np.sign(getattr(talib, function)(*columns))
        np.testing.assert_array_equal(seen[BEGIN:], theirs[BEGIN:], err_msg=function)
    return {function for function, seen in ours.items() if any(seen[BEGIN:])}


def test_there_is_a_method_for_each_of_talibs_but_two() -> None:
    assert sorted(METHODS) == sorted(FUNCTIONS)
    assert len(METHODS) == 59


def test_patterns_of_random_bars() -> None:
    assert len(assert_same(random_rows(6000))) > 50


@pytest.mark.parametrize("file", ["equity/stockindicators_default_1d", "crypto/coinbase_btcusd_1s"])
def test_patterns_of_real_bars(shared_data: Path, file: str) -> None:
    bars = read_bars(shared_data / f"ohlcv/{file}.csv.gz")
    columns = np.stack([bars[name] for name in ("open", "high", "low", "close")])
    assert len(assert_same(columns.T[:1500].tolist())) > 20


@pytest.mark.parametrize("function", sorted(BY_HAND))
def test_patterns_that_are_rare(function: str) -> None:
    before = [[101.0, 104.0, 100.0, 103.0] if k % 2 else [103.0, 104.0, 100.0, 101.0] for k in range(20)]
    assert function in assert_same(before + [list(map(float, row)) for row in BY_HAND[function]])


def test_a_bar_with_a_nan_is_no_candle() -> None:
    rows = random_rows(40)
    assert (
        signs([*rows[:30], [100.0, math.nan, 99.0, 100.0], *rows[30:]])["CDLDOJI"][31:] == signs(rows)["CDLDOJI"][30:]
    )


def test_compiled_patterns_are_the_same(tmp_path: Path) -> None:
    module = module_of(HOOK, tmp_path)
    expected, compiled = module.Fed(), module.Fed()
    rows = [[*row, 1.0] for row in random_rows(400)]
    assert Compiled(compiled, tmp_path).run(compiled, rows) == in_python(expected, rows)
    assert bits(compiled) == bits(expected)
    assert expected.flag
