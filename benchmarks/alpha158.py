"""Alpha158 here and by Qlib, on the same bars in the same go: rows a second, and how far the values are apart.

Qlib is found as the virtual environment `qlib` in the folder PEERS_HOME (`pip install pyqlib==0.9.7` in one of its own:
no dependency of this project). Bars are made from a seed. Each measurement is a process of its own; ours is timed from
the file of bars to features in memory, after one small go, Qlib from its own files to its frame.
"""

import json
import os
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.json_child import json_result
from strades_pipelines.predictor.families.alpha158 import ALPHA158, Columns, alpha158

PEER = Path(__file__).parent / "peers/qlib_peer.py"
DAYS = 3_500
COMPARED = 20  # symbols
TURNS = 3
CLOSE, WIDE = 1e-3, 3e-3


def main() -> None:
    """Print speeds, their ratio, and the agreement."""
    symbols = int(os.environ.get("STRADES_BENCHMARK_SYMBOLS", "100"))
    with tempfile.TemporaryDirectory(prefix="strades-bench-") as name:
        folder = Path(name)
        np.save(folder / "bars.npy", made_bars(symbols, DAYS))
        rows = symbols * DAYS
        print(
            f"{symbols} symbols x {DAYS:,} days = {rows:,} rows, 158 features; made from a seed; {os.cpu_count()} cores"
        )
        python = Path(os.environ.get("PEERS_HOME", "")) / "qlib/bin/python"
        has_peer = "PEERS_HOME" in os.environ and python.exists()
        ratios = []
        for _ in range(TURNS):
            ours = json_result([sys.executable, "-m", "benchmarks.alpha158", name], dict(os.environ))
            _line("ours", rows, ours)
            if has_peer:
                theirs = json_result([str(python), str(PEER), name], {**os.environ, "PYTHONPATH": ""})
                _line(f"pyqlib {theirs['version']}", rows, theirs)
                ratios.append(theirs["seconds"] / ours["seconds"])
        if not has_peer:
            print("pyqlib: not installed, skipped")
            return
        each = ", ".join(f"{ratio:.1f}" for ratio in ratios)
        print(f"ours / pyqlib, rows a second: {each}; median {statistics.median(ratios):.1f}")
        _compare(np.load(folder / "ours.npy")[:, :COMPARED], np.load(folder / "qlib.npy")[:, :COMPARED])


def made_bars(symbols: int, days: int) -> NDArray[np.float32]:
    """Random walks, shape (symbols, days, 5): open, high, low, close in cents, and a volume."""
    random = np.random.default_rng(158)
    close = 50.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, (symbols, days)), axis=1))
    opened = close * np.exp(random.normal(0.0, 0.01, close.shape))
    high = np.maximum(opened, close) * np.exp(np.abs(random.normal(0.0, 0.008, close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(random.normal(0.0, 0.008, close.shape)))
    volume = np.exp(random.normal(13.0, 0.5, close.shape))
    prices = [np.round(column, 2) for column in (opened, high, low, close)]
    return np.stack([*prices, np.round(volume)], axis=2).astype(np.float32)


def features(bars: NDArray[np.float32]) -> NDArray[np.float32]:
    """Ours, of shape (158, symbols, days)."""
    symbols, days, _ = bars.shape
    age = np.tile(np.arange(days), symbols)
    columns = Columns(*(column.astype(np.float64) for column in bars.reshape(-1, 5).T))
    return alpha158(columns, age, age >= 0).reshape(len(ALPHA158), symbols, days)


def _measure(folder: Path) -> None:
    # What is loaded late is not measured.
    features(made_bars(1, 100))
    started = time.perf_counter()
    found = features(np.load(folder / "bars.npy"))
    seconds = time.perf_counter() - started
    np.save(folder / "ours.npy", found)
    peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    print(json.dumps({"seconds": seconds, "mib": peak}))


def _line(title: str, rows: int, made: dict[str, float]) -> None:
    print(
        f"{title:14}{made['seconds']:8.2f} s{rows / made['seconds']:12,.0f} rows/s{made['mib']:8,.0f} MiB", flush=True
    )


def _compare(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> None:
    """Say how far apart the values are once every window is complete, relative to the value or, where that is near 0,
    to the feature's root mean square."""
    print(f"agreement on {ours.shape[1]} symbols, from the 61st session on:")
    distances = {}
    for feature, own, other in zip(ALPHA158, ours[:, :, 60:], theirs[:, :, 60:], strict=True):
        both, scale = np.isfinite(own) & np.isfinite(other), np.sqrt(np.nanmean(other.astype(np.float64) ** 2))
        away = np.abs(own - other)[both] / np.maximum(np.abs(other[both]), scale)
        distances[feature.name] = float(away.max()) if (np.isfinite(own) == np.isfinite(other)).all() else np.inf
    within = sum(distance <= CLOSE for distance in distances.values())
    print(f"  {within} of {len(distances)} within {CLOSE:g}; the others:")
    for name, distance in sorted(distances.items(), key=lambda item: -item[1])[: len(distances) - within]:
        print(f"  {name:8} {distance:.1e}{'' if distance <= WIDE else ' TOO FAR'}")


if __name__ == "__main__":
    _measure(Path(sys.argv[1]))
