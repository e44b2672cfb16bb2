"""Streaming indicators: plain classes over numbers, fed one value or one bar at a time.

`update(...)` takes in the next value (or the bar's fields named in its signature) and returns the main result, also in
`value`; what else there is stands in float attributes. All are NaN until known; `ready` says whether all are.

What is not there yet is no observation: the classes with one input pass over a NaN, so one indicator feeds another
from the first bar on (`self.smooth.update(self.rsi.update(bar.close))`).

Windows. The last n values are two runs: those of this lap through a ring of n, and those of the last lap not yet
written over. The first is summed up as it comes; for the second, at each turn of the ring, what there is from each
place to the end is worked out once. A result merges the two: O(1) a value on average, O(n) at a turn, and because
nothing is subtracted again, what left the window leaves no trace. Where the ring turns may show in the last digits.

Recursive averages (`Ema`, `Smma`, and what is made of them) do remember all of their past; it fades geometrically.
"""

from strades_pipelines.strategy.indicators.channels import Bollinger, Donchian, Keltner
from strades_pipelines.strategy.indicators.extremes import BarsSinceHighest, RollingMax, RollingMin
from strades_pipelines.strategy.indicators.momentum import Macd, Momentum, Roc, Rsi
from strades_pipelines.strategy.indicators.moving_averages import Ema, Sma, Smma, Wma
from strades_pipelines.strategy.indicators.oscillators import Cci, Stochastic, StochRsi, WilliamsR
from strades_pipelines.strategy.indicators.regression import LinearRegressionSlope, RollingCorrelation
from strades_pipelines.strategy.indicators.statistics import StandardDeviation, Variance, ZScore
from strades_pipelines.strategy.indicators.trend import Adx, Aroon, HeikinAshi
from strades_pipelines.strategy.indicators.volatility import Atr, TrueRange
from strades_pipelines.strategy.indicators.volume import Mfi, Obv, RollingVwap, Vwap

__all__ = [
    "Adx",
    "Aroon",
    "Atr",
    "BarsSinceHighest",
    "Bollinger",
    "Cci",
    "Donchian",
    "Ema",
    "HeikinAshi",
    "Keltner",
    "LinearRegressionSlope",
    "Macd",
    "Mfi",
    "Momentum",
    "Obv",
    "Roc",
    "RollingCorrelation",
    "RollingMax",
    "RollingMin",
    "RollingVwap",
    "Rsi",
    "Sma",
    "Smma",
    "StandardDeviation",
    "StochRsi",
    "Stochastic",
    "TrueRange",
    "Variance",
    "Vwap",
    "WilliamsR",
    "Wma",
    "ZScore",
]
