"""Strategies and feeds that are wrong on purpose: what they must not know they take from around the interface."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from strades_pipelines.engine.columns import Columns
from strades_pipelines.simulation.backtest import Bars
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.indicators import Sma
from strades_pipelines.strategy.strategy import Strategy
from tests.strategy.library.data import DAY

HELD: list[Bars] = []  # the arrays that the strategies below hold behind the interface's back
FILE: list[Path] = []


class OneBarLeak(Strategy):
    """Knows the next close."""

    leaks_at: int = -1  # only at this bar; at all of them for -1

    def on_start(self, account: Account) -> None:
        self.k = -1

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.k += 1
        closes = HELD[0].prices[3]
        ahead = self.leaks_at in (-1, self.k) and self.k + 1 < len(closes)
        account.target[bar.i] = float(closes[self.k + 1] > bar.close) if ahead else 0.0


class RateLeak(Strategy):
    """Knows the next exchange rate; one is known with each bar."""

    def on_start(self, account: Account) -> None:
        self.k = -1

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.k += 1
        rates = HELD[0].rates
        assert rates is not None
        later = self.k + 1 < len(rates.rate)
        account.target[bar.i] = float(later and rates.rate[self.k + 1] > rates.rate[self.k])


class WindowScaler(Strategy):
    """Scales closes by the mean and deviation of all of them, the later ones too."""

    def on_start(self, account: Account) -> None:
        self.mean, self.deviation = float(HELD[0].prices[3].mean()), float(HELD[0].prices[3].std())

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[bar.i] = 1.0 if (bar.close - self.mean) / self.deviation < -0.5 else 0.0


class LeakInTimer(Strategy):
    """Knows in its timer the close of the next instant."""

    def on_start(self, account: Account) -> None:
        self.k = -1

    def on_timer(self, time: int, account: Account) -> None:
        self.k += 1
        closes = HELD[0].prices[3]
        if self.k + 1 < len(closes) and account.position[0] == 0.0:
            account.order(0, 1.0 if closes[self.k + 1] > closes[self.k] else 2.0)


class LeakInLimit(Strategy):
    """Always wants the same; but its limits are just above the next low."""

    def on_start(self, account: Account) -> None:
        self.k = -1

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.k += 1
        lows = HELD[0].prices[2]
        account.cancel_all(bar.i)
        if self.k + 1 < len(lows):
            account.order(bar.i, 1.0, limit=float(lows[self.k + 1]) + 0.01)


class FileReader(Strategy):
    """Reads the bars from their file."""

    def on_start(self, account: Account) -> None:
        self.last = float(FILE[0].read_text().splitlines()[-1].split(",")[4])

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[bar.i] = 1.0 if bar.close < self.last else 0.0


class MeanSinceStart(Strategy):
    """Compares with the mean of all closes since it began, and says that it looks back at two."""

    @property
    def lookback(self) -> int:
        return 2

    def on_start(self, account: Account) -> None:
        self.total, self.count = 0.0, 0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        self.total += bar.close
        self.count += 1
        account.target[bar.i] = 1.0 if bar.close > self.total / self.count else 0.0


class ShortWarmUp(Strategy):
    """A mean of twenty closes that is said to need ten."""

    claims: int = 10

    @property
    def lookback(self) -> int:
        return self.claims

    def on_start(self, account: Account) -> None:
        self.mean = Sma(20)

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[bar.i] = 1.0 if bar.close > self.mean.update(bar.close) else -1.0


class DaysAverage(Strategy):
    """Holds while the last bar closed above its middle; right in itself, its feed may not be."""

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        account.target[bar.i] = 1.0 if bar.close > 0.5 * (bar.high + bar.low) else 0.0


def days(bars: Bars, *, at_open: bool) -> Columns:
    """Daily bars of shorter ones; known when the day is over, or, wrongly, labelled with its beginning."""
    day = bars.open_time // DAY
    first = np.flatnonzero(np.diff(day, prepend=-1))
    last = np.append(first[1:], len(day)) - 1
    open_, high, low, close, volume = bars.prices
    rows = [open_[first], np.maximum.reduceat(high, first), np.minimum.reduceat(low, first), close[last]]
    prices = np.array([*rows, np.add.reduceat(volume, first)])
    begins = day[first] * DAY
    return Bars(bars.name, begins if at_open else begins + DAY, begins, prices).columns(0)


def days_when_over(bars: Sequence[Bars]) -> list[Columns]:
    return [days(bars[0], at_open=False)]


def days_at_their_open(bars: Sequence[Bars]) -> list[Columns]:
    return [days(bars[0], at_open=True)]


def at_event_time(bars: Sequence[Bars]) -> list[Columns]:
    """Passes over that the bars were known long after they ended."""
    ends = bars[0].open_time + DAY
    return [Bars(bars[0].name, ends, bars[0].open_time, bars[0].prices).columns(0)]


def walk(n: int, step: int = DAY, late: int = 0) -> Bars:
    """A random walk of n bars that last `step` and are known so much later."""
    generator = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.02, n)))
    open_ = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
    opens = 19_000 * DAY + step * np.arange(n)
    return Bars("WALK", opens + step + late, opens, np.array([open_, high, low, close, np.full(n, 1e6)]))
