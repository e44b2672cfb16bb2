"""Equal to the tables of StockCharts' ChartSchool, as kept by bukosabino/ta, to the digits they print.

The tables of RSI and ATR seed otherwise than Wilder's book: with nothing, and with the first bar's high - low. Bars of
no change before the first give our indicators that seed, and then every row must agree.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from strades_pipelines.strategy.indicators import Atr, Bollinger, Ema, Macd, Obv, Roc, Rsi, StochRsi, TrueRange
from tests.strategy.indicators.feeding import Column, fed


@pytest.fixture
def tables(shared_data: Path) -> Path:
    return shared_data / "expected/chartschool"


def column(table: pd.DataFrame, name: str) -> Column:
    return table[name].to_numpy(np.float64)


def after_no_change(values: Column, count: int) -> Column:
    return np.concatenate([np.full(count, values[0]), values])


def test_rsi(tables: Path) -> None:
    table = pd.read_csv(tables / "cs-rsi.csv")
    (result,) = fed(Rsi(14), [after_no_change(column(table, "Close"), 14)])
    np.testing.assert_allclose(result[14 + 14 :], column(table, "RSI")[14:], atol=1e-4)


def test_stochastic_rsi(tables: Path) -> None:
    table = pd.read_csv(tables / "cs-stochrsi.csv")
    (result,) = fed(StochRsi(14, 14), [after_no_change(column(table, "Close"), 14)])
    np.testing.assert_allclose(result[14 + 27 :] / 100, column(table, "StochRSI(14)")[27:], atol=1e-5)


def test_average_true_range(tables: Path) -> None:
    table = pd.read_csv(tables / "cs-atr.csv")
    columns = [column(table, name) for name in ("High", "Low", "Close")]
    close = columns[2][:1]
    before = [np.concatenate([close, values]) for values in columns]
    np.testing.assert_allclose(fed(TrueRange(), before)[0][1:], column(table, "TR"), atol=1e-9)
    np.testing.assert_allclose(fed(Atr(14), before)[0][1 + 13 :], column(table, "ATR")[13:], atol=1e-9)


def test_macd(tables: Path) -> None:
    """Its averages begin at the first close; that of its signal begins elsewhere, and 80 bars make 1e-9 of it."""
    table = pd.read_csv(tables / "cs-macd.csv")
    closes = after_no_change(column(table, "Close"), 26)
    line, signal, histogram = fed(Macd(), [closes], ("value", "signal", "histogram"))
    np.testing.assert_allclose(fed(Ema(12), [closes])[0][26:], column(table, "short_ema"), atol=1e-8)
    np.testing.assert_allclose(fed(Ema(26), [closes])[0][26:], column(table, "long_ema"), atol=1e-8)
    np.testing.assert_allclose(line[27:], column(table, "MACD_line")[1:], atol=1e-8)
    np.testing.assert_allclose(signal[26 + 80 :], column(table, "MACD_signal")[80:], atol=1e-8)
    np.testing.assert_allclose(histogram[26 + 80 :], column(table, "MACD_diff")[80:], atol=1e-8)


def test_bollinger_bands(tables: Path) -> None:
    table = pd.read_csv(tables / "cs-bbands.csv")
    names = {"middle": "MiddleBand", "upper": "HighBand", "lower": "LowBand", "percent_b": "PercentageBand"}
    results = fed(Bollinger(20, 2), [column(table, "Close")], list(names))
    for name, result in zip(names.values(), results, strict=True):
        np.testing.assert_allclose(result, column(table, name), atol=2e-6, equal_nan=True)
    (width,) = fed(Bollinger(20, 2), [column(table, "Close")], ["width"])
    np.testing.assert_allclose(100 * width, column(table, "WidthBand"), atol=2e-6, equal_nan=True)


def test_on_balance_volume(tables: Path) -> None:
    table = pd.read_csv(tables / "cs-obv.csv").fillna(0)
    assert fed(Obv(), [column(table, "Close"), column(table, "Volume")])[0].tolist() == column(table, "OBV").tolist()


def test_rate_of_change(tables: Path) -> None:
    table = pd.read_csv(tables / "cs-roc.csv")
    np.testing.assert_allclose(fed(Roc(12), [column(table, "Close")])[0], column(table, "ROC"), atol=1e-8)
