"""psql on this world's database; the password goes by the environment, not by the list of processes."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

from strades_pipelines.database.connection import database_url
from strades_pipelines.database.server import binaries


def psql(arguments: Sequence[str]) -> int:
    """Run psql and return its exit code."""
    url = urlsplit(database_url())
    environment = {
        **os.environ,
        "PGHOST": url.hostname or "127.0.0.1",
        "PGPORT": str(url.port or 5432),
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": url.path.lstrip("/"),
    }
    program = shutil.which("psql") or str(binaries() / "psql")
    return subprocess.run([program, *arguments], env=environment, check=False).returncode
