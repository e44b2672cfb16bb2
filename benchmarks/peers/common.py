"""What the scripts of all peers share. They run under the peer's own Python, so nothing of this project is imported.

`python <script> W1|W2|W3 FOLDER BARS`: the first BARS bars of each instrument of FOLDER's w1.npy or w2.npy, the
crossing
of two means, long one unit or flat, decided at a close, done at the next open, fee 0.1 %. Prints one JSON object.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

FAST, SLOW, CASH, FEE = 10, 30, 1_000_000.0, 0.001
Data = Any


def bars() -> list[Data]:
    """An array of shape (bars, 5) for each instrument."""
    workload, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if workload == "W2":
        return [np.ascontiguousarray(one[:count]) for one in np.load(folder / "w2.npy")]
    return [np.load(folder / "w1.npy")[:count]]


def pairs() -> list[tuple[int, int]]:
    """The lengths to run: one pair, or those of W3."""
    if sys.argv[1] != "W3":
        return [(FAST, SLOW)]
    return [(fast, slow) for fast in range(5, 25) for slow in range(30, 130, 5)]


def report(version: str, count: int, run: Callable[[], tuple[int, float]]) -> None:
    """Time a run that gives its fills and its profit."""
    started, used = time.perf_counter(), time.process_time()
    fills, profit = run()
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    found = {"version": version, "bars": count, "seconds": seconds, "cpu": cpu}
    print(json.dumps({**found, "fills": int(fills), "profit": float(profit), "mib": peak}))
