import csv
import gzip
import json
import math
from pathlib import Path

import pytest

from strades_pipelines.strategy.indicators import Sma


def test_the_average_of_a_real_series_is_as_published(shared_data: Path) -> None:
    with gzip.open(shared_data / "ohlcv/equity/stockindicators_default_1d.csv.gz", "rt") as file:
        closes = [float(row["close"]) for row in csv.DictReader(file)]
    with gzip.open(shared_data / "expected/indicators/sma.json.gz", "rt") as file:
        expected = [row["sma"] for row in json.load(file)]
    sma = Sma(20)
    for close, value in zip(closes, expected, strict=True):
        average = sma.update(close)
        assert math.isnan(average) if value is None else average == pytest.approx(value, rel=1e-12)
        assert sma.ready == (value is not None)


def test_what_came_before_the_window_leaves_no_trace() -> None:
    warmed, fresh = Sma(3), Sma(3)
    for value in (1e17, 0.1, -1e17):
        warmed.update(value)
    assert [warmed.update(v) for v in (0.1, 0.2, 0.3)][-1] == [fresh.update(v) for v in (0.1, 0.2, 0.3)][-1]


def test_a_window_needs_a_length() -> None:
    with pytest.raises(ValueError, match="expected 1 or more, was 0"):
        Sma(0)
