"""What a container of docker-compose.yml runs: `python -m strades_pipelines.container COMMAND...`.

`migrate` makes databases and schema once, `code` and `docs` are those parts, `answers URL` is a health check, and any
other command is run in the environment that Dagster's processes need. Each takes the place of this process.
"""

import os
import signal
import sys
import urllib.request
from collections.abc import Sequence
from typing import NoReturn

from strades_pipelines.install import prepare, set_dagster_environment
from strades_pipelines.settings import settings


def main(arguments: Sequence[str]) -> None:
    """Do one thing, or become the process that does it."""
    match list(arguments):
        case ["migrate"]:
            prepare()
        case ["answers", url]:
            with urllib.request.urlopen(url, timeout=8):
                pass
        case ["code", *options]:
            # Runs are processes of the code location: those of the one before it are over.
            become(["sh", "-c", 'python -m strades_pipelines.instance && exec dagster api grpc "$@"', "sh", *options])
        case ["docs", port]:
            folder = settings().home / "docs"
            serve = 'exec python -m http.server "$1" --directory "$2"'
            become(
                ["sh", "-c", f"python -m strades_pipelines.defs.maintenance.docs && {serve}", "sh", port, str(folder)]
            )
        case [_, *_]:
            become(list(arguments))
        case _:
            sys.exit("expected a command: migrate, code, docs, answers, or any other")


def become(command: list[str]) -> NoReturn:
    """Put a command in this process's place, in the environment that Dagster needs."""
    set_dagster_environment()
    # Dagster ends on SIGTERM as it does on SIGINT, and what a script starts in the background has that one ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
