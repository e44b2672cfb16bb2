"""`make new-source` and `make new-strategy` in a copy of the project: what they make passes the checks as it is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plants import copy_project

LIBRARY = "tests/strategy/library"
# What in the suite looks at each protocol, each source and each strategy that there is.
CHECKS = (
    "tests/ingestion/test_new_rates.py",
    "tests/datamanager/test_protocols.py",
    "tests/datamanager/test_sources.py",
    f"{LIBRARY}/test_above_mean.py",
    f"{LIBRARY}/test_fingerprints.py::test_23_every_strategy_has_a_fingerprint_on_the_packaged_bars",
    f"{LIBRARY}/test_fingerprints.py::test_23_backtest_equals_its_stored_fingerprint[above_mean.stocks]",
    f"{LIBRARY}/test_compiled.py::test_compiled_is_per_event[above_mean]",
    f"{LIBRARY}/test_compiled.py::test_a_strategy_is_a_short_file_that_says_what_it_does[above_mean]",
    "tests/simulation/test_lookahead.py::test_strategies_of_the_library_pass[above_mean]",
    "tests/simulation/test_startup.py::test_strategies_of_the_library_pass[above_mean]",
    "tests/strategy/test_registry.py",
    "tests/test_docs_strategies.py::test_the_page_names_every_strategy_of_the_library",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project as git knows it."""
    copy_project(tmp_path / "project")
    return tmp_path / "project"


def python(copy: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A module run in the copy."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # each but the first finds the copy compiled
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file but those that Python keeps for itself."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path: path.read_bytes() for path in files}


@pytest.mark.slow
def test_what_is_made_passes_every_check(copy: Path) -> None:
    listed = json.loads((copy / "Sources.json").read_text())
    for kind, name in (("source", "new_rates"), ("strategy", "above_mean")):
        made = python(copy, "scaffold", kind, name)
        assert made.returncode == 0, made.stderr
    new = [path for path in made.stdout.split() if path.endswith(".py")] + ["tests/ingestion/test_new_rates.py"]
    websites = json.loads((copy / "Sources.json").read_text())["websites"]
    assert websites[:-1] == listed["websites"]
    assert (websites[-1]["name"], websites[-1]["fonctionnel"]) == ("new_rates", False)
    for check in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("mypy", "--config-file", "pyproject.toml", *new),
        ("pytest", "-n", "0", "-q", "--tb=short", *CHECKS),
    ):
        done = python(copy, *check)
        assert done.returncode == 0, f"{check[0]}\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}"


def test_a_name_that_is_there_or_cannot_be_one_is_refused_and_nothing_is_made(copy: Path) -> None:
    before = contents(copy)
    for kind, name in (("source", "yahoo"), ("source", "yahoo_chart"), ("strategy", "sma_cross"), ("strategy", "Mine")):
        done = python(copy, "scaffold", kind, name)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), name
    assert contents(copy) == before
