"""PostgreSQL's programs; the password goes by the environment, not by the list of processes."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from strades_pipelines.database.connection import database_url
from strades_pipelines.database.server import binaries


def psql(arguments: Sequence[str]) -> int:
    """Run psql and return its exit code."""
    program = shutil.which("psql") or str(binaries() / "psql")
    return subprocess.run([program, *arguments], env=environment(database_url()), check=False).returncode


def environment(location: str) -> dict[str, str]:
    """The environment in which PostgreSQL's programs connect to the database of a URL."""
    url = urlsplit(location)
    named = {
        "PGHOST": url.hostname or "127.0.0.1",
        "PGPORT": str(url.port or 5432),
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": url.path.lstrip("/"),
    }
    return {**os.environ, **named}
