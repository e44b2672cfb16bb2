"""What a container of docker-compose.yml runs: `python -m strades_pipelines.installation.container COMMAND...`.

`migrate FILE DASHBOARD_FILE` makes databases, schema and the page of the dbt docs once, and writes the URLs of the
service role and of the dashboard's into these, for containers that do not need the database's owner. `dashboard FILE
COMMAND...` is `python -m dashboard COMMAND...` with the URL that stands there. `code` is the code location, `answers
URL...` is a health check, and any other command is run in the environment that Dagster's processes need. Each takes the
place of this process.
"""

import os
import signal
import socket
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import psycopg

from strades_pipelines.database.connection import (
    MissingRights,
    dashboard_database_url,
    database_url,
    working_dashboard_url,
)
from strades_pipelines.installation.install import prepare, set_dagster_environment

SECONDS = 8


def main(arguments: Sequence[str]) -> None:
    """Do one thing, or become the process that does it."""
    # Files that are made here hold passwords.
    os.umask(0o077)
    match list(arguments):
        case ["migrate", file, dashboard_file]:
            prepare()
            Path(file).write_text(database_url())
            Path(dashboard_file).write_text(dashboard_login())
            become([sys.executable, "-m", "strades_pipelines.defs.maintenance.docs"])
        case ["answers", *urls]:
            for url in urls:
                expect_answer(url)
        case ["code", *options]:
            # Runs are processes of the code location: those of the one before it are over.
            become(
                [
                    sys.executable,
                    "-m",
                    "strades_pipelines.orchestration.instance_setup",
                    "then",
                    "api",
                    "grpc",
                    *options,
                ]
            )
        case ["dashboard", file, *options]:
            os.environ["STRADES_DASHBOARD_DATABASE"] = Path(file).read_text()
            os.execv(sys.executable, [sys.executable, "-m", "dashboard", *options])
        case [_, *_]:
            become(list(arguments))
        case _:
            sys.exit("expected a command: migrate FILE DASHBOARD_FILE, dashboard FILE, code, answers, or any other")


def dashboard_login() -> str:
    """The URL by which the dashboard logs in; where its role cannot, that is said, and no other part waits."""
    try:
        return working_dashboard_url()
    except (MissingRights, psycopg.OperationalError) as error:
        print(f"strades: {error}; until then the dashboard alone does not work", file=sys.stderr)
        return dashboard_database_url()


def expect_answer(url: str) -> None:
    """Ask for an http URL, or open a connection to a `tcp://host:port`.

    Raises:
        OSError: nothing answers there, or something answers with an error.
    """
    parts = urlsplit(url)
    if parts.scheme == "tcp":
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=SECONDS).close()
    else:
        urllib.request.urlopen(url, timeout=SECONDS).close()


def become(command: list[str]) -> NoReturn:
    """Put a command in this process's place, in the environment that Dagster needs."""
    set_dagster_environment()
    # Dagster ends on SIGTERM as it does on SIGINT, and what a script starts in the background has that one ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
