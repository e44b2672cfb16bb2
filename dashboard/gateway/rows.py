"""Rows of any table of the registry: pages, single rows with their old versions, and exports, each within limits."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import BoundedSemaphore
from time import monotonic
from typing import Any

import psycopg
from django.db import DatabaseError, connections
from psycopg import sql

from dashboard.gateway.reading import ALIAS, domain_connection
from dashboard.gateway.row_queries import Order, RowsRefused, page_query
from dashboard.gateway.tables import Column, Table
from strades_pipelines.database.asof import REVISIONS
from strades_pipelines.lineage.licences_of_rows import read_provenance

# Seconds: for the query of a page; for a whole export, first row to last.
MOST_SECONDS, EXPORT_SECONDS = 3, 60
MOST_EXPORTED, MOST_EXPORTED_BYTES, EXPORTED_AT_ONCE = 100_000, 64 * 2**20, 2_000
# Each export holds a connection and up to half a gigabyte.
MOST_EXPORTS = 2
SUPERSEDED, MOST_VERSIONS = "superseded_at", 50
_export_slots = BoundedSemaphore(MOST_EXPORTS)


class RowsTooSlow(RuntimeError):
    """The question took longer than `MOST_SECONDS`, or the export than `EXPORT_SECONDS`."""


class TooManyExports(RuntimeError):
    """`MOST_EXPORTS` are being written."""


@dataclass(frozen=True)
class Row:
    """The values of a row by column, and its key as JSON: where the next page begins, or which row a page is of."""

    key: str | None
    values: dict[str, Any]


def limit_time(seconds: float | None = None) -> None:
    """Limit every later statement of the transaction to `seconds` (default `MOST_SECONDS`). Runs one statement."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{seconds or MOST_SECONDS}s'")


def read_rows(table: Table, query: sql.Composed, parameters: dict[str, Any]) -> list[Row]:
    """The rows of a query of `page_query`. One query.

    Raises:
        RowsRefused: a value that the column's type does not have.
        RowsTooSlow: it would take too long.
    """
    with connections[ALIAS].cursor() as cursor:
        try:
            cursor.execute(query, parameters)
            found = cursor.fetchall()
        except DatabaseError as error:
            raise translate_error(error) from error
    names = [column.name for column in table.columns]
    return [Row(key, dict(zip(names, values, strict=True))) for key, *values in found]


def read_row(table: Table, key: str, *, letters: int) -> Row | None:
    """The row of a key (JSON, as rows have it), or None. One query.

    Raises:
        RowsRefused: no such key; RowsTooSlow.
    """
    order = Order(table.orders[0])
    return next(iter(read_rows(table, *page_query(table, [], order, at=key, most=1, letters=letters))), None)


def read_versions(table: Table, key: str, *, letters: int) -> list[Row]:
    """Earlier versions of a row, newest first; empty where the table keeps none. One query."""
    name = REVISIONS.get(table.relation.full_name)
    if name is None:
        return []
    old = Table(
        replace(table.relation, name=name.partition(".")[2]),
        [*table.columns, Column(SUPERSEDED, "timestamp with time zone", is_required=True)],
        [],
    )
    query, parameters = page_query(old, [], Order(table.orders[0]), at=key, most=MOST_VERSIONS, letters=letters)
    return sorted(read_rows(old, query, parameters), key=lambda row: str(row.values[SUPERSEDED]), reverse=True)


def query_text(query: sql.Composed, parameters: dict[str, Any]) -> str:
    """A query with its values in it, as `strades db psql` takes it."""
    with connections[ALIAS].cursor() as cursor:
        return str(psycopg.ClientCursor(cursor.connection).mogrify(query, parameters))


@contextmanager
def export_slot() -> Iterator[None]:
    """Hold one of the `MOST_EXPORTS` export slots of this process.

    Raises:
        TooManyExports: none is free.
    """
    if not _export_slots.acquire(blocking=False):
        raise TooManyExports
    try:
        yield
    finally:
        _export_slots.release()


def export_rows(query: sql.Composed, parameters: dict[str, Any]) -> Iterator[list[Any]]:
    """The rows without their keys. Ends without an error at `MOST_EXPORTED_BYTES`.

    Raises:
        RowsRefused: a value that the column's type does not have.
        RowsTooSlow: the caller has not had all of them within `EXPORT_SECONDS`.
    """
    size, deadline = 0, monotonic() + EXPORT_SECONDS
    try:
        # A cursor of the server's: the rows are never here all at once.
        with domain_connection() as connection, connection.cursor(name="export") as cursor:
            _limit_until(connection, deadline)
            cursor.execute(query, parameters)
            while rows := cursor.fetchmany(EXPORTED_AT_ONCE):
                for _key_of_row, *values in rows:
                    size += sum(len(value) if isinstance(value, str) else 16 for value in values)
                    if size > MOST_EXPORTED_BYTES:
                        return
                    yield values
                # The limit is one of each statement: before each fetch it is what is left.
                _limit_until(connection, deadline)
    except psycopg.Error as error:
        raise translate_error(error) from error


def read_sources(fetch_ids: Iterable[int]) -> list[dict[str, Any]]:
    """The sources of rows, with what their licences let one do. One query."""
    with domain_connection() as connection, connection.cursor() as cursor:
        return read_provenance(cursor, fetch_ids)


def _limit_until(connection: psycopg.Connection[Any], deadline: float) -> None:
    """Have the next statement ended at a deadline (monotonic)."""
    left = round(1000 * (deadline - monotonic()))
    if left <= 0:
        raise RowsTooSlow
    connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(left)))


def translate_error(error: Exception) -> Exception:
    """Map a database error to RowsTooSlow or RowsRefused, else return it."""
    # Django raises its own error from the driver's.
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    if isinstance(cause, psycopg.errors.QueryCanceled):
        return RowsTooSlow()
    if isinstance(cause, psycopg.DataError):
        return RowsRefused(None)
    return error
