"""Running any strategy of the library over bars; forecasts, trades and news are made of the bars themselves."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.session import Session
from strades_pipelines.market.fees import PercentFee
from strades_pipelines.simulation.backtest import Bars, Result, Terms, result_of
from strades_pipelines.strategy.events import ARTICLE, PREDICTION, TRADE
from strades_pipelines.strategy.strategy import Strategy

TERMS = Terms(100_000.0, lambda: PercentFee(0.001))


def run(strategy: Strategy, bars: Sequence[Bars], *, mode: str = "events", cache: Path | None = None) -> Result:
    """Fills at the next open, 0.1 % fee."""
    streams = [one.columns(i) for i, one in enumerate(bars)]
    if strategy.models:
        streams += [forecasts(one, i) for i, one in enumerate(bars)]
    if strategy.hears_trades():
        streams += [trades(one, i) for i, one in enumerate(bars)]
    if strategy.hears("on_article"):
        streams += [articles(one, i) for i, one in enumerate(bars)]
    chain = EventChain([[stream] for stream in streams])
    [progress] = Session(chain, None, [TERMS.engine(strategy, bars)], mode=mode, cache=cache).run()
    if progress.error is not None:
        raise progress.error
    return result_of(progress, [one.name for one in bars])


def forecasts(bars: Bars, i: int) -> Columns:
    """As a forecast of model 0 at each bar from the sixth on: the return of the last five."""
    close = bars.prices[3]
    n = len(close) - 5
    zero = np.zeros(n)
    return Columns(
        np.full(n, PREDICTION, np.int8),
        np.full(n, i, np.int32),
        bars.time[5:].copy(),
        np.zeros(n, np.int64),
        close[5:] / close[:-5] - 1.0,
        zero,
        zero,
        zero,
        zero,
    )


def trades(bars: Bars, i: int) -> Columns:
    """As the one trade of each bar, at its close: of all that was traded, taken by buyers where the price rose."""
    open_, _, _, close, volume = bars.prices
    n = len(close)
    zero = np.zeros(n)
    buyer = np.sign(close - open_)
    kinds, places = np.full(n, TRADE, np.int8), np.full(n, i, np.int32)
    return Columns(
        kinds, places, bars.time.copy(), np.zeros(n, np.int64), close.copy(), volume + 1.0, buyer, zero, zero
    )


def articles(bars: Bars, i: int) -> Columns:
    """As an article at each bar whose tone is the sign of how its price moved."""
    open_, close = bars.prices[0], bars.prices[3]
    n = len(close)
    zero = np.zeros(n)
    kinds, places = np.full(n, ARTICLE, np.int8), np.full(n, i, np.int32)
    tones = np.sign(close - open_)
    return Columns(
        kinds, places, bars.time.copy(), np.zeros(n, np.int64), tones, np.arange(1.0, n + 1), zero, zero, zero
    )
