"""What our tables look like, read from the migrations that make them: no database is needed to describe an asset."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
TABLE = re.compile(r"CREATE TABLE (\w+\.\w+) \(\n(.*?)\n\);", re.DOTALL)
ADDED = re.compile(r"ALTER TABLE (\w+\.\w+)\n((?:ADD COLUMN [^;]*?)+);", re.DOTALL)
COLUMN = re.compile(
    r'^    "?(?P<name>[a-z]\w*)"?\s+(?P<type>double precision|[a-z]+(?:\[\])?)'
    r"(?P<rest>[^-]*?),?\s*(?:-- ?(?P<comment>.*))?$"
)


@dataclass(frozen=True)
class Column:
    """A column: its PostgreSQL type, whether it may be null, and what the migration says of it."""

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
        tables[name] += tuple(_columns(body.replace("ADD COLUMN", "   ")))
    return tables


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
