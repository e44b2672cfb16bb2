"""The one error for what a person gave and cannot be used."""

from pathlib import Path


class BadInput(ValueError):
    """A file, a strategy, a parameter or a spec cannot be used; one line: where, what was expected, what was found."""


def bad_row(path: Path, row: int, field: str, expected: str, found: object) -> BadInput:
    """The error for a field of a row of a file; rows count from 1, a header is row 1."""
    return BadInput(f"{path}: row {row}: {field}: expected {expected}, found {found}")
