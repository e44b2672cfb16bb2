"""Features of a bundle: columns as long as the bars, and none that a later bar changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.research.backtest_inputs import DataChoice
from strades_pipelines.sharing.feature_run import columns_without_look_ahead
from strades_pipelines.simulation.backtest import Bars
from tests.research.bars import CLOSES


@pytest.fixture
def wave(shop: Path) -> Bars:
    """The bars of the wave."""
    [bars] = DataChoice(files=[str(shop / "wave.csv")]).bars()
    return bars


@pytest.mark.parametrize(
    "column",
    [
        lambda closes: closes / closes.mean(),
        lambda closes: np.roll(closes, -1),
        lambda closes: np.where(np.arange(len(closes)) + 1 < len(closes), closes, np.nan),
    ],
)
def test_a_column_that_later_bars_change_looks_ahead(wave: Bars, column: Callable[[Any], Any]) -> None:
    with pytest.raises(BadInput, match=r"wave: ahead: bar \d+ has .* where only \d+ bars are known: it looks ahead"):
        columns_without_look_ahead(lambda bars: {"fine": bars.prices[3], "ahead": column(bars.prices[3])}, wave)


def test_what_a_function_writes_into_the_bars_is_nowhere_else(wave: Bars) -> None:
    def greedy(bars: Bars) -> dict[str, Any]:
        closes = bars.prices[3].copy()
        bars.prices[:], bars.time[:] = 0.0, 0
        return {"close": closes}

    assert columns_without_look_ahead(greedy, wave)["close"].tolist() == CLOSES
    assert wave.prices[3].tolist() == CLOSES


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "expected columns by the names of 1 to 1000 features"),
        ({}, "expected columns by the names of 1 to 1000 features"),
        ({"a": [1.0]}, r"a: expected 120 values, found the shape \(1,\)"),
        ({"a\nb": CLOSES}, "expected a short name of a feature"),
    ],
)
def test_what_is_no_column_is_refused(wave: Bars, given: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        columns_without_look_ahead(lambda _: given, wave)
