"""A parameter that makes no sense is refused by its name."""

from typing import Any

import pytest

from strades_pipelines.strategy import indicators as ind

WINDOWED = [
    *(ind.Sma, ind.Wma, ind.Ema, ind.Smma, ind.Rsi, ind.Roc, ind.Momentum, ind.Stochastic, ind.StochRsi, ind.WilliamsR),
    *(ind.Cci, ind.Atr, ind.Adx, ind.Aroon, ind.RollingVwap, ind.Mfi, ind.Bollinger, ind.Donchian, ind.Keltner),
    *(ind.RollingMax, ind.RollingMin, ind.BarsSinceHighest, ind.Variance, ind.StandardDeviation, ind.ZScore),
    *(ind.RollingCorrelation, ind.LinearRegressionSlope, ind.Dema, ind.Tema, ind.T3, ind.Trima, ind.Hma, ind.Zlema),
    *(ind.Kama, ind.Vwma, ind.Midpoint, ind.SuperTrend, ind.AccelerationBands, ind.Cmo, ind.SmoothedCmo, ind.Trix),
    *(ind.EfficiencyRatio, ind.Tsi, ind.Dpo, ind.Vhf, ind.ForecastOscillator, ind.Vortex, ind.ElderRay, ind.Imi),
    *(ind.Qstick, ind.Smi, ind.Kdj, ind.Adxr, ind.DirectionalMovement, ind.Cmf, ind.ForceIndex, ind.RelativeVolume),
    *(ind.RollingSum, ind.AverageDeviation, ind.PercentRank, ind.Percentile, ind.Beta, ind.LinearRegression, ind.Ulcer),
    *(ind.AverageDayRange, ind.ChaikinVolatility, ind.MassIndex, ind.RelativeVolatility, ind.Chop),
]


@pytest.mark.parametrize("kind", WINDOWED)
def test_a_window_needs_a_length(kind: type[Any]) -> None:
    with pytest.raises(ValueError, match=r"length of \w+: expected [12] or more, was 0"):
        kind(0)
    with pytest.raises(ValueError, match=r"length of \w+: expected a whole number, was 2.5"):
        kind(2.5)
    with pytest.raises(ValueError, match="expected a whole number, was True"):
        kind(True)
    with pytest.raises(ValueError, match=r"length of \w+: expected [12] or more, was -3"):
        kind(-3)
    with pytest.raises(ValueError, match=r"length of \w+: expected a whole number, was nan"):
        kind(float("nan"))
    with pytest.raises(ValueError, match=r"length of \w+: expected 1000000 or less, was 1000000000000"):
        kind(10**12)


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
        (ind.Kama, (10, 30, 2), "slow length of Kama: expected 31 or more, was 2"),
        (ind.Kama, (10, 0), "fast length of Kama: expected 1 or more, was 0"),
        (ind.T3, (5, 1.5), "factor of T3: expected a number from 0 to 1, was 1.5"),
        (ind.T3, (5, float("nan")), "factor of T3: expected a number from 0 to 1, was nan"),
        (ind.Mavp, (0, 30), "shortest length of Mavp: expected 1 or more, was 0"),
        (ind.Mavp, (5, 4), "longest length of Mavp: expected 5 or more, was 4"),
        (ind.ParabolicSar, (0.0,), "acceleration of ParabolicSar: expected a number above 0, was 0.0"),
        (ind.ParabolicSar, (0.02, float("inf")), "maximum of ParabolicSar: expected a number above 0, was inf"),
        (ind.SuperTrend, (10, -1.0), "multiplier of SuperTrend: expected a number above 0, was -1.0"),
        (ind.Ichimoku, (0,), "conversion length of Ichimoku: expected 1 or more, was 0"),
        (ind.Ichimoku, (9, 26, 9), "span length of Ichimoku: expected 26 or more, was 9"),
        (ind.Ultimate, (7, 6, 28), "middle length of Ultimate: expected 7 or more, was 6"),
        (ind.Ultimate, (7, 14, 13), "long length of Ultimate: expected 14 or more, was 13"),
        (ind.Awesome, (34, 5), "slow length of Awesome: expected 35 or more, was 5"),
        (ind.Ppo, (12, 12), "slow length of Ppo: expected 13 or more, was 12"),
        (ind.Coppock, (0,), "smoothing of Coppock: expected 1 or more, was 0"),
        (ind.ChaikinOscillator, (0, 10), "fast length of ChaikinOscillator: expected 1 or more, was 0"),
        (ind.Mama, (1.0,), "fast limit of Mama: expected a number from 0.01 to 0.99, was 1.0"),
        (ind.Mama, (0.5, True), "slow limit of Mama: expected a number from 0.01 to 0.99, was True"),
        (ind.Percentile, (30, 101.0), "percent of Percentile: expected a number from 0 to 100, was 101.0"),
        (ind.MassIndex, (9, 0), "window of MassIndex: expected 1 or more, was 0"),
        (ind.RelativeVolatility, (14, 1), "window of RelativeVolatility: expected 2 or more, was 1"),
        (ind.ChaikinVolatility, (10, 0), "change of ChaikinVolatility: expected 1 or more, was 0"),
        (ind.Fractal, (0, 2), "left bars of Fractal: expected 1 or more, was 0"),
    ],
)
def test_each_parameter_is_named(kind: type[Any], parameters: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(*parameters)


def test_a_percentile_takes_the_rank_of_whole_numbers() -> None:
    """7 % of 100 values is the 7th: 7.0 / 100.0 * 100 is 7.000000000000001, of which the next whole number is 8."""
    for length in range(1, 201):
        for percent in range(101):
            expected = max(1, (percent * length + 99) // 100)
            assert ind.Percentile(length, float(percent)).rank == expected, (length, percent)
