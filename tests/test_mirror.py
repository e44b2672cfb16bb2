"""Every module has its test at the mirrored path, is named in a test, or stands in tested_through.toml."""

import ast
import re
import tomllib
from pathlib import Path, PurePath

from strades_pipelines.settings import PROJECT

TESTS = PROJECT / "tests"
PACKAGES = ("strades_pipelines", "scrapers", "sandbox", "dashboard")
TABLE = TESTS / "tested_through.toml"
MOST = 199  # entries of the table; lower it with each that goes
DOTTED = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.\w+)+")


def modules() -> dict[str, PurePath]:
    """Where the test of each module would stand, below `tests`, by the module's dotted path."""
    found: dict[str, PurePath] = {}
    for package in PACKAGES:
        for path in sorted((PROJECT / package).rglob("*.py")):
            where = path.relative_to(PROJECT)
            if path.name != "__init__.py" and "migrations" not in where.parts:
                below = where.relative_to(PACKAGES[0]) if package == PACKAGES[0] else where
                found[".".join(where.with_suffix("").parts)] = below.with_name(f"test_{below.name}")
    return found


def names_in(test: Path) -> set[str]:
    """What a file of tests imports, or names by its dotted path in a text."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= set(DOTTED.findall(node.value))
    return found


def named(entry: str, found: list[str]) -> list[str]:
    """The modules that an entry of the table stands for: one, or all of one folder."""
    end = rf"(?:^|\.){re.escape(entry)}"
    return [name for name in found if re.search(rf"{end}$", name)] or [
        name for name in found if re.search(rf"{end}\.", name)
    ]


def test_every_module_has_a_test_of_its_own_or_one_that_names_it() -> None:
    places = modules()
    in_tests = set().union(*(names_in(path) for path in TESTS.rglob("*.py")))
    untested = [name for name, test in places.items() if not (TESTS / test).exists() and name not in in_tests]
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    entries = [entry for several in table.values() for entry in several]

    known = {name for entry in entries for name in named(entry, list(places))}
    assert [
        f"{name}: write tests/{places[name]}, or name it in the test it is tested through"
        for name in untested
        if name not in known
    ] == []

    faults = [f"{test}: there is no such test" for test in table if not (TESTS / test).exists()]
    for entry in entries:
        found = named(entry, list(places))
        folders = {name.rpartition(f"{entry}.")[0] for name in found}
        if not found:
            faults.append(f"{entry}: there is no such module")
        elif len(found) > 1 and len(folders) > 1:
            faults.append(f"{entry}: is several: {', '.join(found)}")
        elif not set(found) & set(untested):
            faults.append(f"{entry}: has a test now; take it out of {TABLE.name}")
    assert faults == []
    assert len(entries) == len(set(entries)) <= MOST
