"""What compiled code once did otherwise than Python: each is right now, refused, or goes on per event."""

from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.compiler import machine
from strades_pipelines.compiler.lowered_values import PER_EVENT, NotCompilable
from tests.compiler.fuzz import bits, compiled, per_event, rows_of, started
from tests.compiler.harness import module_of

SOURCE = """
import math
from strades_pipelines.strategy.indicators import HeikinAshi, RollingMax, Sma
from strades_pipelines.strategy.strategy import Strategy

LEVELS = [1.0, 2.0]

class Bare:
    def __init__(self, size):
        self.size = size

class Careful:
    def __init__(self):
        self.sum = 0.0
    def __setattr__(self, name, value):
        object.__setattr__(self, name, value * 2.0)

class Tripled:
    def __set_name__(self, owner, name):
        self.name = name
    def __get__(self, held, owner=None):
        return 7 if held is None else held.__dict__[self.name] + 1.0
    def __set__(self, held, value):
        held.__dict__[self.name] = 3.0 * value

class Watched:
    level = Tripled()
    def __init__(self):
        self.level = 1.0
        self.total = 0.0
    @property
    def size(self):
        return self.__dict__["size"] * 2.0
    @size.setter
    def size(self, value):
        self.__dict__["size"] = value + 1.0
    @property
    def twice(self):
        return self.total * 2.0
    def add(self, value):
        self.total += value
        return self.total

class Written(Strategy):
    SCALE = 2
    shift = Tripled()
    def on_start(self, account):
        self.a = 0.0
        self.n = 0
        self.big = 3037000500
        self.up = False
        self.window = [1.0, 2.0, 3.0]
        self.counts = [0, 0]
        {state}

    def turn(self):
        self.n += 1
        return self.n % 2

    def on_aggregate_bar(self, bar, account):
        {lines}
"""
RIGHT = {
    "the value of or": ("", "account.target[bar.i] = float(self.turn() or 5)"),
    "the value of and": ("", "account.target[bar.i] = bar.close > 0.0 and self.window[1]"),
    "an index worked out once": ("", "self.counts[self.turn()] += 1"),
    "a middle compared once": ("", "self.up = 0 < self.turn() < 2"),
    "arguments in the order of the call": ("", "self.a = max(self.turn() * 2.0, float(self.turn()))"),
    "a constant index from the end": ("", "account.target[bar.i] = self.window[-1]"),
    "objects of floats alone": (
        "self.candles = [HeikinAshi() for _ in range(2)]",
        "self.a = self.candles[bar.i].update(bar.open, bar.high, bar.low, bar.close)",
    ),
    "bare objects of floats": ("self.bare = [Bare(1.0), Bare(2.0)]", "self.bare[bar.i].size += bar.close"),
    "objects of ints alone": ("self.bare = [Bare(1), Bare(2)]", "self.bare[bar.i].size += self.turn()"),
    "division of negatives": ("", "self.n = -7 // 2 + -7 % 3 + 7 // -2 + 7 % -3 - self.n // 3"),
    "the rest of negatives": ("", "self.a = -7.5 % 2.0 + 7.5 % -2.0 + (0.0 - bar.close) % 3.0"),
    "a rest of zero has the sign of the divisor": ("", "self.a = math.copysign(1.0, 6.0 % -2.0)"),
    "minus zero": ("", "self.a = math.copysign(1.0, -0.0) + math.atan2(-0.0, -1.0)"),
    "not a number": ("", "x = math.nan\n        self.up = x == x or x < 1.0 or not x\n        self.a = max(1.0, x)"),
    "a number of the class": ("", "self.a = bar.close * self.SCALE"),
    "ints among floats": ("", "self.window[0] = self.turn()\n        self.a = self.window[0] * self.window[0] * 0.5"),
    "an int that becomes a float": ("", "x = 0\n        x += bar.close\n        self.a = x / 2"),
    "a maximum of ints": ("self.high = RollingMax(2)", "self.a = self.high.update(self.turn()) / 3"),
}
FAILS = {
    "float division": ("", "self.a = 1.0 / (bar.close - bar.close)"),
    "int division": ("", "self.a = 1 / (self.n - self.n)"),
    "int floor division": ("", "self.n = 1 // (self.n - self.n)"),
    "int modulo": ("", "self.n = 1 % (self.n - self.n)"),
    "float modulo": ("", "self.a = bar.close % (self.a - self.a)"),
    "reading behind a list": ("", "self.a = self.window[3]"),
    "writing behind a list": ("", "self.window[self.turn() + 3] = 1.0"),
    "far from the end": ("", "self.a = self.window[-4]"),
    "a root": ("", "self.a = math.sqrt(0.0 - bar.close)"),
    "a logarithm": ("", "self.a = math.log1p(-1.0)"),
    "too large": ("", "self.a = math.cosh(bar.close * 100.0)"),
    "an arc": ("", "self.a = math.asin(bar.close)"),
    "an int of an infinity": ("", "self.n = int(math.inf * bar.close)"),
}
GOES_ON = {
    "a product above 64 bits": ("", "self.a = float(self.big * self.big % 7)"),
    "a sum above 64 bits": ("", "self.n = self.big * 3000000000 + self.big * 3000000000"),
    "the least integer divided by -1": ("self.low = -9223372036854775808", "self.n = self.low // (self.n - 1)"),
    "an int of a large float": ("", "self.n = int(bar.close * 1e18) % 10"),
    "an integer above 2**53 equal to a float": ("self.odd = 2 ** 53 + 1", "self.up = self.odd == 9007199254740992.0"),
    "integers above 2**53 divided": ("self.odd = 2 ** 53 + 1", "self.a = self.odd / 3"),
    "a computed index below 0": ("", "self.a = self.window[self.n - 1]"),
    "a zero that may be an int": ("", "x = 1.5 if self.up else 0\n        self.a = math.copysign(1.0, -x)"),
    "products that may be ints": ("", "x = 1.5 if self.up else 3037000501\n        self.a = x * x % 7"),
}
REFUSED = {
    "two names of a list": ("self.view = self.window", "self.a = self.view[0]", "are the same list"),
    "two names of an object": ("self.m = Sma(3)\n        self.k = self.m", "self.a = self.k.value", "are the same Sma"),
    "one object twice in a list": ("self.ms = [Sma(5)] * 2", "self.ms[0].update(bar.close)", "are the same Sma"),
    "the account under a name": ("self.account = account", "self.a = self.account.cash", "are the same Account"),
    "a list of the account": ("self.held = account.position", "self.a = self.held[0]", "are the same list"),
    "a name that no way sets": ("", "self.a = unset\n        unset = 1.0", "unset may be read before it is set"),
    "a name that some ways set": (
        "",
        "if self.up:\n            x = 1.0\n        self.a = x",
        "x may be read before it is",
    ),
    "a loop that may not begin": (
        "",
        "for k in range(self.n):\n            x = k\n        self.a = x",
        "x may be read",
    ),
    "state above 64 bits": ("self.huge = 10 ** 30", "self.a = 1.0", "an integer of more than 64 bits"),
    "a constant above 64 bits": ("", "self.n = 10000000000000000000000 % 7", "an integer of more than 64 bits"),
    "a truth value that a number is put into": ("", "self.up = self.n", "a truth value became a whole number"),
    "objects of other kinds in a list": (
        "self.b = [Bare(1), Bare(2.5)]",
        "self.a = self.b[1].size",
        "Written.b is a list",
    ),
    "attributes set in a way of its own": ("self.c = Careful()", "self.c.sum = bar.close", "a way of its own"),
    "a method under another's name": ("self.turn = self.twice", "self.n = self.turn()", "the call self.turn()"),
    "a local name for a builtin": ("", "abs = bar.close\n        self.a = abs(abs)", "the call abs(abs)"),
    "a loop's name that was an object's before": (
        "self.pair = (Watched(), Watched())\n        self.alone = Watched()",
        "one = self.alone\n        for _ in range(2):\n            one.total += 1.0\n"
        "            for one in self.pair:\n                self.a += one.add(1.0)",
        "whose name one stands for something before",
    ),
    "a loop's name that was a number before": (
        "self.pair = (Watched(), Watched())",
        "one = bar.close\n        if self.up:\n            for one in self.pair:\n                one.add(1.0)\n"
        "        account.target[0] = one",
        "whose name one stands for something before",
    ),
    "a loop's name that was the bar's before": (
        "self.pair = (Watched(), Watched())",
        "for bar in self.pair:\n            self.a += bar.add(1.0)",
        "whose name bar stands for something before",
    ),
    "a loop's name behind it": (
        "self.pair = (Watched(), Watched())",
        "for one in self.pair:\n            self.a += one.add(1.0)\n        self.a += one.total",
        "one may be read before it is set",
    ),
    "reading a data descriptor": ("self.w = Watched()", "self.a = self.w.level", "Watched.level is behind a Tripled"),
    "writing a data descriptor": ("self.w = Watched()", "self.w.level += bar.close", "Watched.level was behind a Trip"),
    "reading a property with a setter of its name": (
        "self.w = Watched()\n        self.w.size = 1.0",
        "self.a = self.w.size",
        "Watched.size is behind a property",
    ),
    "writing a property with a setter of its name": (
        "self.w = Watched()\n        self.w.size = 1.0",
        "self.w.size = bar.close",
        "Watched.size was behind a property",
    ),
    "a descriptor that is a number of the class": ("", "self.a = float(self.shift)", "Written.shift is no number"),
    "a property that is called": ("self.w = Watched()", "self.a = self.w.twice()", "the call self.w.twice()"),
    "a caught error": (
        "",
        "try:\n            self.a = 1.0\n        except ValueError:\n            pass",
        "a Try statement",
    ),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code as it comes: what it does is the same."""
    monkeypatch.setattr(machine, "LEVEL", 0)


def source_of(state: str, lines: str, folder: Path) -> Any:
    lines = lines.replace("self.twice", "self.on_stop")
    state = state.replace("self.twice", "self.on_stop")
    return module_of(SOURCE.format(state=state or "pass", lines=lines), folder)


@pytest.mark.parametrize("name", [*RIGHT, *FAILS])
def test_it_is_what_python_does_errors_and_their_texts_included(name: str, tmp_path: Path) -> None:
    source = source_of(*(RIGHT | FAILS)[name], tmp_path)
    plain, desk = started(source), started(source)
    error = per_event(plain, rows_of(3))
    assert compiled(desk, rows_of(3), tmp_path) == error
    assert bits(desk) == bits(plain)
    assert (error is not None) == (name in FAILS)


@pytest.mark.parametrize("name", GOES_ON)
def test_what_shows_when_it_runs_ends_compiled_code_with_the_line(name: str, tmp_path: Path) -> None:
    found = compiled(started(source_of(*GOES_ON[name], tmp_path)), rows_of(3), tmp_path)
    assert found is not None
    assert found.startswith(f"{PER_EVENT}: {tmp_path}/written_")


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_differ_is_refused_with_file_line_and_reason(name: str, tmp_path: Path) -> None:
    state, lines, said = REFUSED[name]
    with pytest.raises(NotCompilable, match=r"written_\d+\.py:\d+: ") as refused:
        compiled(started(source_of(state, lines, tmp_path)), rows_of(3), tmp_path)
    assert said in str(refused.value)
