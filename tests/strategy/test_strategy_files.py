"""Strategies as they are named on a command line, and their parameters."""

import sys
from pathlib import Path

import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.strategy.library.sma_cross import SmaCross
from strades_pipelines.strategy.strategy_files import load_strategy, make_strategy, parameters

TWO = """
from strades_pipelines.strategy.strategy import Strategy

class First(Strategy):
    count: int = 1
    part: float = 0.5
    loud: bool = False
    word: str = "a"

class Second(First):
    pass
"""


@pytest.fixture
def two(tmp_path: Path) -> Path:
    path = tmp_path / "two.py"
    path.write_text(TWO)
    return path


def test_a_strategy_of_the_library_goes_by_its_name() -> None:
    assert load_strategy("sma_cross") is SmaCross


def test_a_class_of_a_file_goes_by_file_and_name_and_is_loaded_once(two: Path) -> None:
    first, second = load_strategy(f"{two}:First"), load_strategy(f"{two}:Second")
    assert [first.__name__, second.__name__] == ["First", "Second"]
    assert issubclass(second, first)
    assert load_strategy(f"{two}:First") is first


def test_a_file_with_one_strategy_needs_no_name(tmp_path: Path, two: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text(TWO.replace("class Second(First):\n    pass\n", ""))
    assert load_strategy(str(path)).__name__ == "First"
    with pytest.raises(BadInput, match=r"two\.py: expected a strategy of this file \(First, Second\)"):
        load_strategy(str(two))


def test_a_changed_file_is_loaded_again(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # as where nobody forbids it
    before = load_strategy(f"{two}:First")
    two.write_text(TWO.replace("count: int = 1", "count: int = 2"))
    assert (
        make_strategy(before, {}).parameters["count"],
        make_strategy(load_strategy(f"{two}:First"), {}).parameters["count"],
    ) == (1, 2)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("x = 1\ny = (\n", r"bad\.py:2: SyntaxError"),
        ("import gone_for_good\n", r"bad\.py:1: ModuleNotFoundError: No module named 'gone_for_good'"),
        ("def f():\n    return 1 / 0\n\nf()\n", r"bad\.py:2: ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", r"bad\.py:2: SystemExit"),
        ("x = 1\n", r"bad\.py: expected a strategy of this file \(none\)"),
    ],
)
def test_a_file_that_does_not_import_is_refused_with_the_line(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(content)
    with pytest.raises(BadInput, match=told):
        load_strategy(f"{tmp_path}/bad.py:Strategy")


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("nothing", r"expected FILE\.py:Class or one of .*sma_cross.*; found 'nothing'"),
        ("gone.py:A", r"gone\.py: expected a readable strategy file, found No such file"),
    ],
)
def test_an_unknown_strategy_is_refused(named: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        load_strategy(named)


def test_parameters_are_of_the_declared_types(two: Path) -> None:
    cls = load_strategy(f"{two}:First")
    given = parameters(cls, ["count=3", "part=2", "loud=true", "word=x=y"])
    assert given == {"count": 3, "part": 2.0, "loud": True, "word": "x=y"}
    assert isinstance(given["part"], float)
    assert make_strategy(cls, given).parameters == given


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["count"], "expected a parameter as name=value, found 'count'"),
        (["cuont=3"], "parameter cuont: expected one of count, part, loud, word"),
        (["count=3.5"], "parameter count: expected int, found '3.5'"),
        (["part=x"], "parameter part: expected float, found 'x'"),
        (["loud=perhaps"], "parameter loud: expected bool, found 'perhaps'"),
        (["count=1", "count=2"], "parameter count: expected one value"),
    ],
)
def test_bad_parameters_are_refused(given: list[str], told: str, two: Path) -> None:
    with pytest.raises(BadInput, match=f"First: .*{told}" if "parameter" in told else told):
        parameters(load_strategy(f"{two}:First"), given)


def test_what_a_constructor_refuses_is_bad_input() -> None:
    with pytest.raises(BadInput, match="expected 1 <= fast < slow"):
        make_strategy(SmaCross, {"fast": 9, "slow": 9})
