"""Thirty days in fast motion: a day's run and a night's housekeeping at a held clock that steps by a day.

`MONTH_DAYS` is how many days, 30 without it, and `MONTH_MINUTES` after how many minutes no further day begins. Dagster
writes by the real clock: what it wrote in a day is dated to that day afterwards, and retention is called with the held
clock, so that it finds it as old as it would be; the night's job itself calls it with the real one. Each such row is
updated once more than in real days, which makes dead rows for the night's VACUUM.

What is served in between (ticks of schedules and sensors, evaluations) is not part of it: `growth` measures that.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.run import STRADES, empty_home, measured
from strades_pipelines.database.connection import DAGSTER_DATABASE, WORLD_DATABASES
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.defs.maintenance.retention import IS_RESULT

NIGHT = """
import runpy, sys
import dagster as dg
from strades_pipelines.defs.maintenance.retention import delete_expired
from strades_pipelines.installation.install import prepare
from strades_pipelines.settings import settings
prepare()
with dg.DagsterInstance.get() as instance:
    delete_expired(instance, settings(), now=settings().now())
sys.argv = ["dagster", "job", "execute", "-m", "strades_pipelines.definitions", "-j", "nightly_housekeeping_job"]
runpy.run_module("dagster", run_name="__main__")
"""
BACKUPS_KEPT = 14  # as Compose keeps them
# What Dagster dates, by table: its columns, and the one by which new rows are found.
DATED = {
    "event_logs": (("timestamp",), "id"),
    "asset_event_tags": (("event_timestamp",), "event_id"),
    "asset_check_executions": (("create_timestamp",), "id"),
    "runs": (("create_timestamp", "update_timestamp"), "id"),
}
RESULTS = f"SELECT count(*) FROM event_logs AS e WHERE {IS_RESULT}"


@dataclass(frozen=True)
class Day:
    """What there is at the end of a day, in bytes; `files` are those of the home but for PostgreSQL's own."""

    world: int
    dagster: int
    rows: int
    results: int
    tables: int
    files: int
    home: int
    wal: int
    own_peak: int
    peak: int

    def cells(self) -> Iterator[str]:
        """One for each column of the table."""
        yield f"{self.world / 1e6:.1f}"
        yield f"{self.dagster / 1e6:.1f}"
        yield f"{self.rows:,}"
        yield f"{self.results:,}"
        yield f"{self.tables:,}"
        yield f"{self.files:,}"
        yield f"{self.home / 1e6:.1f}"
        yield f"{self.wal / 1e6:.0f}"
        yield f"{self.own_peak / 1e9:.2f}"
        yield f"{self.peak / 1e9:.2f}"


HEAD = (
    "day | world MB | Dagster MB | event rows | results | PostgreSQL files | files | home MB | WAL MB"
    " | run GB | with PostgreSQL GB"
)


def main() -> None:
    """Print a line for each day."""
    days = int(os.environ.get("MONTH_DAYS", "30"))
    until = time.monotonic() + 60 * float(os.environ.get("MONTH_MINUTES", "600"))
    begin = datetime.now(UTC).replace(hour=22, minute=0, second=0, microsecond=0)
    with empty_home() as environment:
        home = Path(environment["STRADES_HOME"])
        print(HEAD, flush=True)
        newest = dict.fromkeys(DATED, 0)
        for number in range(days):
            if time.monotonic() > until:
                break
            now = begin + timedelta(days=number)
            day = _live_through(environment, home, now, newest)
            print(" | ".join([f"{number + 1}", *day.cells()]), flush=True)


def _live_through(environment: dict[str, str], home: Path, now: datetime, newest: dict[str, int]) -> Day:
    """A day's run, its backup, and the night after it; `newest` is the last dated row of each table."""
    clock = {
        "STRADES_SANDBOX_NOW": now.isoformat(),
        "STRADES_WINDOW_FROM": f"{now - timedelta(days=60):%Y-%m-01}",
        "STRADES_WINDOW_TO": f"{now + timedelta(days=1):%F}",
    }
    held = environment | clock
    document = measured(f"{now:%F}", [STRADES, "run", "--json"], held)
    assert not document["failures"], document["failures"]
    _back_up(held, home, now)
    with psycopg.connect(EmbeddedServer(home / "postgres").url(DAGSTER_DATABASE), autocommit=True) as connection:
        _date(connection, now - datetime.now(UTC), newest)
        night = [sys.executable, "-W", "ignore", "-c", NIGHT]
        done = subprocess.run(night, env=held, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        _date(connection, now - datetime.now(UTC), newest)
        return _measure(connection, home, document)


def _back_up(environment: dict[str, str], home: Path, now: datetime) -> None:
    folder = home / "backups"
    folder.mkdir(exist_ok=True)
    command = [STRADES, "db", "backup", str(folder / f"{now:%F}.backup")]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for old in sorted(folder.iterdir())[:-BACKUPS_KEPT]:
        old.unlink()


def _date(connection: "psycopg.Connection", shift: timedelta, newest: dict[str, int]) -> None:
    """Date what Dagster wrote since the last time to the day of the held clock."""
    for table, (columns, key) in DATED.items():
        changes = ", ".join(f"{column} = {column} + %(shift)s" for column in columns)
        found = connection.execute(
            f"WITH dated AS (UPDATE {table} SET {changes} WHERE {key} > %(newest)s RETURNING {key})"
            f" SELECT coalesce(max({key}), %(newest)s) FROM dated".encode(),
            {"shift": shift, "newest": newest[table]},
        ).fetchone()
        newest[table] = int(found[0]) if found else newest[table]


def _measure(connection: "psycopg.Connection", home: Path, document: dict[str, Any]) -> Day:
    found = connection.execute("SELECT datname, pg_database_size(oid) FROM pg_database").fetchall()
    sizes: dict[str, int] = dict(found)
    server = home / "postgres"
    files = [path for path in home.rglob("*") if path.is_file()]
    own = [path for path in files if server not in path.parents]
    return Day(
        world=sizes[WORLD_DATABASES["sandbox"]],
        dagster=sizes[DAGSTER_DATABASE],
        rows=_count(connection, "SELECT count(*) FROM event_logs"),
        results=_count(connection, RESULTS),
        tables=len(files) - len(own),
        files=len(own),
        home=sum(path.stat().st_size for path in own),
        wal=sum(path.stat().st_size for path in (server / "data" / "pg_wal").glob("0*")),
        own_peak=document["own_peak"],
        peak=document["peak"],
    )


def _count(connection: "psycopg.Connection", query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
