"""Reading several tables as one moment saw them, while others trade."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from strades_pipelines.brokerage.prices import Connection


@contextmanager
def read_snapshot(connection: Connection) -> Iterator[None]:
    """A transaction in which all queries see one moment, and nothing can be written.

    Args:
        connection: with no transaction open; it is left so.
    """
    connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
    try:
        yield
    finally:
        # Before the reset: psycopg changes neither within a transaction.
        connection.rollback()
        connection.isolation_level = connection.read_only = None
