"""What a parse may answer: records, rows that were not fit, or the refusal of the whole body."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

LONGEST_LINE = 300


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


def one_line(text: str, limit: int = LONGEST_LINE) -> str:
    """Text that fits a line and a PostgreSQL column: no control characters, no lone surrogates, at most `limit`."""
    clean = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * limit])
    short = " ".join(clean.split())
    return short if len(short) <= limit else short[: limit - 3] + "..."
