"""What a parse may answer: records, rows that were not fit, or the refusal of the whole body."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

LONGEST_LINE = 300
MOST_BAD_ROWS = 10_000
FEW_BAD_ROWS = 50  # a short body may be bad by half: its good rows count, and so few rejects cost nothing


class BodyRefused(ValueError):
    """A body is not what its protocol says; nothing of it is used. One line."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


@dataclass(frozen=True)
class Reject:
    """A row that was not fit to load: why, where in the body, and what it said."""

    reason: str
    where: str
    raw: str


@dataclass(frozen=True)
class Parsed:
    """The records of a body by kind, with the schemas of `market.records`, and its rejected rows."""

    tables: Mapping[str, pa.Table]
    rejects: tuple[Reject, ...]


def refuse_bad_rows(bad: int, rows: int) -> None:
    """Refuse a body most of whose rows are bad, before anything is made of each of them.

    Args:
        bad: how many rows are bad, so far.
        rows: how many there are, the bad ones included.

    Raises:
        BodyRefused: more than `MOST_BAD_ROWS`, or more than half and more than `FEW_BAD_ROWS`.
    """
    if bad > MOST_BAD_ROWS:
        raise BodyRefused(f"expected at most {MOST_BAD_ROWS} bad rows, was more")
    if bad > FEW_BAD_ROWS and 2 * bad > rows:
        raise BodyRefused(f"expected rows most of which are good, was {bad} bad ones of {rows}")


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Text that fits a line and a PostgreSQL column: no control characters, no lone surrogates, at most `limit`."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * limit])
    short = " ".join(clean.split())
    return short if len(short) <= limit else short[: limit - 3] + "..."
