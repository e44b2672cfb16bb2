"""Runs `strades` again and again without importing its libraries again: each command is a fork of this process.

The imports are most of what a small command costs, and the end-to-end tests run dozens. What is forked is the real
command in a process group of its own, with its own environment and output: modules are loaded before, and nothing else
is done. Those of the definitions look at the installation when they are loaded: for `run` they are loaded in a fork
that is kept while the environment and the lists of sources and wallets stay as they are.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

ROOMS = ["cli", "lineage", "installation.install", "orchestration.graph_runs", "orchestration.main_job"]
ROOMS += ["orchestration.report", "supervision.sandbox_server"]
ROOMS += ["brokerage", "brokerage.brokers", "database", "datamanager", "ingestion", "market", "predictor", "resources"]
ROOMS += ["analysis", "bars", "compiler", "engine", "simulation", "strategy", "strategy.library"]
# What dbt works out anew in each process, to check its settings.
SCHEMAS = ("ProjectFlags", "Project", "Configuration", "PackageConfig")
LATE = ["dbt.task.build", "dbt.task.test", "dbt.adapters.postgres", "exchange_calendars", "sqlalchemy.dialects.sqlite"]
LATE += [
    "dagster._core.execution.execute_in_process",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
]
LATE += ["psycopg2.extras", "rich.live", "rich.status", "upath.implementations.local", "yoyo.scripts.main"]
# Where an installation's definitions come from, and what is a single command's alone.
LISTS = ("STRADES_SOURCES", "STRADES_WALLETS")
OF_A_COMMAND = ("STRADES_CRASH_AT",)
# A command that hangs is killed, and its test fails with what it had said; the longest take a minute or two.
LONGEST_SECONDS = 600


class Branch:
    """A fork that has loaded the definitions of an installation; it ends when its input closes.

    Args:
        key: what they depend on.
    """

    def __init__(self, key: object, environment: dict[str, str]) -> None:
        self.key = key
        lines, codes = os.pipe(), os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(lines[1])
            os.close(codes[0])
            with os.fdopen(lines[0]) as asked, os.fdopen(codes[1], "w") as told:
                print(load_definitions(environment), file=told, flush=True)
                serve(asked, told, branches=False)
            os._exit(0)
        os.close(lines[0])
        os.close(codes[1])
        self._lines, self._codes = os.fdopen(lines[1], "w"), os.fdopen(codes[0])
        # What they do not load with is the command's to say.
        self.is_loaded = self._codes.readline().strip() == "True"

    def ask(self, line: str) -> int:
        """The return code of a command."""
        self._lines.write(line)
        self._lines.flush()
        return int(self._codes.readline())

    def close(self) -> None:
        """End it."""
        self._lines.close()
        self._codes.close()
        os.waitpid(self._pid, 0)


def serve(lines: TextIO, codes: TextIO, *, branches: bool) -> None:
    """Answer each line of JSON with the return code of its command, until there is none."""
    branch: Branch | None = None
    for line in lines:
        asked = json.loads(line)
        if branches and asked["arguments"][0] == "run":
            key = key_of(asked["environment"])
            if branch is None or branch.key != key:
                if branch is not None:
                    branch.close()
                branch = Branch(key, asked["environment"])
            if branch.is_loaded:
                print(branch.ask(line), file=codes, flush=True)
                continue
        print(forked(asked), file=codes, flush=True)


def key_of(environment: dict[str, str]) -> object:
    """What definitions depend on, as it is now."""
    lists = [Path(environment[name]).read_bytes() for name in LISTS if name in environment]
    return {name: value for name, value in environment.items() if name not in OF_A_COMMAND}, lists


def load_definitions(environment: dict[str, str]) -> bool:
    """Load those of an installation; whether they do load."""
    os.environ.clear()
    os.environ.update(environment)
    for name in OF_A_COMMAND:
        os.environ.pop(name, None)
    os.dup2(2, 1)
    try:
        importlib.import_module("strades_pipelines.definitions").defs()
    except Exception:
        return False
    # Each command reads its own.
    importlib.import_module("strades_pipelines.settings").settings.cache_clear()
    gc.freeze()
    return True


def forked(asked: dict[str, Any]) -> int:
    """The return code of a command, run in a fork."""
    child = os.fork()
    if child == 0:
        become(asked)
        end(run())
    if asked["signal"] is not None:
        number, after, patience = asked["signal"]
        send(child, number, after, patience, sent=Path(str(asked["stdout"])).with_suffix(".signal"))
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(LONGEST_SECONDS)
    _, status = os.waitpid(child, 0)
    signal.alarm(0)
    return os.waitstatus_to_exitcode(status)


def send(child: int, number: int, after: float, patience: float, *, sent: Path) -> None:
    """Send a signal to a command after some seconds, and kill it if it has not ended some seconds later.

    Args:
        sent: gets the time of the signal, in seconds since 1970.
    """
    with suppress(ChildProcessError):
        if has_ended(child, within=after):
            return
        sent.write_text(str(time.time()))
        os.kill(child, number)
        if not has_ended(child, within=patience):
            os.kill(child, signal.SIGKILL)


def has_ended(child: int, *, within: float) -> bool:
    """Whether a child ends within some seconds; it is not waited for."""
    deadline = time.monotonic() + within
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


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
    """Be the command that was asked for, which heeds every signal, whatever this run of tests was started to ignore."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
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
    read_parsed(Path(os.environ["STRADES_TEST_FOLDER"]) / "dbt" / "manifest.json")


def read_parsed(manifest: Path) -> None:
    """Read the project that another test has parsed: dbt first writes code, for hundreds of classes and each macro."""
    if manifest.exists():
        templates = importlib.import_module("dbt_common.clients.jinja").template_cache
        load_parsed = importlib.import_module("strades_pipelines.resources.dbt_project").load_parsed
        for macro in load_parsed(manifest, database="").macros.values():
            templates.get_node_template(macro)


if __name__ == "__main__":
    load()
    gc.freeze()  # else the first collection of each fork copies all of it
    serve(sys.stdin, sys.stdout, branches=True)
