"""The how-tos are true: their commands are run and their code is, in order, in a copy of the project."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.settings import PROJECT
from tests.plants import copy_project
from tests.research.bars import CLOSES, bar_file

FOLDER = PROJECT / "docs" / "how-to"
MAKE = {"new-source": "source", "new-strategy": "strategy"}


def blocks(page: str) -> list[tuple[str, str]]:
    """The kind and the text of every block of a page."""
    return re.findall(r"```(\w+)\n(.*?)```", (FOLDER / page).read_text(), re.DOTALL)


def command(line: str) -> list[str]:
    """A line of a console, as this Python runs it in the copy."""
    words = shlex.split(line.removeprefix("$ "))
    if words[0] == "make":
        name = words[2].removeprefix("NAME=")
        return [sys.executable, "-m", "scaffold", MAKE[words[1]], name]
    if words[0] == "strades":
        return [sys.executable, "-m", "strades_pipelines.cli", *words[1:]]
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """The project as git knows it, with a file of bars and a home of its own."""
    tmp_path.chmod(0o755)
    folder, home = tmp_path / "project", tmp_path / "home"
    copy_project(folder)
    bar_file(folder, CLOSES * 3, "bars.csv")
    yield folder
    if (home / "postgres").exists():
        EmbeddedServer(home / "postgres").stop()


def run(copy: Path, words: list[str]) -> "subprocess.CompletedProcess[str]":
    """A command in the copy, whose modules are its own."""
    environment = {**os.environ, "STRADES_HOME": str(copy.parent / "home"), "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(words, cwd=copy, env=environment, capture_output=True, text=True, check=False)


def follow(copy: Path, text: str) -> None:
    """Run the lines of a console; a line `exit N` is what the command before it ends with."""
    lines = text.splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if not line.startswith("$ "):
            assert line.startswith("exit ")
            continue
        code = int(after.removeprefix("exit ")) if after.startswith("exit ") else 0
        done = run(copy, command(line))
        assert done.returncode == code, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        if "--json" in line:
            json.loads(done.stdout)


def test_every_page_is_run_here() -> None:
    names = {"add-a-source.md", "sources-by-example.md", "add-a-strategy.md", "add-a-feature.md", "restore-a-backup.md"}
    assert {path.name for path in FOLDER.iterdir()} == names


# Of each body of the page: what its records say, read off the page by a person.
SAID = {
    "city_rates": [("CITY_10Y", 3.38, "2024-01-02T17:00:00Z"), ("CITY_10Y", 3.41, "2024-01-03T17:00:00Z")],
    "mill_shares": [("MLL", 182.1, "2024-01-02T16:30:00Z"), ("MLL", 179.5, "2024-01-03T16:30:00Z")],
    "metal_page": [("METAL:Copper", 8429.5, "2024-01-02T17:00:00Z"), ("METAL:Zinc", 2590.0, "2024-01-02T17:00:00Z")],
    "feed": [(None, "Rates stay as they are", "2024-01-02T13:00:00Z")],
    "tick_venue_stream": [
        ("BTC-EUR", 41250.5, "2024-01-02T10:00:00.123000Z"),
        ("BTC-EUR", 41250.0, "2024-01-02T10:00:00.481000Z"),
    ],
}
FILE = re.compile(r"`([\w./]+)`:\n\n```\w+\n(.*?)```|```console\n(.*?)```", re.DOTALL)


def test_five_kinds_of_sources_are_added_by_data_files_alone(copy: Path) -> None:
    before = subprocess.run(["git", "ls-files", "*.py"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    read = {}
    for path, text, console in FILE.findall((FOLDER / "sources-by-example.md").read_text()):
        if path == "Sources.json":
            sources = json.loads((copy / path).read_text())
            for name, added in json.loads(text).items():
                sources[name] += added
            (copy / path).write_text(json.dumps(sources))
        elif path:
            (copy / path).write_text(text)
        for line in console.splitlines():
            words = command(line)
            done = run(copy, words)
            assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
            if "--json" in line:
                read[words[words.index("parse") + 1]] = json.loads(done.stdout)
    assert {name: summary(document) for name, document in read.items()} == SAID
    assert not [document["rejects"] for document in read.values() if document["rejects"]]
    assert all((copy / name).read_bytes() == (PROJECT / name).read_bytes() for name in before.split())  # no code


def summary(document: dict[str, Any]) -> list[tuple[Any, Any, str]]:
    """What each record is of, what it says, and since when that was known."""
    return [
        (
            record.get("series") or record.get("symbol"),
            record.get("value") or record.get("close") or record.get("price") or record["title"],
            record["knowledge_time"],
        )
        for record in document["records"]
    ]


@pytest.mark.parametrize("page", ["add-a-source.md", "add-a-strategy.md"])
def test_what_is_added_passes_as_the_page_says(copy: Path, page: str) -> None:
    for kind, text in blocks(page):
        if kind == "console":
            follow(copy, text)
        else:
            (copy / "Wallets.json").write_text(json.dumps({"wallets": [json.loads(text)]}))
            read = (
                "import pathlib, strades_pipelines.brokerage.wallets as w; w.read_wallets(pathlib.Path('Wallets.json'))"
            )
            done = run(copy, [sys.executable, "-c", f"{read}.templates[0].new_strategy()"])
            assert done.returncode == 0, done.stderr


def test_the_feature_keeps_its_laws_and_its_column_can_be_added(connection: "psycopg.Connection[Any]") -> None:
    names: dict[str, Any] = {}
    for kind, text in blocks("add-a-feature.md"):
        if kind == "python":
            exec(compile(text, "add-a-feature.md", "exec"), names)
        else:
            assert kind == "sql"
            connection.execute(text.encode())
    assert connection.execute("SELECT upside_20 FROM features.daily").fetchall() == []


@pytest.mark.slow
def test_a_backup_is_made_refused_and_restored_as_the_page_says(copy: Path) -> None:
    row = "INSERT INTO records.instruments VALUES ('1', 'X', 'X', 'crypto', '1m')"
    assert run(copy, [*command("$ strades report")]).returncode == 1  # no run yet: it makes the world, and says so
    assert run(copy, [*command("$ strades db psql --"), "-c", row]).returncode == 0
    for _, text in blocks("restore-a-backup.md"):
        follow(copy, text)
