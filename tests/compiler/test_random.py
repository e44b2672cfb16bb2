"""Random methods over random numbers: compiled equals Python to the bit, errors included."""

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strades_pipelines.compiler.lowered_values import PER_EVENT
from tests.compiler.harness import Compiled, Stepped, bits, in_python, module_of

NAMES = ("bar.open", "bar.high", "bar.low", "bar.close", "self.kept")
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 3.0, -7.25, 1e-308, 1e300, math.inf, -math.inf, math.nan)
NUMBERS = st.sampled_from(SPECIAL) | st.floats(-100, 100)
ROWS = st.lists(st.tuples(*[NUMBERS] * 5), min_size=1, max_size=12)


def _two(make: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda given: make.format(*given))


def _floats(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from((*NAMES, "0.0", "-0.0", "2.5", "math.inf", "1e-300"))
    if depth == 0:
        return leaf
    inner, whole, truth = _floats(depth - 1), _wholes(min(depth - 1, 1)), _truths(depth - 1)
    return st.one_of(
        leaf,
        *(_two(f"({{}} {sign} {{}})", inner, inner) for sign in ("+", "-", "*", "/", "%")),
        _two("({} * {})", whole, inner),
        _two("({} / {})", whole, whole),
        _two("({} if {} else {})", inner, truth, inner),
        *(_two(f"{name}({{}}, {{}})", inner, inner) for name in ("min", "max")),
        *(_two(f"{name}({{}})", inner) for name in ("abs", "-", "math.sqrt", "math.log", "math.exp", "math.sin")),
        *(_two(f"{name}({{}})", inner) for name in ("math.fabs", "math.cos", "float", "helper")),
        _two("float({})", whole),
    )


def _wholes(depth: int) -> st.SearchStrategy[str]:
    leaf = st.sampled_from(("bar.open_time", "self.step", "0", "3", "-2", "len(self.ring)"))
    if depth == 0:
        return leaf
    inner, real, truth = _wholes(depth - 1), _floats(depth - 1), _truths(depth - 1)
    bounded = _two("max(min({}, 1e6), -1e6)", real)
    return st.one_of(
        leaf,
        *(_two(f"({{}} {sign} {{}})", inner, inner) for sign in ("+", "-", "*", "//", "%")),
        *(_two(f"{name}({{}})", bounded) for name in ("int", "math.floor", "math.ceil")),
        *(_two(f"{name}({{}})", inner) for name in ("abs", "-", "int")),
        *(_two(f"{name}({{}}, {{}}, {{}})", inner, inner, inner) for name in ("min", "max")),
        _two("({} if {} else {})", inner, truth, inner),
    )


def _truths(depth: int) -> st.SearchStrategy[str]:
    real, whole = _floats(max(depth - 1, 0)), _wholes(max(min(depth - 1, 1), 0))
    compared = [_two(f"({{}} {sign} {{}})", real, real) for sign in ("<", "<=", ">", ">=", "==", "!=")]
    leaf = st.one_of(*compared, _two("({} < {})", whole, real), _two("({} == {})", whole, whole))
    if depth == 0:
        return leaf
    inner = _truths(depth - 1)
    return st.one_of(
        leaf,
        _two("({} and {})", inner, inner),
        _two("({} or {})", inner, inner),
        _two("(not {})", inner),
        _two("({} < {} <= {})", real, real, real),
        _two("bool({})", real),
        *(_two(f"math.{name}({{}})", real) for name in ("isnan", "isfinite")),
    )


STATEMENTS = st.one_of(
    _two("self.out = {}", _floats(3)),
    _two("self.out += {}", _floats(2)),
    _two("self.kept = {}", _floats(2)),
    _two("self.whole = {}", _wholes(2)),
    _two("self.flag = {}", _truths(2)),
    _two("self.ring[{} % 3] = {}", st.just("bar.open_time"), _floats(2)),
    _two(
        "if {}:\n            self.out = {}\n        else:\n            self.whole = {}",
        _truths(2),
        _floats(2),
        _wholes(1),
    ),
    _two(
        "for k in range({}):\n            self.out += {} * k", st.sampled_from(("3", "len(self.ring)", "1")), _floats(1)
    ),
)
SOURCE = """
import math
from tests.compiler.harness import Stepped


def helper(x):
    if x > 1.0:
        return x * 0.5
    return -x


class Written(Stepped):
    def __init__(self):
        super().__init__()
        self.kept = 0.25
        self.step = 3
        self.ring = [0.0] * 3

    def on_bar(self, bar):
        {}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the sources, and the machine code."""
    return tmp_path_factory.mktemp("random")


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.lists(STATEMENTS, min_size=1, max_size=5), ROWS)
def test_random_methods_are_the_same_compiled(
    folder: Path, statements: list[str], rows: list[tuple[float, ...]]
) -> None:
    source = SOURCE.format("\n        ".join(statements))
    make = module_of(source, folder).Written
    compiled = Compiled(make(), folder)
    for start in range(len(rows)):  # from every row on, so that an error of one hides nothing of the next
        plain: Stepped = make()
        error = in_python(plain, rows[start : start + 3])
        for apart in (False, True):
            other: Stepped = make()
            other.apart = apart
            found = compiled.run(other, rows[start : start + 3])
            other.apart = False
            if found and found.startswith(PER_EVENT):
                continue  # what it did is thrown away
            assert found == error, source
            assert bits(other) == bits(plain), source
