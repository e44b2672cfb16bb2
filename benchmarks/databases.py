"""A database of its own for a benchmark."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.roles import create_roles
from strades_pipelines.database.server import EmbeddedServer


@contextmanager
def empty_database() -> Iterator[str]:
    """The URL of a migrated database on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="strades-bench-") as folder:
        # PostgreSQL runs as a user of its own where this is root.
        Path(folder).chmod(0o755)
        server = EmbeddedServer(Path(folder) / "postgres")
        try:
            with psycopg.connect(server.start(), autocommit=True) as connection:
                create_roles(connection)
                connection.execute("CREATE DATABASE bench")
            migrate(server.url("bench"), world="sandbox")
            yield server.url("bench")
        finally:
            server.stop()
