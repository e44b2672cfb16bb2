"""Builds the models on a test's database, with the project parsed once for all tests."""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from strades_pipelines.resources.dbt_project import (
    PROJECT_DIR,
    Invocation,
    database_name,
    ensure_manifest,
    invoke,
    load_parsed,
)

BUILD = ("build", "--exclude-resource-type", "unit_test")


@cache
def dbt_folder() -> Path:
    """Where this process's dbt keeps what it parsed and compiled, until the tests end."""
    folder = tempfile.mkdtemp(prefix="strades-dbt-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy_parsed(Path(folder))
    return Path(folder)


def copy_parsed(into: Path) -> None:
    """Put the parsed project into a folder; it is parsed once for all processes of a run of the tests."""
    parsed = ensure_manifest(Path(os.environ["STRADES_TEST_FOLDER"]) / "dbt").parent
    into.mkdir(exist_ok=True)
    for name in ("manifest.json", "partial_parse.msgpack", "fingerprint"):
        shutil.copy(parsed / name, into / name)


def edited_project(into: Path) -> Path:
    """Copy dbt's project, with a comment added to one model; returns the copy."""
    shutil.copytree(PROJECT_DIR, into, ignore=shutil.ignore_patterns("target", "logs"))
    with (into / "models" / "cleaned" / "daily_bars.sql").open("a", encoding="utf-8") as model:
        model.write("-- edited\n")
    return into


def run_dbt(url: str, arguments: Sequence[str] = BUILD, **variables: str) -> Invocation:
    """Run one dbt command, by default a build of everything; fails with what dbt said."""
    manifest = ensure_manifest(dbt_folder())
    parsed = load_parsed(manifest, database=database_name(url))
    options = [*arguments, "--no-write-json", "--vars", json.dumps(variables)]
    outcome = invoke(options, url=url, target=dbt_folder(), parsed=parsed)
    outcome.check()
    return outcome


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    """The result of a query, in a connection of its own."""
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        return connection.execute(query).fetchall()


def months(first: date, count: int) -> list[dict[str, str]]:
    """dbt's variables for `count` months from the one of `first` on."""
    starts = [
        date(first.year + (first.month - 1 + i) // 12, (first.month - 1 + i) % 12 + 1, 1) for i in range(count + 1)
    ]
    return [{"min_date": str(a), "max_date": str(b)} for a, b in pairwise(starts)]
