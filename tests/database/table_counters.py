"""Counts of rows read and written of each table that surely include all that was done before."""

import time
from typing import Any, Protocol

import psycopg

OTHERS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type IN ('client backend', 'parallel worker')
        AND pid <> pg_backend_pid()
"""
PATIENCE_SECONDS = 30.0


class Connection(Protocol):
    """One of psycopg or ADBC."""

    def cursor(self) -> Any: ...
    def commit(self) -> Any: ...


def read_counters(url: str, query: str, *idle: Connection) -> list[tuple[Any, ...]]:
    """The rows of a query of `pg_stat_user_tables`, once all that was done before is in it.

    A server process adds what it did when it ends, which a client that closed its connection does not wait for; or
    after a statement, if it did not within the last second; or else when it has been idle for ten seconds. So all
    connections but those of `idle` have to be closed, and those are asked to add what they did.

    Raises:
        AssertionError: when another connection stays open.
    """
    for connection in idle:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.fetchall()
        connection.commit()
    deadline = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(url, autocommit=True) as reader:
        while (open_ := reader.execute(OTHERS).fetchall()[0][0]) > len(idle):
            assert time.monotonic() < deadline, f"{open_} connections are open, {len(idle)} were expected"
            time.sleep(0.01)
        return reader.execute(query).fetchall()
