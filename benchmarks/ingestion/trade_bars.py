"""Trades to bars of a minute, on one core, beside pandas' resample of the same trades."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from strades_pipelines.ingestion.streams.bars_of_trades import bars_of_trades

TRADES, STEP, TURNS = 10_000_000, 60_000_000, 3


def main() -> None:
    """Print trades a second of both, the best of three turns."""
    random = np.random.default_rng(1)
    times = np.sort(random.integers(0, TRADES * 10_000, TRADES))  # a hundred a second
    prices, sizes = random.uniform(99, 101, TRADES), random.uniform(0, 1, TRADES)

    def resample() -> None:
        frame = pd.DataFrame({"price": prices, "size": sizes}, index=pd.to_datetime(times, unit="us"))
        bars = frame.resample("1min")
        bars["price"].ohlc()
        bars["size"].sum()

    seconds = {"trades to bars": np.inf, "pandas resample": np.inf}
    runs: dict[str, Callable[[], object]] = {
        "trades to bars": lambda: bars_of_trades(times, prices, sizes, STEP),
        "pandas resample": resample,
    }
    for _ in range(TURNS):
        for name, run in runs.items():
            # The processor's time: what else runs on the machine slows neither.
            started = time.process_time()
            run()
            seconds[name] = min(seconds[name], time.process_time() - started)
    for name, spent in seconds.items():
        print(f"{name:32} {TRADES / spent / 1e6:8.1f}M trades/s of processor")
    print(f"times pandas                     {seconds['pandas resample'] / seconds['trades to bars']:8.1f}")
