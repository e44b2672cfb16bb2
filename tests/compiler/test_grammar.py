"""The page on what compiles is true: each row of its tables compiles and does what Python does, or has its reason."""

import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.compiler import mathematics
from strades_pipelines.compiler.lowered_values import NotCompilable
from tests.compiler.fuzz import bits, compiled, per_event, rows_of, started
from tests.compiler.harness import module_of

PAGE = (Path(__file__).parents[2] / "docs" / "compiled.md").read_text()
STATE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
ELSEWHERE = ("the decorator", "the parameters", "calls itself")  # are reasons of the function that is called
SOURCE = """
import contextlib
import functools
import math
from math import sqrt

from strades_pipelines.strategy.indicators import Sma
from strades_pipelines.strategy.strategy import Strategy

LIMIT = 3
TABLE = [1.0]
CONTEXT = contextlib.nullcontext()


def helped(x, factor=2.0):
    return x * factor


def traced(function):
    @functools.wraps(function)
    def wrapper(x):
        return function(x) + 1.0
    return wrapper


@traced
def decorated(x):
    return x


def any_number(*given):
    return given[0]


class Part:
    def __init__(self, step):
        self.step = step
        self.total = 0.0
        self.calls = 0

    @property
    def mean(self):
        return self.total / self.calls if self.calls else 0.0

    def add(self, value):
        self.total += value * self.step
        return self.total

    def next(self):
        self.calls = (self.calls + 1) % 3
        return self.calls


class Other(Part):
    def __init__(self):
        super().__init__(-1.0)
        self.last = 0.0

    def add(self, value):
        self.last = value
        return -value


{state}
    def score(self, x, scale=1.0):
        return x * scale

    def down(self, x):
        return self.down(x - 1.0) if x > 0.0 else x

    def on_aggregate_bar(self, bar, account):
        {lines}


Written = Example
"""


def rows_under(heading: str) -> list[tuple[str, str]]:
    """The code of each row of a table, and what stands beside it."""
    table = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*`) \| ?(.*?) ?\|$", table, re.MULTILINE)
    assert len(rows) >= 15
    return [("\n".join(re.findall(r"`([^`]+)`", code)), said) for code, said in rows]


def module_with(lines: list[str], folder: Path) -> Any:
    text = "\n".join(lines).replace("\n", "\n        ")
    return module_of(SOURCE.format(state=STATE, lines=text), folder)


@pytest.mark.parametrize("heading", ["Statements", "Expressions"])
def test_each_row_compiles_and_does_what_python_does(heading: str, tmp_path: Path) -> None:
    source = module_with([code for code, _ in rows_under(heading) if "return" not in code], tmp_path)
    plain, desk = started(source), started(source)
    assert per_event(plain, rows_of(1)) is None
    assert compiled(desk, rows_of(1), tmp_path) is None
    assert bits(desk) == bits(plain)
    assert plain.strategy.a != 0.0  # type: ignore[attr-defined]


def test_each_row_is_refused_with_the_reason_beside_it_and_its_line(tmp_path: Path) -> None:
    rows = rows_under("Refused")
    source = module_with([code for code, _ in rows], tmp_path)
    with pytest.raises(NotCompilable) as refused:
        compiled(started(source), rows_of(1), tmp_path)
    reasons = str(refused.value).splitlines()
    lines = inspect.getsource(source).splitlines()
    for code, said in rows:
        line = next(k for k, text in enumerate(lines, 1) if text.strip() == code.splitlines()[-1])
        where = re.compile(rf"written_\d+\.py:{line}: ")
        mine = [reason for reason in reasons if where.search(reason) or said.startswith(ELSEWHERE)]
        assert any(said in reason for reason in mine), (code, said, reasons)


def test_the_page_names_the_functions_of_math_that_compile() -> None:
    row = next(said for code, said in rows_under("Expressions") if "math.sqrt" in code)
    assert tuple(re.findall(r"`(\w+)`", row.split(":")[1])) == mathematics.NAMES
