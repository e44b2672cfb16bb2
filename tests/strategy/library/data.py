"""Bars that the tests of the library run on: packaged ones, and those beside the project."""

import csv
import gzip
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strades_pipelines.simulation.backtest import Bars

DAY = 86_400_000_000
MINUTE = 60_000_000


def bars_of(name: str, opens: NDArray[np.int64], prices: Any, step: int) -> Bars:
    """Bars that open at `opens`, last `step`, and are known at their close."""
    return Bars(name, opens + step, opens, np.ascontiguousarray(prices, np.float64))


@cache
def packaged(symbol: str, first: str = "2000-01-01", last: str = "2100-01-01") -> Bars:
    """Daily bars of AAPL, FB, GOOG, IBM or MSFT from the package bokeh_sampledata, days in [first, last)."""
    import bokeh_sampledata

    rows = []
    with gzip.open(Path(bokeh_sampledata.__file__).parent / "_data" / "stocks.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["Ticker"] == symbol and first <= row["Date"] < last:
                rows.append((row["Date"], *(float(row[name]) for name in ("Open", "High", "Low", "Close", "Volume"))))
    opens = np.array([row[0] for row in rows], "datetime64[us]").astype(np.int64)
    open_, high, low, close, volume = np.array([row[1:] for row in rows]).T
    # A few of the packaged rows have an open or a close outside of their low and high.
    highest, lowest = np.maximum.reduce([open_, high, close]), np.minimum.reduce([open_, low, close])
    return bars_of(symbol, opens, [open_, highest, lowest, close, volume], DAY)


@cache
def recorded(file: Path, step: int = DAY, first: str = "1900", last: str = "2100") -> Bars:
    """Bars of a csv.gz with ts_utc, open, high, low, close, volume; rows whose ts_utc is in [first, last)."""
    with gzip.open(file, "rt") as handle:
        rows = [row for row in csv.DictReader(handle) if first <= row["ts_utc"] < last]
    opens = np.array([row["ts_utc"].removesuffix("Z") for row in rows], "datetime64[us]").astype(np.int64)
    columns = ("open", "high", "low", "close", "volume")
    prices = np.array([[float(row[name] or 0.0) for name in columns] for row in rows]).T
    return bars_of(file.name.split("_")[0], opens, prices, step)


def moment(text: str) -> int:
    """Microseconds of a time such as 2018-01-29T18:40, UTC."""
    return int(np.datetime64(datetime.fromisoformat(text), "us").astype(np.int64))
