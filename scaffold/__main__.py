"""`python -m scaffold source|strategy NAME`: write the first files of one, beside those that there are."""

import re
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
TEMPLATES = Path(__file__).parent / "templates"
NAME = re.compile(r"[a-z][a-z0-9_]{1,38}[a-z0-9]")
SOURCE = {
    "protocol.json": "scrapers/protocols/{name}.json",
    "body.json": "tests/ingestion/bodies/{name}.json",
    "test_protocol.py.txt": "tests/ingestion/test_{name}.py",
}
STRATEGY = {
    "strategy.py.txt": "strades_pipelines/strategy/library/{name}.py",
    "test_strategy.py.txt": "tests/strategy/library/test_{name}.py",
}
LAST_WEBSITE = '}\n  ],\n  "financial_instruments"'
LIBRARY_TABLE = re.compile(r"(## The library\n.*?)((?:\|[^\n]*\n)+)", re.DOTALL)


class ScaffoldError(ValueError):
    """The name cannot be used; one line."""


def main(arguments: list[str]) -> int:
    """Make one; 0, or 2 with one line on what cannot be used."""
    try:
        match arguments:
            case ["source", name]:
                made = new_source(name)
            case ["strategy", name]:
                made = new_strategy(name)
            case _:
                raise ScaffoldError("expected `source NAME` or `strategy NAME`")
    except ScaffoldError as error:
        print(f"scaffold: {error}", file=sys.stderr)
        return 2
    print("made", *made, sep="\n  ")
    return 0


def new_source(name: str) -> list[str]:
    """A protocol with a body and its test, and an entry in Sources.json that is not fetched yet."""
    sources = PROJECT / "Sources.json"
    text = sources.read_text()
    if text.count(LAST_WEBSITE) != 1 or f'"name": "{name}"' in text:
        raise ScaffoldError(f"Sources.json: expected its usual form, and no website {name!r}")
    # First: a name that is taken leaves the list as it is.
    made = _write(SOURCE, name)
    entry = (TEMPLATES / "website.json").read_text().replace("NAME", name).rstrip()
    sources.write_text(text.replace(LAST_WEBSITE, "},\n" + entry + LAST_WEBSITE[1:]))
    return [*made, "Sources.json"]


def new_strategy(name: str) -> list[str]:
    """A strategy of the library with its test, its line in docs/strategies.md, and its first fingerprints."""
    page = PROJECT / "docs" / "strategies.md"
    text = page.read_text()
    if not LIBRARY_TABLE.search(text):
        raise ScaffoldError("docs/strategies.md: expected the table of the library")
    made = _write(STRATEGY, name)
    page.write_text(LIBRARY_TABLE.sub(rf"\1\2| new | `{name}` |\n", text))
    taken = [sys.executable, "-m", "tests.strategy.library.fingerprints", name]
    subprocess.run(taken, cwd=PROJECT, check=True)
    return [*made, "docs/strategies.md", "tests/strategy/library/fingerprints.toml"]


def _write(files: dict[str, str], name: str) -> list[str]:
    """The files of the templates; none when one of them is there."""
    if not NAME.fullmatch(name):
        raise ScaffoldError(f"NAME: expected 3 to 40 lower case letters, digits and underscores, was {name!r}")
    targets = {template: path.format(name=name) for template, path in files.items()}
    if there := [path for path in targets.values() if (PROJECT / path).exists()]:
        raise ScaffoldError(f"NAME: expected a new one, there is {there[0]}")
    camel = "".join(part.capitalize() for part in name.split("_"))
    for template, path in targets.items():
        target = PROJECT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((TEMPLATES / template).read_text().replace("NAME", name).replace("CLASS", camel))
    return list(targets.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
