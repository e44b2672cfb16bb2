"""Speed and memory of the strategy engine, and of the peers that are installed, on the same bars in the same go.

Peers are found by import, or as virtual environments of their names in the folder PEERS_HOME. Each measurement is a
process of its own. Fills and profit of every one are compared with this engine's, to the cent.
"""

import importlib.util
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import engine_data
from benchmarks.json_child import json_result

PEERS = Path(__file__).with_name("peers")
# The module of each peer, and how many bars of an instrument it is given, by workload: some are too slow for all bars.
MODULES = {
    "vectorbt": "vectorbt",
    "backtrader": "backtrader",
    "backtesting": "backtesting",
    "nautilus": "nautilus_trader",
}
WORK = {
    "vectorbt": {"W1": engine_data.BARS, "W2": engine_data.DAYS, "W3": engine_data.SWEPT},
    "backtrader": {"W1": 50_000, "W2": 250},
    "backtesting": {"W1": 50_000, "W2": 500},
    "nautilus": {"W1": 30_000},
}
OURS = (
    ("W1 compiled", "W1:compiled"),
    ("W2 compiled, events merged before", "W2:compiled"),
    ("W2 compiled, merging included", "W2:whole"),
    ("W3 compiled, one core", "W3:1"),
    ("W3 compiled, two cores", "W3:2"),
    ("brackets compiled", "brackets:compiled"),
    ("W1 per event", "W1:events"),
    ("W2 per event", "W2:events"),
    ("brackets per event", "brackets:events"),
)
TURNS = 5  # of two processes beside one
LATE = {"backtesting": "it starts a bar late"}


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="strades-bench-") as name:
        folder = Path(name)
        engine_data.write(folder)
        print(
            f"load {os.getloadavg()[0]:.1f}; a turn of an empty loop in Python {_loop():.0f} ns, on an idle machine 30"
        )
        print(f"{'':36}{'bars/s':>14}{'best':>14}{'per CPU-s':>14}{'fills':>10}{'profit':>16}{'MiB':>6}")
        found = {title: _line(title, _ours(what, folder)) for title, what in OURS}
        _cores(folder)
        for sets in (1_000, 10_000):
            many = _ours(f"W3:2:{sets}", folder)
            print(f"W3, {sets:,} sets, two cores: {many['seconds']:.2f} s, {many['mib']:.0f} MiB")
        started = time.perf_counter()
        cold = _ours("cold", folder)
        print(
            f"cold process to result on W1, code cached: {time.perf_counter() - started:.2f} s, {cold['mib']:.0f} MiB"
        )
        for peer, work in WORK.items():
            _peer(peer, work, folder, found)


def _cores(folder: Path) -> None:
    """What a sweep gains by a second core, and beside it what two processes do, each on its own.

    Two virtual cores may be two threads of the same real one: then no program comes to twice the work of one.
    """
    made = _ours("cores", folder)
    processes = []
    for _ in range(TURNS):
        alone = _ours("W3:1", folder)["seconds"]
        with ThreadPoolExecutor(2) as pool:
            beside = list(pool.map(lambda _: _ours("W3:1", folder)["seconds"], range(2)))
        processes.append(sum(alone / seconds for seconds in beside))
    figures = {
        "two cores / one": made["gained"],
        "cores kept busy": made["busy"],
        "two processes at once / one": processes,
    }
    for what, found in figures.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"W3, {what}: median {middle:.2f}, middle half {low:.2f} to {high:.2f}, of {len(found)} times")


def _loop() -> float:
    best, total = float("inf"), 0
    for _ in range(5):
        started = time.perf_counter()
        for k in range(1_000_000):
            total += k
        best = min(best, time.perf_counter() - started)
    return best * 1e3


def _ours(what: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.engine_ours", what, str(folder), str(folder / "cache")]
    return json_result(command, dict(os.environ))


def _line(title: str, made: dict[str, Any]) -> dict[str, Any]:
    bars = made["bars"]
    speeds = [bars / made[key] for key in ("seconds", "best", "cpu") if key in made]
    if len(speeds) == 2:
        speeds.insert(1, speeds[0])
    columns = "".join(f"{speed:14,.0f}" for speed in speeds)
    print(f"{title:36}{columns}{made['fills']:10,}{made['profit']:16,.3f}{made['mib']:6.0f}", flush=True)
    return made


def _python(peer: str) -> str | None:
    """The Python that has a peer."""
    own = Path(os.environ.get("PEERS_HOME", "")) / peer / "bin/python"
    if "PEERS_HOME" in os.environ and own.exists():
        return str(own)
    return sys.executable if importlib.util.find_spec(MODULES[peer]) else None


def _peer(peer: str, work: dict[str, int], folder: Path, found: dict[str, dict[str, Any]]) -> None:
    python = _python(peer)
    if python is None:
        print(f"{peer}: not installed, skipped")
        return
    for workload, bars in work.items():
        command = [python, str(PEERS / f"{peer}_peer.py"), workload, str(folder), str(bars), "1"]
        try:
            made = json_result(command, {**os.environ, "PYTHONPATH": ""})
        except RuntimeError as error:
            print(f"{peer} {workload}: {str(error).splitlines()[-1]}")
            continue
        _line(f"{peer} {made['version']} {workload}", made)
        _compare(peer, workload, bars, made, folder, found)


def _compare(
    peer: str, workload: str, bars: int, made: dict[str, Any], folder: Path, found: dict[str, dict[str, Any]]
) -> None:
    """Say how much faster this engine is, compiled and per event, and whether the money is the same."""
    compiled = found[{"W1": OURS[0], "W2": OURS[1], "W3": OURS[3]}[workload][0]]
    same = compiled if bars in (engine_data.BARS, engine_data.DAYS, engine_data.SWEPT) else None
    same = same or _ours(f"{workload}:compiled:{bars}", folder)
    speed = made["bars"] / made["seconds"]
    ratios = [f"compiled {compiled['bars'] / compiled['seconds'] / speed:,.3g}x"]
    if f"{workload} per event" in found:
        events = found[f"{workload} per event"]
        ratios.append(f"per event {events['bars'] / events['seconds'] / speed:,.3g}x")
    equal = made["fills"] == same["fills"] and abs(made["profit"] - same["profit"]) < 0.005
    told = "the same to the cent" if equal else f"other money ({same['fills']:,} fills, {same['profit']:,.3f} here)"
    print(f"  {', '.join(ratios)} as fast; {told}{'' if equal else ': ' + LATE.get(peer, 'a bug in one of the two')}")
