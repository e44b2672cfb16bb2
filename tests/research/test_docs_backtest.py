"""The page on backtests is true: its commands are called, its specs parsed, its fields are those of the documents."""

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from strades_pipelines.research.research_options import FeeSpec, FillSpec
from strades_pipelines.simulation.trading_costs import FEE_PARSERS, FILL_PARTS, parse_fee, parse_fills
from tests.research.bars import Run
from tests.strategy.library.data import packaged

PAGE = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text()
COMMANDS = [line[2:] for code in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL) for line in code.splitlines()]


@pytest.fixture
def bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that the page speaks of."""
    for symbol in ("GOOG", "AAPL", "MSFT"):
        held = packaged(symbol, "2006-01-01")
        # The page's files carry the date of a session as its label.
        days = np.datetime_as_string(held.open_time.astype("M8[us]").astype("M8[D]"))
        with (tmp_path / f"{symbol.lower()}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["ts_utc", "open", "high", "low", "close", "volume"])
            rows = zip(days, held.prices.T.tolist(), strict=True)
            writer.writerows([f"{day}T00:00:00Z", *prices] for day, prices in rows)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_runs(command: str, bars: None, strades: Run) -> None:
    words = shlex.split(command)
    assert words[0] == "strades"
    answer = strades(*words[1:])
    assert (answer.code, answer.err) == (0, "")
    if "--json" in words:
        named = set(re.findall(r"`(\w+)`", PAGE.split("## What it says")[1]))
        assert set(answer.document) - named <= {"varied", "skipped", "sets", "sort", "seconds"}
        assert answer.document.get("fills") or answer.document.get("sets")


def specs(section: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)`", PAGE.split(f"### {section}\n")[1].split("\n#")[0], re.MULTILINE)


def test_the_page_has_every_fee() -> None:
    for spec in specs("Fees"):
        parse_fee(spec)
    assert {spec.partition(":")[0] for spec in specs("Fees")} == set(FEE_PARSERS)


def test_the_page_has_every_part_of_fills() -> None:
    for spec in specs("Fills"):
        parse_fills(f"next-open,{spec}")
    assert {spec.partition("=")[0] for spec in specs("Fills")} == set(FILL_PARTS)


@pytest.mark.parametrize(("option", "known"), [(FeeSpec, FEE_PARSERS), (FillSpec, FILL_PARTS)])
def test_the_help_has_them_all(option: object, known: dict[str, object]) -> None:
    said = option.__metadata__[0].help  # type: ignore[attr-defined]
    assert [name for name in known if name not in said] == []
