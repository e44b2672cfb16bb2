"""Runs a class's hook over bars in Python and compiled, in both ways that compiled code works."""

import ctypes
import importlib.util
import linecache
import math
import struct
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from strades_pipelines.compiler.body import lower_function
from strades_pipelines.compiler.layout import Packer, unpack
from strades_pipelines.compiler.loop import Hook, Loop
from strades_pipelines.compiler.lowered_values import Event, Number, Object
from strades_pipelines.compiler.machine import Machine, load
from strades_pipelines.compiler.object_shapes import shape_of
from strades_pipelines.compiler.program import MEMORY, Program
from strades_pipelines.compiler.shapes import Shape
from strades_pipelines.engine.columns import bar_columns
from strades_pipelines.strategy.events import BAR, Bar

NUMBERS = count()
Row = Sequence[float]


class Stepped:
    """What is tested: `on_bar` is compared. `apart` has it run on the arrays themselves, as rare events are."""

    def __init__(self) -> None:
        self.full = False
        self.apart = False
        self.out = 0.0
        self.whole = 0
        self.flag = False

    def is_busy(self, bar: Bar) -> bool:
        """Asked before each bar."""
        return self.apart


class Compiled:
    """The machine code for a kind of object."""

    def __init__(self, obj: Stepped, folder: Path) -> None:
        self.shape = shape_of(obj)
        owner, row = Object(self.shape), [Event(Bar, row=Number(None, "int"))]
        reals: frozenset[tuple[Shape, str]] = frozenset()
        while True:
            program = Program(lower_function, single=True, reals=reals, root=owner)
            hook = Hook(
                program.method(owner, "on_bar", row, "on_bar", hot=True),
                program.method(owner, "on_bar", row, "on_bar", apart=True),
                program.method(owner, "is_busy", row, "is_busy", hot=True),
            )
            if not program.found_reals:
                break
            reals |= program.found_reals
        full = self.shape.get("full")
        assert full is not None
        Loop(program, self.shape, {BAR: hook}, full.n, 0).build()
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * len(MEMORY), ctypes.c_int64, ctypes.c_int64)
        self.text = str(program.module)
        self.machine: Machine = load(self.text, {"run": kind}, tuple(program.errors), folder)

    def run(self, obj: Stepped, rows: Sequence[Row]) -> str | None:
        """Step an object through bars; returns the error that stopped it."""
        packer = Packer()
        packer.add(obj, self.shape)
        floats, integers = packer.arrays()
        old = packer.arrays()
        columns = columns_of(rows)
        table = np.array([array.ctypes.data for array in columns.arrays], np.int64)
        error = ctypes.c_int64(0)
        f, n = floats.ctypes.data, integers.ctypes.data
        run = self.machine.functions["run"]
        run(f, n, f, n, ctypes.addressof(error), table.ctypes.data, 0, len(rows))
        unpack(obj, self.shape, floats, integers, old)
        return self.machine.errors[error.value - 1] if error.value else None


def columns_of(rows: Sequence[Row]) -> Any:
    """Bars of the five numbers of each row; bar k opens at k and closes at k + 1."""
    times = np.arange(len(rows), dtype=np.int64)
    return bar_columns(0, times + 1, times, np.array(rows, np.float64).reshape(-1, 5).T)


def in_python(obj: Stepped, rows: Sequence[Row]) -> str | None:
    """Step an object through bars as it is; returns the error that stopped it."""
    for k, row in enumerate(rows):
        try:
            obj.on_bar(Bar(0, k + 1, k, *map(float, row)))  # type: ignore[attr-defined]
        except (ArithmeticError, ValueError, IndexError) as error:
            return f"{type(error).__name__}: {error}"
    return None


def bits(value: Any) -> Any:
    """All numbers of an object to the bit; every NaN is the same one."""
    if isinstance(value, float):
        return struct.pack("<d", math.nan if value != value else value)
    if isinstance(value, bool | int | str) or value is None:
        return (type(value), value)
    if isinstance(value, list | tuple):
        return [bits(one) for one in value]
    return {name: bits(one) for name, one in vars(value).items()}


def module_of(source: str, folder: Path) -> Any:
    """A module with such a source, in a file of its own."""
    name = f"written_{next(NUMBERS)}"
    path = folder / f"{name}.py"
    path.write_text(source)
    linecache.checkcache(str(path))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
