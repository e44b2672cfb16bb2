"""Reads of the dashboard: one snapshot per page, bound parameters, rows as typed records."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

import psycopg
from django.db import connections, transaction

from dashboard.gateway.viewer import tell_viewer
from strades_pipelines.database.connection import connect, dashboard_database_url
from strades_pipelines.database.roles import DASHBOARD_ROLE

ALIAS = "layers"  # a read-only connection, see settings.DATABASES
Record = TypeVar("Record")


@dataclass(frozen=True)
class Place:
    """Cursor of a list that is paged newest first: the instant of a row, and the two texts of its key."""

    at: datetime
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.at.isoformat()}~{self.first}~{self.second}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Parse the text of a place; None for any other text."""
        # The key's own texts may have a `~` in the last part.
        parts = text.split("~", 2)
        try:
            at = datetime.fromisoformat(parts[0])
        except ValueError:
            return None
        is_place = len(parts) == 3 and at.tzinfo is not None and "\0" not in text
        return cls(at, parts[1], parts[2]) if is_place else None


def is_text(value: str) -> bool:
    """Whether PostgreSQL can store a text: it has no NUL, and no lone surrogates, which JSON allows."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def parse_whole(text: str, largest: int) -> int | None:
    """A whole number from a URL, 0 to `largest`; None for any other text, however long."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(largest))
    return int(text) if is_number and int(text) <= largest else None


@contextmanager
def snapshot() -> Iterator[None]:
    """Read everything inside from one snapshot, so that a page never mixes two states. May be nested."""
    with transaction.atomic(using=ALIAS, savepoint=False):
        yield


def read(record: type[Record], query: str, **parameters: Any) -> list[Record]:
    """The rows of a query, each as a `record` with the columns as fields.

    Args:
        query: has `%(name)s` for each parameter. Never format values into its text: SQL injection.
    """
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(query, parameters)
        names = [column.name for column in cursor.description]
        return [record(**dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def read_one(record: type[Record], query: str, **parameters: Any) -> Record | None:
    """The first row of a query, or None."""
    return next(iter(read(record, query, **parameters)), None)


def snapshot_connection() -> psycopg.Connection[Any]:
    """The psycopg connection of the open snapshot, for functions of strades_pipelines that need one."""
    connections[ALIAS].ensure_connection()
    opened: psycopg.Connection[Any] = connections[ALIAS].connection
    return opened


@contextmanager
def domain_connection() -> Iterator[psycopg.Connection[Any]]:
    """A read-only psycopg connection of the dashboard's role, for functions of strades_pipelines that need one."""
    with connect(dashboard_database_url(), role=DASHBOARD_ROLE) as connection:
        tell_viewer(connection)
        connection.commit()
        connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
        yield connection
