"""A parameter that makes no sense is refused by its name."""

from typing import Any

import pytest

from strades_pipelines.strategy import indicators as ind

WINDOWED = [
    *(ind.Sma, ind.Wma, ind.Ema, ind.Smma, ind.Rsi, ind.Roc, ind.Momentum, ind.Stochastic, ind.StochRsi, ind.WilliamsR),
    *(ind.Cci, ind.Atr, ind.Adx, ind.Aroon, ind.RollingVwap, ind.Mfi, ind.Bollinger, ind.Donchian, ind.Keltner),
    *(ind.RollingMax, ind.RollingMin, ind.BarsSinceHighest, ind.Variance, ind.StandardDeviation, ind.ZScore),
    *(ind.RollingCorrelation, ind.LinearRegressionSlope),
]


@pytest.mark.parametrize("kind", WINDOWED)
def test_a_window_needs_a_length(kind: type[Any]) -> None:
    with pytest.raises(ValueError, match=r"length of \w+: expected [12] or more, was 0"):
        kind(0)
    with pytest.raises(ValueError, match=r"length of \w+: expected a whole number, was 2.5"):
        kind(2.5)
    with pytest.raises(ValueError, match="expected a whole number, was True"):
        kind(True)


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (ind.Macd, (0, 26), "fast length of Macd: expected 1 or more, was 0"),
        (ind.Macd, (26, 12), "slow length of Macd: expected 27 or more, was 12"),
        (ind.Macd, (12, 26, 0), "signal length of Macd: expected 1 or more, was 0"),
        (ind.Stochastic, (14, 0), "smoothing of Stochastic: expected 1 or more, was 0"),
        (ind.Stochastic, (14, 3, 0), "signal length of Stochastic: expected 1 or more, was 0"),
        (ind.StochRsi, (14, 0), "window of StochRsi: expected 1 or more, was 0"),
        (ind.Keltner, (20, 0), "atr_length of Keltner: expected 1 or more, was 0"),
        (ind.Keltner, (20, 10, 0.0), "multiplier of Keltner: expected a number above 0, was 0.0"),
        (ind.Bollinger, (20, float("nan")), "deviations of Bollinger: expected a number above 0, was nan"),
        (ind.Variance, (1, 1), "length of Variance: expected 2 or more, was 1"),
        (ind.ZScore, (5, -1), "ddof of Variance: expected 0 or more, was -1"),
    ],
)
def test_each_parameter_is_named(kind: type[Any], parameters: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(*parameters)
