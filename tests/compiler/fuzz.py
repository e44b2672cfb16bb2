"""Random strategies per event and compiled: fills, cash, values, errors and all state the same to the bit, or refused.

    python -m tests.compiler.fuzz --runs 20000 --log fuzz.tsv

goes on behind the last seed in the log. Most run in a small engine (`desk`); each hundredth in the real one as well.
"""

import argparse
import ctypes
import gc
import struct
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from strades_pipelines.compiler import machine
from strades_pipelines.compiler.aliases import check_aliases
from strades_pipelines.compiler.body import lower_function
from strades_pipelines.compiler.layout import Packer, unpack
from strades_pipelines.compiler.loop import Hook, Loop
from strades_pipelines.compiler.lowered_values import PER_EVENT, Event, NotCompilable, Number, Object, refusing
from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.compiler.program import MEMORY, Program
from strades_pipelines.compiler.shapes import Shape
from strades_pipelines.engine.columns import bar_columns
from strades_pipelines.engine.compiled import TRUSTED
from strades_pipelines.simulation.backtest import Bars, backtest
from strades_pipelines.strategy.events import BAR, Bar
from tests.compiler.desk import Desk
from tests.compiler.harness import module_of
from tests.compiler.random_source import Writer

BARS = 24
# One in so many runs in the real engine; of those that go on per event; and with optimized code, which takes long.
REAL_ENGINE, GOES_ON, OPTIMIZED = 100, 20, 10
COLLECTED = 20  # strategies from one collection of garbage to the next: some hundred MB
EXACT = 1 << 53
KIND = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * len(MEMORY), ctypes.c_int64, ctypes.c_int64)


@dataclass(frozen=True)
class Outcome:
    """How a strategy fared: `compiled`, `error` (the same in both), `refused`, `on the way`, or `DIFFERENT`."""

    seed: int
    result: str
    said: str = ""


def rows_of(seed: int) -> list[tuple[Any, ...]]:
    """Bars of two instruments in turn: prices as of shares, a few of them odd."""
    random, close, rows = Random(seed), [100.0, 20.0], []
    for k in range(BARS):
        i = k % 2
        opened, close[i] = close[i], round(close[i] + random.uniform(-3.0, 3.0), 2)
        high, low = max(opened, close[i]) + 1.0, min(opened, close[i]) - 1.0
        rows.append((i, k + 1, k, opened, high, low, close[i], float(random.randint(0, 5))))
    return rows


def bits(value: Any) -> Any:
    """All numbers of an object to the bit; an int that is a float's equal counts as that, and every NaN is the same."""
    if isinstance(value, bool | int | float):
        if isinstance(value, float) or abs(value) <= EXACT:
            return struct.pack("<d", float("nan") if value != value else float(value))
        return value
    if isinstance(value, list | tuple):
        return [bits(one) for one in value]
    return {name: bits(one) for name, one in vars(value).items()} if hasattr(value, "__dict__") else repr(value)


def started(source: Any) -> Desk:
    """A desk whose strategy has begun."""
    desk = Desk(source.Written())
    desk.strategy.on_start(desk.account)
    return desk


def per_event(desk: Desk, rows: list[tuple[Any, ...]]) -> str | None:
    """Step through bars in Python; returns the error."""
    for row in rows:
        try:
            desk.on_bar(Bar(*row))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None


def lowered(shape: Shape) -> Program:
    """The program for desks of one shape."""
    reals: frozenset[tuple[Shape, str]] = frozenset()
    while True:
        program = Program(lower_function, False, TRUSTED, reals)
        hook = Hook(program.method(Object(shape), "on_bar", [Event(Bar, row=Number(None, "int"))], "on_bar", hot=True))
        if not program.found_reals:
            break
        reals |= program.found_reals
    full = shape.get("full")
    assert full is not None
    Loop(program, shape, {BAR: hook}, full.n, 0).build()
    return program


def compiled(desk: Desk, rows: list[tuple[Any, ...]], folder: Path) -> str | None:
    """Step through bars compiled; returns the error.

    Raises:
        NotCompilable: with the reasons.
    """
    with refusing():
        check_aliases(desk, "desk")
        shape, packer = shape_of(desk), Packer()
        packer.add(desk, shape)
        program = lowered(shape)
        code = machine.load(str(program.module), {"run": KIND}, tuple(program.errors), folder)
    floats, integers = packer.arrays()
    numbers = np.array(rows, np.float64)
    whole = [numbers[:, k].astype(np.int64) for k in range(3)]
    columns = bar_columns(0, whole[1], whole[2], np.ascontiguousarray(numbers[:, 3:].T))
    arrays = [np.ascontiguousarray(array) for array in columns.arrays]
    arrays[1] = whole[0].astype(arrays[1].dtype)
    table, error = np.array([array.ctypes.data for array in arrays], np.int64), ctypes.c_int64(0)
    f, n = floats.ctypes.data, integers.ctypes.data
    code.functions["run"](f, n, f, n, ctypes.addressof(error), table.ctypes.data, 0, len(rows))
    unpack(desk, shape, floats, integers, packer.arrays())
    return code.errors[error.value - 1] if error.value else None


def compare(seed: int, folder: Path) -> Outcome:
    """One strategy, both ways."""
    machine.LEVEL = 3 if seed % OPTIMIZED == 0 else 0
    source = module_of(Writer(seed).strategy(), folder)
    plain, rows = started(source), rows_of(seed)
    error = per_event(plain, rows)
    desk = started(source)
    try:
        found = compiled(desk, rows, folder)
    except NotCompilable as reason:
        said = str(reason)
        return Outcome(seed, "DIFFERENT" if "the compiler failed" in said else "refused", said)
    if found and found.startswith(PER_EVENT):
        return in_real_engine(seed, source, folder) if seed % GOES_ON == 0 else Outcome(seed, "on the way", found)
    if found != error or bits(desk) != bits(plain):
        return Outcome(seed, "DIFFERENT", f"{error} / {found}: {different(bits(plain), bits(desk))}")
    if seed % REAL_ENGINE == 0:
        return in_real_engine(seed, source, folder)
    return Outcome(seed, "error" if error else "compiled", error or "")


def different(plain: Any, other: Any, path: str = "") -> str:
    """Where two states differ first."""
    if isinstance(plain, dict) and isinstance(other, dict):
        return next((text for key in plain if (text := different(plain[key], other.get(key), f"{path}.{key}"))), "")
    if isinstance(plain, list) and isinstance(other, list):
        pairs = enumerate(zip(plain, other, strict=False))
        return next((text for k, (a, b) in pairs if (text := different(a, b, f"{path}[{k}]"))), "")
    return "" if plain == other else f"{path}: {plain!r} is {other!r}"


def in_real_engine(seed: int, source: Any, folder: Path) -> Outcome:
    """The same in a backtest, per event and in mode auto."""
    numbers = np.array(rows_of(seed), np.float64)
    bars = []
    for i in range(2):
        mine = numbers[numbers[:, 0] == i]
        times = mine[:, 1].astype(np.int64) * 60_000_000
        bars.append(Bars(f"X{i}", times, times - 60_000_000, np.ascontiguousarray(mine[:, 3:].T)))
    events, auto = (backtest(source.Written(), bars, mode=mode, cache=folder) for mode in ("events", "auto"))
    same = str(events.error) == str(auto.error) and all(
        getattr(events, kind).tobytes() == getattr(auto, kind).tobytes() for kind in ("fills", "equity", "gross")
    )
    same = same and bits(events.account.cash) == bits(auto.account.cash)
    result = "error" if events.error else "compiled" if auto.mode == "compiled" else "on the way"
    return Outcome(seed, result if same else "DIFFERENT", str(events.error or ""))


def main() -> int:
    """Run strategies from where the log ends; returns 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--log", type=Path, required=True, help="a line for each strategy: seed, result, what was said")
    parser.add_argument("--first", type=int, default=0, help="where a log that is empty begins")
    given = parser.parse_args()
    known = given.log.read_text().splitlines() if given.log.exists() else []
    first = int(known[-1].partition("\t")[0]) + 1 if known else given.first
    gc.disable()  # a strategy is a hundred thousand small objects, which all go at once
    with given.log.open("a") as log:
        for seed in range(first, given.runs):
            if seed % COLLECTED == 0:
                gc.collect()
            with tempfile.TemporaryDirectory() as folder:
                outcome = compare(seed, Path(folder))
            said = " | ".join(outcome.said.splitlines()).replace("\t", " ")
            log.write(f"{seed}\t{outcome.result}\t{said}\n")
            log.flush()
    counts = Counter(line.split("\t")[1] for line in given.log.read_text().splitlines())
    print(", ".join(f"{result}: {count}" for result, count in sorted(counts.items())))
    return 1 if counts["DIFFERENT"] else 0


if __name__ == "__main__":
    sys.exit(main())
