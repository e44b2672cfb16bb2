"""One measurement of this project's engine: `python -m benchmarks.engine_ours NAME FOLDER CACHE`; prints a JSON object.

Timed: from columns in memory to the final equity, with fees, risk and ledger on; neither imports nor compiling.
"""

import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.engine_data import CASH, FEE, MANY_PAIRS, PAIRS, SWEPT
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.session import Session
from strades_pipelines.market.fees import PercentFee
from strades_pipelines.simulation.backtest import Bars, Terms, backtest
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import Bar
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.strategy import Strategy

MINUTE = 60_000_000
TURNS = 26  # of the sweep on one core and on two; the first is for what is loaded late
Found = tuple[int, int, float]  # bars, fills, profit
TERMS = Terms(cash=CASH, fee=lambda: PercentFee(FEE), limits={"leverage": 1.0, "allow_short": False})


class Brackets(Strategy):
    """Buy when nothing is held or under way, with a stop and a profit to take on either side."""

    distance: float = 2.0

    def on_aggregate_bar(self, bar: Bar, account: Account) -> None:
        """Enter with a bracket."""
        if account.position[bar.i] == 0.0 and account.count == 0:
            account.bracket(bar.i, 1.0, bar.close - self.distance, bar.close + self.distance)


class Held:
    """Events that were merged before."""

    def __init__(self, blocks: Sequence[Columns]) -> None:
        self._blocks = blocks

    def blocks(self) -> Sequence[Columns]:
        """All of them."""
        return self._blocks


def bars_of(folder: Path, name: str, count: int | None = None) -> list[Bars]:
    """The first bars of w1, a minute apart, or of w2, a day."""
    data = np.load(folder / f"{name}.npy", mmap_mode="r")
    step = MINUTE if name == "w1" else 1440 * MINUTE
    made = []
    for k, rows in enumerate(data[None, :count] if name == "w1" else data[:, :count]):
        time = (np.arange(len(rows), dtype=np.int64) + 1) * step
        made.append(Bars(f"{name}-{k}", time, time - step, np.ascontiguousarray(rows.T)))
    return made


def one(bars: Sequence[Bars], mode: str, cache: Path, strategy: type[Strategy] = SmaCross) -> Found:
    """A backtest."""
    found = backtest(strategy(), bars, TERMS, mode=mode, cache=cache)
    if found.error:
        raise found.error
    return sum(len(each.time) for each in bars), len(found.fills), float(found.equity[-1]) - CASH


def merged(bars: Sequence[Bars], mode: str, cache: Path) -> Callable[[], Found]:
    """A session over events that were merged before, as the sets of a sweep have them."""
    blocks = list(EventChain([[each.columns(i)] for i, each in enumerate(bars)]).blocks())

    def run() -> Found:
        engine = TERMS.engine(SmaCross(), bars)
        [progress] = Session(Held(blocks), None, [engine], mode=mode, cache=cache).run()
        return sum(map(len, blocks)), len(progress.journal["fills"]), engine.account.equity - CASH

    return run


def sweep(bars: Sequence[Bars], cache: Path, jobs: int, pairs: Sequence[tuple[int, int]] = PAIRS) -> Found:
    """All pairs of W3, or others."""
    from strades_pipelines.simulation.runner import Sweep
    from strades_pipelines.simulation.sweep import run_sets

    sets = [{"fast": fast, "slow": slow} for fast, slow in pairs]
    outcomes = [
        outcome for _, outcome in run_sets(Sweep("sma_cross", {}, bars, TERMS, "compiled", cache), sets, jobs=jobs)
    ]
    return SWEPT * len(sets), sum(each.fills for each in outcomes), sum(each.equity - CASH for each in outcomes)


def measured(name: str, folder: Path, cache: Path) -> tuple[Callable[[], Found], int]:
    """What a measurement runs, and how often."""
    if name == "cold":
        return lambda: one(bars_of(folder, "w1"), "compiled", cache), 1
    if name.startswith("W1"):
        count = int(name.split(":")[2]) if name.count(":") > 1 else None
        w1, mode = bars_of(folder, "w1", count), name.split(":")[1]
        return lambda: one(w1, mode, cache), 15 if mode == "compiled" else 3
    if name == "W2:whole":
        w2 = bars_of(folder, "w2")
        return lambda: one(w2, "compiled", cache), 5
    if name.startswith("W2"):
        count = int(name.split(":")[2]) if name.count(":") > 1 else None
        mode = name.split(":")[1]
        return merged(bars_of(folder, "w2", count), mode, cache), 15 if mode == "compiled" else 3
    if name.startswith("W3"):
        w3, jobs = bars_of(folder, "w1", SWEPT), int(name.split(":")[1])
        if name.count(":") > 1:
            pairs = MANY_PAIRS[: int(name.split(":")[2])]
            return lambda: sweep(w3, cache, jobs, pairs), 1
        return lambda: sweep(w3, cache, jobs), 5
    w1, mode = bars_of(folder, "w1", None if "compiled" in name else 100_000), name.split(":")[1]
    return lambda: one(w1, mode, cache, Brackets), 9 if mode == "compiled" else 3


def cores(folder: Path, cache: Path) -> dict[str, list[float]]:
    """The sweep on one core and on two, in turn, as a host's other guests come and go within seconds.

    Of each turn: the time of one core over that of two, and how many cores two kept busy.
    """
    bars = bars_of(folder, "w1", SWEPT)
    gained, busy = [], []
    for _ in range(TURNS):
        clock = [time.perf_counter()]
        sweep(bars, cache, 1)
        clock.append(time.perf_counter())
        used = time.process_time()
        sweep(bars, cache, 2)
        clock.append(time.perf_counter())
        gained.append((clock[1] - clock[0]) / (clock[2] - clock[1]))
        busy.append((time.process_time() - used) / (clock[2] - clock[1]))
    return {"gained": gained[1:], "busy": busy[1:]}


def main() -> None:
    """Run it once for what is loaded late, unless it is to be cold; then so often, and print the median."""
    name, folder, cache = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if name == "cores":
        print(json.dumps(cores(folder, cache)))
        return
    run, times = measured(name, folder, cache)
    if name != "cold":
        run()
    seconds, cpu = [], []
    found = (0, 0, 0.0)
    for _ in range(times):
        started, used = time.perf_counter(), time.process_time()
        found = run()
        seconds.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    spread = {"seconds": statistics.median(seconds), "best": min(seconds), "cpu": min(cpu)}
    print(json.dumps({**spread, "bars": found[0], "fills": found[1], "profit": found[2], "mib": peak}))


if __name__ == "__main__":
    main()
