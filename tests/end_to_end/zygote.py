"""Runs `strades` again and again without importing its libraries again: each command is a fork of this process.

The imports are most of what a small command costs, and the end-to-end tests run dozens. What is forked is the real
command in a process group of its own, with its own environment and output: modules are loaded before, but for those of
the definitions, which look at the installation when they are, and nothing else is done.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import sys
from contextlib import suppress

ROOMS = ["cli", "graph_runs", "install", "main_job", "report", "sandbox_server", "lineage"]
ROOMS += ["brokerage", "brokerage.brokers", "database", "datamanager", "ingestion", "market", "predictor", "resources"]
ROOMS += ["strategy", "strategy.library"]
# What dbt works out anew in each process, to check its settings.
SCHEMAS = ("ProjectFlags", "Project", "Configuration", "PackageConfig")
LATE = ["dbt.task.build", "dbt.task.test", "dbt.adapters.postgres", "exchange_calendars", "sqlalchemy.dialects.sqlite"]
LATE += [
    "dagster._core.execution.execute_in_process",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
]
LATE += ["psycopg2.extras", "rich.live", "rich.status", "upath.implementations.local", "yoyo.scripts.main"]


def serve() -> None:
    """Answer one line of JSON on standard input with the return code of its command, until there is none."""
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            become(asked)
            end(run())
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run() -> int:
    """The command that this process has become; its return code."""
    from strades_pipelines.cli import main

    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def end(code: int) -> None:
    """End with what is due at the end, but without taking all the modules down, which takes a second."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


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


def load() -> None:
    """Import what commands need."""
    for name in ROOMS:
        room = importlib.import_module(f"strades_pipelines.{name}")
        for module in pkgutil.iter_modules(getattr(room, "__path__", ())):
            importlib.import_module(f"{room.__name__}.{module.name}")
    # Libraries that are loaded late, when they are first needed.
    for name in ("adbc_driver_postgresql.dbapi", "dagster_postgres", "dbt.cli.main", *LATE):
        importlib.import_module(name)
    settings = importlib.import_module("dbt.contracts.project")
    for name in SCHEMAS:
        getattr(settings, name).json_schema()
    # It writes its code for the hundreds of classes of a parsed project when it is first asked to read one.
    manifest = importlib.import_module("dbt.contracts.graph.manifest").Manifest
    with suppress(Exception):
        manifest.from_msgpack(
            b"\x80", decoder=importlib.import_module("dbt.parser.manifest").extended_mashumuro_decoder
        )


if __name__ == "__main__":
    load()
    gc.freeze()  # else the first collection of each fork copies all of it
    serve()
