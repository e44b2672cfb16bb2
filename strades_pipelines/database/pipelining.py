"""Fewer waits for the server: statements that need no answer of one another go over together."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg


@contextmanager
def commit_together(connection: psycopg.Connection[Any], *, is_lazy: bool = False) -> Iterator[None]:
    """Send the statements of the block and the commit of the transaction at once; their results are there after it.

    Where one of them fails nothing is committed, and the block raises its error.

    Args:
        is_lazy: commit without waiting for the disk, for what a later commit makes durable before anything leaves this
            process: PostgreSQL writes in the order of the commits. A server that crashes in between has lost what is
            made again from what is stored.
    """
    with connection.pipeline():
        if is_lazy:
            connection.execute("SET LOCAL synchronous_commit = off")
        yield
        # `Connection.commit` would wait for what was sent before it, and leaving the pipeline waits once more.
        connection.execute("COMMIT")


def commit_lazily(connection: psycopg.Connection[Any]) -> None:
    """Commit the transaction as `commit_together` does where it is lazy."""
    connection.execute("SET LOCAL synchronous_commit = off; COMMIT", prepare=False)  # two statements are never prepared
