"""Runs `strades` again and again without importing its libraries again: each command is a fork of this process.

The imports are most of what a small command costs, and the end-to-end tests run dozens. What is forked is the real
command in a process group of its own, with its own environment and output; nothing of the project is loaded before.
"""

import json
import os
import sys


def serve() -> None:
    """Answer one line of JSON on standard input with the return code of its command, until there is none."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            become(asked)
            from strades_pipelines.cli import main

            main()
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(asked: dict[str, object]) -> None:
    """Be the command that was asked for."""
    os.setsid()
    environment = asked["environment"]
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        handle = os.open(str(asked[name]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, descriptor)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    arguments = asked["arguments"]
    assert isinstance(arguments, list)
    sys.argv = ["strades", *map(str, arguments)]


if __name__ == "__main__":
    # Libraries only: none of them reads the environment or starts a thread when it is imported.
    import adbc_driver_postgresql.dbapi  # noqa: F401
    import dagster  # noqa: F401
    import dagster_dbt  # noqa: F401
    import dagster_postgres  # noqa: F401
    import dbt.cli.main  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.compute  # noqa: F401
    import rich.console  # noqa: F401
    import typer  # noqa: F401

    serve()
