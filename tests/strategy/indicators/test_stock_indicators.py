"""Equal, within 1e-9, to what Stock.Indicators (Skender) expects of itself on its two years of bars."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strades_pipelines.strategy import indicators as ind
from tests.strategy.indicators.feeding import fed, read_bars

HLC = "high low close"
EXPECTED: list[tuple[str, Any, str, dict[str, str]]] = [
    ("sma", ind.Sma(20), "close", {"sma": "value"}),
    ("ema", ind.Ema(20), "close", {"ema": "value"}),
    ("wma", ind.Wma(14), "close", {"wma": "value"}),
    ("smma", ind.Smma(20), "close", {"smma": "value"}),
    ("rsi", ind.Rsi(14), "close", {"rsi": "value"}),
    ("macd", ind.Macd(12, 26, 9), "close", {"macd": "value", "signal": "signal", "histogram": "histogram"}),
    ("macd", ind.Ema(12), "close", {"fastEma": "value"}),
    ("macd", ind.Ema(26), "close", {"slowEma": "value"}),
    (
        "bb",
        ind.Bollinger(20, 2),
        "close",
        {"sma": "middle", "upperBand": "upper", "lowerBand": "lower", "percentB": "percent_b", "width": "width"},
    ),
    ("bb", ind.ZScore(20), "close", {"zScore": "value"}),
    ("atr", ind.Atr(14), HLC, {"atr": "value", "atrp": "percent"}),
    ("tr", ind.TrueRange(), HLC, {"tr": "value"}),
    ("roc", ind.Roc(14), "close", {"roc": "value"}),
    ("roc", ind.Momentum(14), "close", {"momentum": "value"}),
    ("stdev", ind.StandardDeviation(14), "close", {"stdDev": "value", "mean": "mean"}),
    ("stdev", ind.ZScore(14), "close", {"zScore": "value"}),
    ("obv", ind.Obv(), "close volume", {"obv": "value"}),
    ("stoch", ind.Stochastic(14, 3, 3), HLC, {"oscillator": "value", "signal": "d", "percentJ": "j"}),
    ("vwap", ind.Vwap(), "high low close volume", {"vwap": "value"}),
    (
        "heikinashi",
        ind.HeikinAshi(),
        "open high low close",
        {"open": "open", "high": "high", "low": "low", "close": "close"},
    ),
]


@pytest.mark.parametrize(("file", "indicator", "columns", "fields"), EXPECTED)
def test_equals_the_published_results(
    shared_data: Path, file: str, indicator: Any, columns: str, fields: dict[str, str]
) -> None:
    bars = read_bars(shared_data / "ohlcv/equity/stockindicators_default_1d.csv.gz")
    with gzip.open(shared_data / f"expected/indicators/{file}.json.gz", "rt") as stream:
        expected = json.load(stream)
    results = fed(indicator, [bars[name] for name in columns.split()], list(fields.values()))
    for field, result in zip(fields, results, strict=True):
        theirs = np.array([np.nan if row[field] is None else row[field] for row in expected], np.float64)
        np.testing.assert_allclose(result, theirs, rtol=1e-9, atol=1e-11, equal_nan=True, err_msg=field)


def test_none_of_the_files_is_left_out(shared_data: Path) -> None:
    files = {path.name.split(".")[0] for path in (shared_data / "expected/indicators").glob("*.json.gz")}
    assert files == {file for file, *_ in EXPECTED}
