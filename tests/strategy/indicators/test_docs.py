"""The page on indicators is true: each class has its row, with its parameters and the bar it is there at."""

import inspect
import math
import random
import re
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.strategy import indicators as ind
from tests.strategy.indicators.test_candles import METHODS

PAGE = (Path(__file__).parents[3] / "docs" / "indicators.md").read_text()
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in PAGE.splitlines()
    if re.match(r"\| `\w+\(.*\)` \|", line)
]
LENGTH_WITHOUT_DEFAULT = 7


def test_each_class_has_its_row() -> None:
    assert sorted(row[0].split("(")[0].strip("`") for row in ROWS) == sorted(ind.__all__)
    assert f"{len(ind.__all__)} classes" in PAGE


def test_each_pattern_is_listed() -> None:
    listed = re.findall(
        r"`(\w+)`", "".join(re.findall(r"\| (?:one candle|two|three or four|five, .*?) \| (.*) \|", PAGE))
    )
    assert sorted(listed) == sorted(METHODS.values())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_true(row: list[str]) -> None:
    call, takes, outputs, first, ready = (cell.strip("`") for cell in row[:5])
    kind: Any = getattr(ind, call.split("(")[0])
    signature = inspect.signature(kind)
    declared = [p.name if p.default is p.empty else f"{p.name}={p.default}" for p in signature.parameters.values()]
    assert call == f"{kind.__name__}({', '.join(declared)})"
    parameters = {
        p.name: LENGTH_WITHOUT_DEFAULT if p.default is p.empty else p.default for p in signature.parameters.values()
    }
    indicator = kind(**parameters)
    fields = list(inspect.signature(indicator.update).parameters)
    assert takes == ", ".join(fields)
    assert all(hasattr(indicator, name) for name in re.findall(r"\w+", outputs))
    if first == "by the bars":
        return
    # The page is ours, and its figures are what is tested.
    names = {"isqrt": math.isqrt, "max": max} | parameters
    value_at = eval(first, {}, names)
    assert (value_at, eval(ready, {}, names) if ready else value_at) == bars_until(indicator, fields)


def bars_until(indicator: Any, fields: list[str]) -> tuple[int, int]:
    """After how many random bars there is a value, and after how many all outputs are there."""
    prices = random.Random(1)
    value_at = 0
    for count in range(1, 300):
        low, open_, close, high = sorted(prices.uniform(90, 110) for _ in range(4))
        bar = {"open": open_, "high": high, "low": low, "close": close, "value": close, "x": high, "y": low}
        indicator.update(*(bar.get(field, 3.0) for field in fields))
        if not value_at and not math.isnan(indicator.value):
            value_at = count
        if indicator.ready:
            return value_at, count
    return value_at, 0
