"""Trades to bars on one core, beside a bare numpy pass: the reductions alone, by starts that are known already.

20 million trades of a seed over a day. Seconds are of the processor, the best of five; nothing is read or written.
"""

import time
from collections.abc import Callable

import numpy as np

from strades_pipelines.bars.trade_bars import parse_every
from strades_pipelines.ingestion.streams.bars_of_trades import bars_of_size, bars_of_trades

TRADES, SEED, REPEATS = 20_000_000, 20261130, 5
MINUTE, DAY = 60_000_000, 86_400_000_000
SPECS = ("100ticks", "100volume", "1000000notional")


def main() -> None:
    """Print million trades a second for each kind of bars, and the ratio to the bare pass over as many bars."""
    random = np.random.default_rng(SEED)
    times = np.sort(random.integers(20_000 * DAY, 20_001 * DAY, TRADES))
    prices = 10_000 + random.normal(0, 1, TRADES).cumsum() * 0.01
    sizes = random.exponential(1.0, TRADES)
    bars = bars_of_trades(times, prices, sizes, MINUTE)
    _tell("1m", lambda: bars_of_trades(times, prices, sizes, MINUTE), bars.num_rows, prices, sizes)
    for spec in SPECS:
        every = parse_every(spec)
        rows = bars_of_size(times, prices, sizes, every).num_rows
        _tell(spec, lambda every=every: bars_of_size(times, prices, sizes, every), rows, prices, sizes)  # type: ignore[misc]


def _tell(name: str, work: Callable[[], object], bars: int, prices: np.ndarray, sizes: np.ndarray) -> None:
    starts = np.arange(bars) * TRADES // bars
    ours, bare = _seconds(work), _seconds(lambda: _bare(prices, sizes, starts))
    speeds = [f"{TRADES / seconds / 1e6:.1f}M" for seconds in (ours, bare)]
    print(f"{name}: {bars:,} bars, {speeds[0]} trades/s; bare numpy {speeds[1]}, {ours / bare:.2f} times its time")


def _bare(prices: np.ndarray, sizes: np.ndarray, starts: np.ndarray) -> None:
    np.maximum.reduceat(prices, starts)
    np.minimum.reduceat(prices, starts)
    np.add.reduceat(sizes, starts)
    np.add.reduceat(prices * sizes, starts)


def _seconds(work: Callable[[], object]) -> float:
    took = []
    for _ in range(REPEATS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)


if __name__ == "__main__":
    main()
