"""Reading rows: one snapshot a page, parameters bound, rows as typed records."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

import psycopg
from django.db import connections, transaction

from strades_pipelines.database.connection import connect, dashboard_database_url
from strades_pipelines.database.roles import DASHBOARD_ROLE

ALIAS = "layers"  # a connection that can only read, see settings.DATABASES
Record = TypeVar("Record")


@dataclass(frozen=True)
class Place:
    """Where a row stands in a list that is read newest first: its instant, and the two texts of its key."""

    at: datetime
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.first}~{self.second}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The place that `str` wrote, or None."""
        parts = text.split("~", 2)
        try:
            at = datetime.fromisoformat(parts[0])
        except ValueError:
            return None
        is_place = len(parts) == 3 and at.tzinfo is not None and "\0" not in text
        return cls(at, parts[1], parts[2]) if is_place else None


def is_text(value: str) -> bool:
    """Whether PostgreSQL takes a text: without NUL, and without the lone surrogates that JSON can write."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def parse_whole(text: str, largest: int) -> int | None:
    """A whole number of an address, 0 to `largest`; None for anything else, of any length."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(largest))
    return int(text) if is_number and int(text) <= largest else None


@contextmanager
def snapshot() -> Iterator[None]:
    """All that is read inside is as one moment saw it: a page adds nothing up from two states. May be nested."""
    with transaction.atomic(using=ALIAS, savepoint=False):
        yield


def read(record: type[Record], query: str, **parameters: Any) -> list[Record]:
    """The rows of a query, each as a `record` whose fields are the columns.

    Args:
        query: with `%(name)s` for each parameter; nothing is ever put into its text.
    """
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description]
        return [record(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def read_one(record: type[Record], query: str, **parameters: Any) -> Record | None:
    """The first row of a query, or None."""
    return next(iter(read(record, query, **parameters)), None)


def snapshot_connection() -> psycopg.Connection[Any]:
    """The connection of the open snapshot, for functions of the domain that want one of psycopg."""
    connections[ALIAS].ensure_connection()
    opened: psycopg.Connection[Any] = connections[ALIAS].connection
    return opened


@contextmanager
def domain_connection() -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection of the dashboard's role, read-only, for functions of the domain that want one."""
    with connect(dashboard_database_url(), role=DASHBOARD_ROLE) as connection:
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        yield connection
