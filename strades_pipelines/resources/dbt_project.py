"""Runs dbt inside this process, and keeps its parsed project until a file of it changes.

dbt started as a program costs ten seconds a call, here three. What dbt writes stays out of the project's folder: its
manifest, compiled SQL and log are in a folder of the installation's home.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock
from psycopg.conninfo import conninfo_to_dict

from strades_pipelines.database.connection import advisory_lock, session_url
from strades_pipelines.database.psql import libpq_variables
from strades_pipelines.settings import PROJECT, settings

PROJECT_DIR = PROJECT / "dbt_project"
RESULTS = ("LogModelResult", "LogTestResult")
FAILED = ("error", "fail", "runtime error")
PASSED = ("success", "pass")
CONNECTION = ("host", "port", "user", "password", "dbname", "sslmode")
_ONE_AT_A_TIME = Lock()  # dbt keeps flags and connections in globals


class DbtError(RuntimeError):
    """dbt could not do what it was asked to, in one line: the nodes that failed and why."""


@dataclass
class Invocation:
    """The result of a call of dbt: its result events, as dictionaries, and a line for each node that failed.

    `passed` is false also where nothing failed and a test warns.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    passed: bool = True

    def check(self) -> None:
        """Raise a DbtError naming every failure, if there is one."""
        if self.failures:
            raise DbtError("dbt: " + "; ".join(self.failures))


def home() -> Path:
    """Where dbt's manifest, compiled SQL and log are kept."""
    return settings().home / "dbt"


def ensure_manifest(into: Path | None = None) -> Path:
    """The path of a manifest that describes the project as it is now; dbt parses only when a file of it has changed.

    Needs no database. Any process may call it at any time: one parses, the others wait.

    Args:
        into: a folder in place of `home()`.

    Raises:
        DbtError: when the project cannot be parsed.
    """
    place = into or home()
    place.mkdir(parents=True, exist_ok=True)
    stamp, wanted = place / "fingerprint", fingerprint()
    with FileLock(place / "lock"):
        if not stamp.exists() or stamp.read_text() != wanted:
            # A parse that is killed must leave nothing that passes for one.
            stamp.unlink(missing_ok=True)
            invoke(["parse", "--no-partial-parse"], url=None, target=place).check()
            stamp.write_text(wanted)
    return place / "manifest.json"


def fingerprint() -> str:
    """SHA-256 over the project's files and dbt's version: all that a parsed project depends on."""
    digest = hashlib.sha256(_versions().encode())
    files = [path for path in PROJECT_DIR.rglob("*") if path.suffix in (".sql", ".yml", ".md")]
    for path in sorted(file for file in files if not {"target", "logs"} & set(file.relative_to(PROJECT_DIR).parts)):
        digest.update(f"\n{path.relative_to(PROJECT_DIR)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def _versions() -> str:
    """Once a process: Python reads the whole folder of packages again for it whenever something was imported."""
    return f"{version('dbt-core')} {version('dbt-postgres')}"


def invoke(arguments: Sequence[str], *, url: str | None, target: Path, parsed: Any = None) -> Invocation:
    """Run one dbt command and collect its results; never raises for what dbt reports.

    Args:
        arguments: the command and its own options.
        url: the database; None is for commands that do not connect.
        target: the folder dbt writes to.
        parsed: a parsed project (see `load_parsed`), which saves parsing it again. dbt changes it: use it once.
    """
    from dbt.cli.main import dbtRunner
    from dbt_common.events.functions import msg_to_dict

    events: list[Any] = []

    def collect(event: Any) -> None:
        if event.info.name in RESULTS:
            events.append(msg_to_dict(event))

    options = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)]
    options += ["--target-path", str(target), "--log-path", str(target / "logs")]
    with _ONE_AT_A_TIME, _dbt_lock(url), _connection_in_environment(url):
        runner = dbtRunner(manifest=parsed, callbacks=[collect])
        # In a thread of its own: dbt looks up the source of every frame on the stack, and below Dagster's are many.
        with ThreadPoolExecutor(1) as thread:
            words = ["--log-level", "none", "--log-level-file", "info", *arguments, *options]
            outcome = thread.submit(runner.invoke, words).result()
    results = getattr(outcome.result, "results", [])
    failures = [_line(result) for result in results if result.status in FAILED]
    if outcome.exception is not None:
        failures.append(_flat(str(outcome.exception)))
    elif not outcome.success and not failures:
        failures.append(f"`dbt {arguments[0]}` failed; see {target / 'logs' / 'dbt.log'}")
    return Invocation(events, failures, not failures and all(result.status in PASSED for result in results))


def load_parsed(manifest: Path, *, database: str) -> Any:
    """The parsed project beside a manifest, as dbt's own runner takes it, for models in `database`.

    dbt writes the name of the database it parsed for into every node, so that another one would be parsed again.
    """
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    stored = manifest.with_name("partial_parse.msgpack").read_bytes()
    parsed = Manifest.from_msgpack(stored, decoder=extended_mashumuro_decoder)
    for node in (*parsed.nodes.values(), *parsed.sources.values()):
        if node.relation_name:
            node.relation_name = node.relation_name.replace(f'"{node.database}"', f'"{database}"', 1)
        node.database = database
    parsed.build_flat_graph()
    return parsed


def database_name(url: str) -> str:
    """The database a URL names."""
    return urlsplit(url).path.strip("/")


@contextmanager
def _dbt_lock(url: str | None) -> Iterator[None]:
    """Wait for other processes' dbt on the same database: two would trip over each other's temporary relations."""
    if url is None:
        yield
        return
    with advisory_lock(url, "dbt"):
        yield


@contextmanager
def _connection_in_environment(url: str | None) -> Iterator[None]:
    """profiles.yml reads the connection from these variables; they are taken back afterwards.

    What a profile cannot say (sslrootcert, channel_binding, application_name ...) libpq reads from its own variables.
    """
    parts: Mapping[str, Any] = conninfo_to_dict(session_url(url)) if url else {}
    names = {f"STRADES_DBT_{part.upper()}": parts.get(part) for part in CONNECTION}
    names |= libpq_variables(session_url(url)) if url else {}
    before = {name: os.environ.get(name) for name in names}
    _set(names)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, Any]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = str(value)


def _line(result: Any) -> str:
    return f"{result.node.schema}.{result.node.name} {result.status}: {_flat(result.message or '')}"


def _flat(text: str) -> str:
    return " ".join(text.split())[:400]
