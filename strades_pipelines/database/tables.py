"""What our tables look like, read from the migrations that make them: no database is needed to describe an asset."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
DESCRIPTIONS = Path(__file__).with_name("column_descriptions.toml")
EVERYWHERE = "everywhere"  # its section for columns that mean the same in every table
TABLE = re.compile(r"CREATE TABLE (\w+\.\w+) \(\n(.*?)\n\);", re.DOTALL)
ADDED = re.compile(r"ALTER TABLE (\w+\.\w+)\n((?:ADD COLUMN [^;]*?)+);", re.DOTALL)
DROPPED = re.compile(r"ALTER TABLE (\w+\.\w+)\n((?:DROP COLUMN \w+,?\n?)+);")
NULLABLE = re.compile(r"ALTER TABLE (\w+\.\w+) ALTER COLUMN (\w+) (SET|DROP) NOT NULL;")
COMMENTED = re.compile(r"^((?:--(?!--)[^\n]*\n)+)CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (\w+\.\w+)", re.MULTILINE)
COLUMN = re.compile(
    r'^    "?(?P<name>[a-z]\w*)"?\s+(?P<type>double precision|[a-z]+(?:\[\])?)'
    r"(?P<rest>[^-]*?),?\s*(?:-- ?(?P<comment>.*))?$"
)


@dataclass(frozen=True)
class Column:
    """A column: its PostgreSQL type, whether it may be null, and its description."""

    name: str
    type: str
    nullable: bool
    comment: str | None


@cache
def table_columns() -> dict[str, tuple[Column, ...]]:
    """The columns of every table of the migrations, by `schema.table`."""
    text = "\n".join(path.read_text() for path in sorted(MIGRATIONS.glob("*.sql")))
    tables = {name: tuple(_columns(body)) for name, body in TABLE.findall(text)}
    for name, body in ADDED.findall(text):
        # So that its lines look as those of CREATE TABLE.
        tables[name] += tuple(_columns(body.replace("ADD COLUMN", "   ")))
    for name, body in DROPPED.findall(text):
        gone = re.findall(r"DROP COLUMN (\w+)", body)
        tables[name] = tuple(column for column in tables[name] if column.name not in gone)
    for name, changed, action in NULLABLE.findall(text):
        tables[name] = tuple(
            replace(column, nullable=action == "DROP") if column.name == changed else column for column in tables[name]
        )
    descriptions = column_descriptions()
    return {name: tuple(_described(column, name, descriptions) for column in tables[name]) for name in tables}


@cache
def column_descriptions() -> Mapping[str, Mapping[str, str]]:
    """Descriptions of columns that have no comment in their migration: by `schema.table`, then column."""
    return tomllib.loads(DESCRIPTIONS.read_text())


def _described(column: Column, table: str, descriptions: Mapping[str, Mapping[str, str]]) -> Column:
    sections = (descriptions.get(table, {}), descriptions[EVERYWHERE])
    found = column.comment or next((section[column.name] for section in sections if column.name in section), None)
    return replace(column, comment=found)


@cache
def table_comments() -> dict[str, str]:
    """What the migrations say above a table or view, by `schema.table`; the newest where it was made again."""
    text = "\n".join(path.read_text() for path in sorted(MIGRATIONS.glob("*.sql")))
    return {
        name: " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
        for comment, name in COMMENTED.findall(text)
    }


def _columns(body: str) -> list[Column]:
    key = re.search(r"^    PRIMARY KEY \((.*?)\)", body, re.MULTILINE)
    keyed = set(re.findall(r"\w+", key.group(1))) if key else set()
    columns = []
    for line in body.splitlines():
        found = COLUMN.match(line)
        if found:
            never_null = "NOT NULL" in found["rest"] or "PRIMARY KEY" in found["rest"] or found["name"] in keyed
            columns.append(Column(found["name"], found["type"], not never_null, found["comment"]))
    return columns
