"""What a command prints: tables for people, one JSON document for programs, progress on standard error."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from strades_pipelines.market.ledger_chain import plain

UNFOLDED = 10_000  # characters: wider than any table
PROGRESS = Console(stderr=True, highlight=False, soft_wrap=True)


def print_result(document: Mapping[str, Any], as_json: bool, tables: Sequence[Table]) -> None:
    """Print the document as JSON, or the tables in its place."""
    if as_json:
        sys.stdout.write(json.dumps(document, default=as_text) + "\n")
    else:
        _console().print(*tables)


def print_json(document: Any) -> None:
    """Print a document as one line of JSON; what JSON does not know is printed as `str` has it."""
    sys.stdout.write(json.dumps(document, default=str) + "\n")


def as_text(value: Any) -> str:
    """A value that JSON does not know: times in ISO 8601 with Z, exact numbers in full."""
    if isinstance(value, Decimal):
        return plain(value)
    return str(value.isoformat()).replace("+00:00", "Z") if hasattr(value, "isoformat") else str(value)


def table(columns: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table of those columns, which are the keys of `rows`, with blanks between."""
    names = columns.split()
    made = Table(box=SIMPLE_HEAD)
    for name in names:
        # An id is copied into the next command: never over two lines.
        made.add_column(name.replace("_", " "), overflow="fold", no_wrap=name.endswith("_id"))
    for row in rows:
        made.add_row(*("-" if row.get(name) is None else _cell(row[name]) for name in names))
    return made


def _console() -> Console:
    """What a file or another program reads has no width that lines should be folded to, unless COLUMNS says one."""
    is_folded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if is_folded else UNFOLDED)


def say(line: str) -> None:
    """Print a line of progress."""
    PROGRESS.print(line)


def _cell(value: Any) -> str:
    is_count = isinstance(value, int) and abs(value) < 10**15  # a longer one is an id
    return f"{value:,}" if is_count else as_text(value)
