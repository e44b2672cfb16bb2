"""The page on writing strategies is true: its files are written, its code is run, its commands are called, in order."""

import csv
import importlib
import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from strades_pipelines.brokerage.wallets import read_wallets
from strades_pipelines.research import research_commands, strategy_checks
from strades_pipelines.settings import settings
from strades_pipelines.strategy.registry import strategies
from tests.strategy.library.data import packaged

PAGE = Path(__file__).parents[1] / "docs" / "strategies.md"
BLOCKS = [(kind, code) for kind, code in re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)]
FILES = ("breakout", "protected", "strongest", "growing", "broken")
app = typer.Typer()
app.add_typer(research_commands.app)
app.add_typer(strategy_checks.app)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with bars, as the page says there is one, and an installation of its own."""
    for symbol in ("GOOG", "AAPL", "MSFT"):
        bars = packaged(symbol, "2006-01-01")
        opens = np.datetime_as_string(bars.open_time.astype("datetime64[us]"), unit="s")
        with (tmp_path / f"{symbol.lower()}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["ts_utc", "open", "high", "low", "close", "volume"])
            writer.writerows([f"{time}Z", *row] for time, row in zip(opens, bars.prices.T.tolist(), strict=True))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("STRADES_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()
    for name in FILES:
        sys.modules.pop(name, None)


def test_every_block(folder: Path) -> None:
    names: dict[str, Any] = {}
    for kind, code in BLOCKS:
        if kind == "python" and code.startswith("# "):
            (folder / code.splitlines()[0].removeprefix("# ")).write_text(code)
            importlib.invalidate_caches()
        elif kind == "python":
            exec(compile(code, str(PAGE), "exec"), names)
        elif kind == "console":
            for line in code.splitlines():
                _call(line)
        elif kind == "json":
            (folder / "Wallets.json").write_text(json.dumps({"wallets": [json.loads(code)]}))
            assert read_wallets(folder / "Wallets.json").templates[0].new_strategy().parameters["slow"] == 26
        else:
            raise AssertionError(f"a block of kind {kind}: who runs it?")


def _call(line: str) -> None:
    words = shlex.split(line.removeprefix("$ "))
    assert words[0] == "strades"
    done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, f"{line}\n{done.output}"
    if "--json" in words:
        document = json.loads(done.stdout)
        assert document["fills"] or document.get("findings") == []


def test_the_page_has_a_strategy_of_under_twenty_lines() -> None:
    first = next(code for kind, code in BLOCKS if kind == "python")
    assert len([line for line in first.splitlines()[1:] if line.strip()]) < 20


def test_the_page_names_every_strategy_of_the_library() -> None:
    table = PAGE.read_text().split("## The library")[1]
    assert set(re.findall(r"`([a-z][a-z0-9_]+)`", table)) == set(strategies())


def test_the_page_names_every_hook() -> None:
    from strades_pipelines.strategy.strategy import Strategy

    hooks = {name for name in vars(Strategy) if name.startswith("on_")}
    assert hooks == set(re.findall(r"`(on_\w+)", PAGE.read_text().split("## What it hears")[1].split("##")[0]))
