"""Cases made after the public fault reports of other back-testers, each with its right value from outside.

They lie beside the project (`STRADES_SHARED`); each is run by its command, in every mode.
"""

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED
from tests.research.bars import Answer, Run

FOLDER = SHARED / "data" / "cases" / "engine"


def cases() -> list[dict[str, Any]]:
    """Every case of the folder; none where it is absent."""
    file = FOLDER / "cases.json"
    return json.loads(file.read_text())["cases"] if file.is_file() else []


def faults(case: Mapping[str, Any], answer: Answer) -> list[str]:
    """What of the first expectation is not so; nothing where one of several holds."""
    expected = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    found = [_faults(one, answer, case.get("tolerance", 1e-9)) for one in expected]
    return [] if [] in found else found[0]


def _faults(expected: Mapping[str, Any], answer: Answer, tolerance: float) -> list[str]:
    code = expected.get("rc", 2 if "error" in expected else 0)
    if answer.code != code and not ("error" in expected and answer.code != 0):
        return [f"ended with {answer.code}: {answer.err}"]
    if "rc" in expected or "error" in expected:
        return []
    said = answer.document
    found: list[str] = []
    for name, value in expected.items():
        check = CHECKS.get(name)
        if check is None:
            actual = said["best_case"]["equity"] if name == "best_case" else said[name]
            if not _is(actual, value, tolerance):
                found.append(f"{name}: {actual}, expected {value}")
        else:
            found += check(said, value, tolerance)
    return found


def _is(actual: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, float | int) and isinstance(actual, float | int):
        return math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)
    return bool(expected == "*" or actual == expected)


def _fills(said: Any, expected: Any, tolerance: float) -> list[str]:
    rows = [[fill[name] for name in ("time", "instrument", "side", "quantity", "price")] for fill in said["fills"]]
    same = len(rows) == len(expected) and all(
        _is(a, b, tolerance)
        for row, wanted in zip(rows, expected, strict=True)
        for a, b in zip(row, wanted, strict=True)
    )
    return [] if same else [f"fills: {rows}, expected {expected}"]


def _statistics(said: Any, expected: Any, tolerance: float) -> list[str]:
    actual = {name: said["statistics"][name] for name in expected}
    wrong = {name: actual[name] for name, value in expected.items() if not _is(actual[name], value, tolerance)}
    return [f"statistics: {wrong}, expected {expected}"] if wrong else []


def _states(said: Any, expected: Any, tolerance: float) -> list[str]:
    actual = {str(order["order"]): order["state"] for order in said["orders"]}
    return [] if expected.items() <= actual.items() else [f"states: {actual}, expected {expected}"]


def _profits(said: Any, expected: Any, tolerance: float) -> list[str]:
    actual = [trade["profit"] for trade in said["trades"] if not trade["is_open"]]
    return [] if actual == pytest.approx(expected, abs=tolerance) else [f"profits: {actual}, expected {expected}"]


def _equity_at_most(said: Any, expected: Any, tolerance: float) -> list[str]:
    return [] if said["equity"] <= expected + tolerance else [f"equity: {said['equity']}, expected {expected} at most"]


def _no_fill(said: Any, expected: Any, tolerance: float) -> list[str]:
    actual = [[fill["time"], fill["price"]] for fill in said["fills"]]
    return [f"fills: {actual}, expected none of {expected}"] if any(one in actual for one in expected) else []


def _months(said: Any, expected: Any, tolerance: float) -> list[str]:
    actual = said.get("months", {})
    same = actual.keys() == expected.keys() and all(
        actual[year] == pytest.approx(expected[year], abs=tolerance) for year in expected
    )
    return [] if same else [f"months: {actual}, expected {expected}"]


def _sets(said: Any, expected: Any, tolerance: float) -> list[str]:
    rows = sorted(said["sets"], key=lambda row: list(row["parameters"].values()))
    same = len(rows) == len(expected) and all(
        _is(row["parameters"].get(name, math.nan), value, tolerance)
        for row, (chosen, _) in zip(rows, expected, strict=True)
        for name, value in chosen.items()
    )
    same = same and all(
        _is(row[name], value, tolerance)
        for row, (_, figures) in zip(rows, expected, strict=True)
        for name, value in figures.items()
    )
    return [] if same else [f"sets: {rows}, expected {expected}"]


MODES = os.environ.get("CASES_MODES", "events").split(",")


CHECKS = {
    "fills": _fills,
    "statistics": _statistics,
    "states": _states,
    "profits": _profits,
    "equity_at_most": _equity_at_most,
    "no_fill": _no_fill,
    "months": _months,
    "sets": _sets,
}


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["id"])
def test_the_case_comes_out_right(case: dict[str, Any], strades: Run, tmp_path: Path, monkeypatch: Any) -> None:
    folder = tmp_path / "case"
    shutil.copytree(FOLDER / case["id"], folder)
    monkeypatch.chdir(folder)
    wrong = []
    for mode in MODES:
        words = [*case["command"], "--json"]
        words += ["--mode", mode, "--no-ledger"] if case["command"][0] != "lookahead" else []
        answer = strades(*words)
        refuses = mode == "compiled" and answer.code == 2 and "--mode compiled" in answer.err
        wrong += [] if refuses else [f"{mode}: {fault}" for fault in faults(case, answer)]
    assert not wrong, "\n".join([case["right"], *wrong])


def test_the_cases_are_there(shared_data: Path) -> None:
    assert len(cases()) > 40
