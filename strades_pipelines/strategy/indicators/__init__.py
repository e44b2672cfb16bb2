"""Streaming indicators: plain classes over numbers, fed one value or one bar at a time.

`update(...)` takes in the next value (or the bar's fields named in its signature) and returns the main result, also in
`value`; what else there is stands in attributes. Floats are NaN until known; `ready` says whether all are.

What is not there yet is no observation: a NaN is passed over, and so is a bar of which any number is NaN; nothing
changes then. So one indicator feeds another from the first bar on (`self.smooth.update(self.rsi.update(bar.close))`).

Windows. The last n values are two runs: those of this lap through a ring of n, and those of the last lap not yet
written over. The first is summed up as it comes; for the second, at each turn of the ring, what there is from each
place to the end is worked out once. A result merges the two: O(1) a value on average, O(n) at a turn, and because
nothing is subtracted again, what left the window leaves no trace. Where the ring turns may show in the last digits.

Recursive averages (`Ema`, `Smma`, and what is made of them) do remember all of their past; it fades geometrically.
"""

from strades_pipelines.strategy.indicators.bar_oscillators import (
    Awesome,
    BalanceOfPower,
    ElderRay,
    Imi,
    Kdj,
    Qstick,
    Smi,
    Ultimate,
    Vortex,
)
from strades_pipelines.strategy.indicators.channels import AccelerationBands, Bollinger, Donchian, Ichimoku, Keltner
from strades_pipelines.strategy.indicators.cycles import DominantCycle, Mama, SineWave
from strades_pipelines.strategy.indicators.extremes import BarsSinceHighest, RollingMax, RollingMin
from strades_pipelines.strategy.indicators.momentum import Macd, Momentum, Roc, Rsi
from strades_pipelines.strategy.indicators.momentum_oscillators import (
    Cmo,
    Coppock,
    Dpo,
    EfficiencyRatio,
    Ppo,
    SmoothedCmo,
    Trix,
    Tsi,
    Vhf,
)
from strades_pipelines.strategy.indicators.money_flow import (
    AccumulationDistribution,
    ChaikinOscillator,
    Cmf,
    ForceIndex,
    MarketFacilitation,
    Pvt,
    RelativeVolume,
    VolumeIndices,
    WilliamsAd,
)
from strades_pipelines.strategy.indicators.moving_averages import Ema, Sma, Smma, Wma
from strades_pipelines.strategy.indicators.oscillators import Cci, Stochastic, StochRsi, WilliamsR
from strades_pipelines.strategy.indicators.regression import (
    Beta,
    ForecastOscillator,
    LinearRegression,
    LinearRegressionSlope,
    RollingCorrelation,
)
from strades_pipelines.strategy.indicators.smoothing import (
    T3,
    Dema,
    Hma,
    Kama,
    Mavp,
    Midpoint,
    Tema,
    Trima,
    Vwma,
    Zlema,
)
from strades_pipelines.strategy.indicators.statistics import (
    AverageDeviation,
    Percentile,
    PercentRank,
    RollingSum,
    StandardDeviation,
    Variance,
    ZScore,
)
from strades_pipelines.strategy.indicators.stops import ParabolicSar, SuperTrend
from strades_pipelines.strategy.indicators.trend import Adx, Adxr, Aroon, DirectionalMovement, Fractal, HeikinAshi
from strades_pipelines.strategy.indicators.volatility import (
    Atr,
    AverageDayRange,
    ChaikinVolatility,
    Chop,
    MassIndex,
    RelativeVolatility,
    TrueRange,
    Ulcer,
)
from strades_pipelines.strategy.indicators.volume import Mfi, Obv, RollingVwap, Vwap

__all__ = [
    "T3",
    "AccelerationBands",
    "AccumulationDistribution",
    "Adx",
    "Adxr",
    "Aroon",
    "Atr",
    "AverageDayRange",
    "AverageDeviation",
    "Awesome",
    "BalanceOfPower",
    "BarsSinceHighest",
    "Beta",
    "Bollinger",
    "Cci",
    "ChaikinOscillator",
    "ChaikinVolatility",
    "Chop",
    "Cmf",
    "Cmo",
    "Coppock",
    "Dema",
    "DirectionalMovement",
    "DominantCycle",
    "Donchian",
    "Dpo",
    "EfficiencyRatio",
    "ElderRay",
    "Ema",
    "ForceIndex",
    "ForecastOscillator",
    "Fractal",
    "HeikinAshi",
    "Hma",
    "Ichimoku",
    "Imi",
    "Kama",
    "Kdj",
    "Keltner",
    "LinearRegression",
    "LinearRegressionSlope",
    "Macd",
    "Mama",
    "MarketFacilitation",
    "MassIndex",
    "Mavp",
    "Mfi",
    "Midpoint",
    "Momentum",
    "Obv",
    "ParabolicSar",
    "PercentRank",
    "Percentile",
    "Ppo",
    "Pvt",
    "Qstick",
    "RelativeVolatility",
    "RelativeVolume",
    "Roc",
    "RollingCorrelation",
    "RollingMax",
    "RollingMin",
    "RollingSum",
    "RollingVwap",
    "Rsi",
    "SineWave",
    "Sma",
    "Smi",
    "Smma",
    "SmoothedCmo",
    "StandardDeviation",
    "StochRsi",
    "Stochastic",
    "SuperTrend",
    "Tema",
    "Trima",
    "Trix",
    "TrueRange",
    "Tsi",
    "Ulcer",
    "Ultimate",
    "Variance",
    "Vhf",
    "VolumeIndices",
    "Vortex",
    "Vwap",
    "Vwma",
    "WilliamsAd",
    "WilliamsR",
    "Wma",
    "ZScore",
    "Zlema",
]
