"""Texts of publishers as one printable line, which fits a column of PostgreSQL and a table of people."""

from collections.abc import Sequence
from typing import Any


def text_line(value: object) -> str | None:
    """A text on one line, each run of blanks and control characters as one blank; None where there is none."""
    return (" ".join(printable(value).split()) or None) if isinstance(value, str) else None


def text_lines(values: Sequence[Any]) -> list[str]:
    """Each text once, on one line, without those that are none."""
    return list(dict.fromkeys(line for value in values if (line := text_line(value))))


def printable(value: str) -> str:
    """A text with a blank for each letter that is not printable."""
    return "".join(letter if letter.isprintable() else " " for letter in value)
