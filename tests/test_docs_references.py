"""What the pages refer to is there: files and folders, links, targets of make, commands, modules."""

import re
from fnmatch import fnmatch
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from strades_pipelines.cli import app
from strades_pipelines.settings import PROJECT

DOCS = PROJECT / "docs"
# The how-tos name files that their reader makes; tests/test_docs_how_to.py follows them.
PAGES = [PROJECT / "README.md", *sorted(DOCS.glob("*.md"))]
HIDDEN = (".git", ".venv", "__pycache__", "target", "node_modules")
FILE = re.compile(r"`([\w.*-]+(?:/[\w.*-]+)*\.(?:graphql|json|lock|md|py|sql|toml|ya?ml))`")
# Files that an installation or a command makes.
MADE = {
    "up.json",
    "up.lock",
    "up_watch.json",
    "watch.json",
    "FILE.csv.json",
    "manifest.json",
    "result.json",
    "code/NAME.py",
}
CODE = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s;&$(|])strades ([a-z-]+(?: [^#;|&)]*)?)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
TARGET = re.compile(r"^([a-z][\w-]*)(?: [\w-]+)*:", re.MULTILINE)


def files() -> list[str]:
    """The paths of the project's files, but for what is installed or built."""
    found = (path.relative_to(PROJECT) for path in PROJECT.rglob("*") if path.is_file())
    return [str(path) for path in found if not set(HIDDEN) & set(path.parts)]


def code_of(page: Path) -> list[str]:
    """The code on a page: blocks, and what stands in backticks."""
    return [block or inline for block, inline in CODE.findall(page.read_text(encoding="utf-8"))]


def words_after(page: Path, before: str) -> set[str]:
    """The words that follow `before` in the code of a page, where it begins a command."""
    command = re.compile(rf"(?:^|[|;&$(] ?|\bwith )(?:[A-Z_]+=\S+ )*{before} ([a-z][\w.-]*)", re.MULTILINE)
    return {word.rstrip(".") for code in code_of(page) for word in command.findall(code)}


def named(page: Path) -> str:
    """The page's path, for ids and messages."""
    return str(page.relative_to(PROJECT))


@pytest.fixture(scope="module")
def paths() -> list[str]:
    return files()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_that_a_page_names_is_there(page: Path, paths: list[str]) -> None:
    """By the end of its path, so that `brokerage/live.py` is `strades_pipelines/brokerage/live.py`."""
    text = page.read_text(encoding="utf-8")
    named_files = set(FILE.findall(text)) - MADE
    missing = [name for name in named_files if not any(fnmatch(f"/{path}", f"*/{name}") for path in paths)]
    assert missing == []


@pytest.mark.parametrize("page", [*PAGES, *sorted((DOCS / "how-to").glob("*.md"))], ids=named)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    links = [unquote(link.partition("#")[0]) for link in LINK.findall(page.read_text(encoding="utf-8"))]
    local = [link for link in links if link and not re.match(r"[a-z]+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_a_page_names_is_one(page: Path) -> None:
    targets = set(TARGET.findall((PROJECT / "Makefile").read_text(encoding="utf-8")))
    commands = set(getattr(typer.main.get_command(app), "commands", {}))
    assert words_after(page, "make") - targets == set()
    assert words_after(page, "strades") - commands == set()
    modules = words_after(page, "python -m") | words_after(page, r"\.venv/bin/python -m")
    assert [name for name in modules if find_spec(name) is None] == []


def options_that_are_not(page: Path) -> list[str]:
    """Commands of `strades` on a page with an option that they do not take, as `COMMAND --OPTION`."""
    wrong = []
    for line in chain.from_iterable(code.splitlines() for code in code_of(page)):
        for words in (found.split() for found in COMMAND.findall(line)):
            command: Any = typer.main.get_command(app)
            name = "strades"
            while words and words[0] in getattr(command, "commands", {}):
                command, name = command.commands[words[0]], f"{name} {words[0]}"
                words = words[1:]
            taken = {"--help", *chain.from_iterable((*each.opts, *each.secondary_opts) for each in command.params)}
            options = (match[0] for word in words if (match := re.match(r"--[a-z-]+", word)))
            wrong += [f"{name} {option}" for option in options if name != "strades" and option not in taken]
    return wrong


@pytest.mark.parametrize("page", [*PAGES, *sorted((DOCS / "how-to").glob("*.md"))], ids=named)
def test_every_option_that_a_page_names_is_one_of_its_command(page: Path) -> None:
    assert options_that_are_not(page) == []


def test_an_option_that_is_not_there_would_fail(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("`strades db drill --json --gone` and `strades trace ID --nothing`; `kubectl strades --node`\n")
    assert options_that_are_not(page) == ["strades db drill --gone", "strades trace --nothing"]


def test_the_rooms_of_the_house_are_those_that_are_drawn() -> None:
    [tree] = [block for block in code_of(DOCS / "architecture.md") if block.startswith("strades_pipelines/\n")]
    drawn = set(re.findall(r"(?:^ {2}| {2})([a-z_]+(?:/|\.py))(?= |$)", tree, re.MULTILINE))
    package = PROJECT / "strades_pipelines"
    rooms = {f"{path.name}/" for path in package.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in package.glob("*.py")} - {"__init__.py"}
    assert drawn == rooms | modules


def test_a_page_that_names_what_is_not_there_would_fail(tmp_path: Path, paths: list[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text("`brokerage/gone.py` and `brokerage/live.py`; `make nothing`, `strades nothing --all`\n")
    found = FILE.findall(page.read_text())
    assert [name for name in found if not any(fnmatch(f"/{path}", f"*/{name}") for path in paths)] == [
        "brokerage/gone.py"
    ]
    assert (words_after(page, "make"), words_after(page, "strades")) == ({"nothing"}, {"nothing"})
