"""backtesting.py: next() for each bar, one instrument a run. It starts a bar late, which changes a few fills."""

import warnings

import backtesting
import numpy as np
import pandas as pd
from common import CASH, FAST, FEE, SLOW, bars, report

warnings.filterwarnings("ignore")
# To draw its progress takes time.
backtesting.backtesting._tqdm = lambda rows, **_: rows


def mean(values, length):  # type: ignore[no-untyped-def]
    """The mean of the last `length` values; NaN until there are so many."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    return np.concatenate((np.full(length - 1, np.nan), (sums[length:] - sums[:-length]) / length))


class Cross(backtesting.Strategy):  # type: ignore[misc]
    """One unit while the fast mean is above."""

    def init(self):  # type: ignore[no-untyped-def]
        """Compute the means of all bars before the first one is stepped."""
        self.fast, self.slow = (self.I(mean, self.data.Close, length) for length in (FAST, SLOW))

    def next(self):  # type: ignore[no-untyped-def]
        """Buy or sell at a cross, at the close."""
        if self.fast[-1] > self.slow[-1]:
            if not self.position:
                self.buy(size=1)
        elif self.position:
            self.position.close()


def run() -> tuple[int, float]:
    """Run all instruments, one after the other; returns the number of fills and the profit."""
    fills, profit = 0, 0.0
    for frame in FRAMES:
        found = backtesting.Backtest(frame, Cross, cash=CASH, commission=FEE).run()
        # A closed trade is two fills, an open one is one.
        fills += 2 * len(found["_trades"]) + len(found["_strategy"].trades)
        profit += found["Equity Final [$]"] - CASH
    return fills, profit


NAMES = ["Open", "High", "Low", "Close", "Volume"]
FRAMES = [
    pd.DataFrame(one, columns=NAMES, index=pd.date_range("2020-01-01", periods=len(one), freq="min")) for one in bars()
]
report(backtesting.__version__, sum(map(len, FRAMES)), run)
