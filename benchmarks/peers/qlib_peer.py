"""Alpha158 by Qlib: `python qlib_peer.py FOLDER`, under a Python that has pyqlib; prints one JSON object.

FOLDER has bars.npy, float32 of shape (symbols, days, 5): open, high, low, close, volume. They are first written in
Qlib's own binary form, which is not timed. All 158 features are written to qlib.npy, float32 of shape (158, symbols,
days).
"""

import json
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import qlib
from qlib.contrib.data.loader import Alpha158DL
from qlib.data import D

FIELDS = ("open", "high", "low", "close", "volume")


def write_provider(folder: Path, bars: np.ndarray) -> list[str]:
    """Calendar, instruments and one file a field: a float32 place of the first day, then the values."""
    days = pd.bdate_range("2000-01-03", periods=bars.shape[1])
    names = [f"SYM{number:04}" for number in range(len(bars))]
    for place in ("calendars", "instruments"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "calendars/day.txt").write_text("".join(f"{day:%Y-%m-%d}\n" for day in days))
    span = f"{days[0]:%Y-%m-%d}\t{days[-1]:%Y-%m-%d}"
    (folder / "instruments/all.txt").write_text("".join(f"{name}\t{span}\n" for name in names))
    for name, own in zip(names, bars, strict=True):
        home = folder / "features" / name.lower()
        home.mkdir(parents=True, exist_ok=True)
        columns = dict(zip(FIELDS, own.T, strict=True))
        columns["vwap"] = (columns["high"] + columns["low"] + columns["close"]) / 3  # as this project takes it
        for field, values in columns.items():
            np.concatenate([[0.0], values]).astype("<f4").tofile(home / f"{field}.day.bin")
    return names


def main() -> None:
    """Time the features of all symbols, nothing cached, on all cores."""
    folder = Path(sys.argv[1])
    bars = np.load(folder / "bars.npy")
    names = write_provider(folder / "qlib", bars)
    qlib.init(provider_uri=str(folder / "qlib"), expression_cache=None, dataset_cache=None, logging_level="ERROR")
    fields, _ = Alpha158DL.get_feature_config()
    # What is loaded late is not measured.
    D.features(names[:2], fields[:2], freq="day")
    started = time.perf_counter()
    found = D.features(names, fields, freq="day")
    seconds = time.perf_counter() - started
    values = found.to_numpy(np.float32).reshape(*bars.shape[:2], len(fields))
    np.save(folder / "qlib.npy", np.ascontiguousarray(values.transpose(2, 0, 1)))
    own = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"version": qlib.__version__, "seconds": seconds, "mib": own, "mib_of_the_largest_child": child}))


if __name__ == "__main__":
    main()
