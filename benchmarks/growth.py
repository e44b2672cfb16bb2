"""What a served installation adds to Dagster's database in an hour, and in 30 days with what housekeeping deletes.

`STRADES_BENCHMARK_MINUTES` is how long is measured, 20 without it. The 30 days are an extrapolation: the hour's rows
times the days for which each kind of row is kept, at the size that rows of its table have with their indexes.
"""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.run import STRADES, empty_home, measured
from strades_pipelines.database.connection import DAGSTER_DATABASE
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.defs.maintenance.retention import IS_BEGIN_OR_END, IS_OBSERVATION, IS_RESULT
from strades_pipelines.settings import Settings
from strades_pipelines.system.ports import free_port

WARM_UP_SECONDS = 300  # the first ticks work through what the run left
DAYS = 30
KEPT = Settings()
COPIED_BYTES = 20_000_000


@dataclass(frozen=True)
class Kind:
    """Rows of a table that are kept equally long."""

    table: str
    name: str = "all"
    where: str = "true"
    days: int = DAYS


KINDS = (
    Kind("event_logs", "materializations", f"{IS_RESULT} AND NOT {IS_OBSERVATION}"),
    # The newest of each month stays as well.
    Kind("event_logs", "observations", IS_OBSERVATION, KEPT.success_details_kept_days),
    Kind("event_logs", "begin and end of runs", IS_BEGIN_OR_END, KEPT.success_runs_kept_days),
    Kind("event_logs", "the rest", f"NOT {IS_RESULT} AND NOT {IS_BEGIN_OR_END}", KEPT.success_details_kept_days),
    Kind("asset_daemon_asset_evaluations", days=KEPT.evaluations_kept_days),
    # Those of the newest of each asset and month stay as well.
    Kind("asset_event_tags", days=KEPT.success_details_kept_days),
    Kind("asset_check_executions"),
    Kind("job_ticks", "skipped", "e.status = 'SKIPPED'", 3),
    Kind("job_ticks", "others", "e.status <> 'SKIPPED'", 7),
    Kind("runs", days=KEPT.success_runs_kept_days),
    Kind("run_tags", days=KEPT.success_runs_kept_days),
    Kind("snapshots", days=KEPT.success_runs_kept_days),
)


def main() -> None:
    """Print rows and bytes an hour by kind, the size after 30 days, and the daemon's memory."""
    minutes = float(os.environ.get("STRADES_BENCHMARK_MINUTES", "20"))
    with empty_home() as environment:
        # The clock has to go on: what it starts is measured.
        del environment["STRADES_SANDBOX_NOW"]
        environment["STRADES_WEBSERVER_PORT"], environment["STRADES_DOCS_PORT"] = str(free_port()), str(free_port())
        environment["STRADES_SANDBOX_URL"] = f"http://127.0.0.1:{free_port()}"
        measured("run before", [STRADES, "run", "--json"], environment)
        command = [STRADES, "up"]
        up = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(WARM_UP_SECONDS)
            _measure(environment["STRADES_HOME"], minutes)
        finally:
            up.send_signal(signal.SIGINT)
            up.wait()


def _measure(home: str, minutes: float) -> None:
    url = EmbeddedServer(Path(home) / "postgres").url(DAGSTER_DATABASE)
    with psycopg.connect(url, autocommit=True) as connection:
        first, memory, began = _counts(connection), _daemon_memory(home), time.monotonic()
        whole = _one(connection, "SELECT pg_database_size(current_database())")
        time.sleep(minutes * 60)
        hours = (time.monotonic() - began) / 3600
        last = _counts(connection)
        grown = _one(connection, "SELECT pg_database_size(current_database())") - whole
        stored = {table: _stored_per_byte(connection, table) for table in {kind.table for kind in KINDS}}
        total = 0.0
        print(f"{'table':32} {'rows':40} {'rows/h':>8} {'kB/h':>9} {'days kept':>9} {'MB in 30 days':>13}")
        for kind, (count, size) in last.items():
            rows = (count - first[kind][0]) / hours
            kilobytes = rows * (size / max(count, 1)) * stored[kind.table] / 1e3
            month = kilobytes * 24 * min(kind.days, DAYS) / 1e3
            total += month
            print(f"{kind.table:32} {kind.name:40} {rows:8,.0f} {kilobytes:9,.0f} {kind.days:9} {month:13,.0f}")
        print(f"after {DAYS} days, extrapolated from {hours * 60:.0f} minutes: {(whole / 1e6 + total) / 1e3:.2f} GB")
        print(f"files of the database: {whole / 1e6:.0f} MB at first, {grown / 1e6 / hours:.1f} MB/h more")
        print(
            f"memory of the daemon: {memory / 1e6:.0f} MB at first, {_daemon_memory(home) / 1e6:.0f} MB at last (PSS)"
        )


def _counts(connection: psycopg.Connection) -> dict[Kind, tuple[int, int]]:
    """Rows and their bytes, indexes not counted, by kind."""
    found = {}
    for kind in KINDS:
        query = f"SELECT count(*), coalesce(sum(pg_column_size(e.*)), 0) FROM {kind.table} AS e WHERE {kind.where}"
        rows, size = connection.execute(query.encode()).fetchone() or (0, 0)
        found[kind] = (int(rows), int(size))
    return found


def _stored_per_byte(connection: psycopg.Connection, table: str) -> float:
    """Bytes of a table's files, with its indexes, to a byte of its rows.

    In a copy with the rows many times: the files of a table that is nearly empty say little of what a row costs.
    """
    rows = _one(connection, f"SELECT coalesce(sum(pg_column_size(e.*)), 0) FROM {table} AS e")
    times = int(COPIED_BYTES / max(rows, 1)) + 1
    connection.execute("CREATE SCHEMA copies")
    connection.execute(
        f"CREATE TABLE copies.{table} AS SELECT e.* FROM {table} AS e, generate_series(1, {times})".encode()
    )
    for (made,) in connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [table]).fetchall():
        copy = "CREATE INDEX ON " + made.partition(" ON ")[2].replace("public.", "copies.", 1)
        # Each row is there many times; those of the real table have keys of their own.
        columns, where, condition = copy.partition(" WHERE ")
        options = " WITH (deduplicate_items = off)" if "USING btree" in columns else ""
        connection.execute(f"{columns}{options}{where}{condition}".encode())
    size = _one(connection, f"SELECT pg_total_relation_size('copies.{table}')")
    connection.execute("DROP SCHEMA copies CASCADE")
    return size / max(rows * times, 1)


def _one(connection: psycopg.Connection, query: str) -> float:
    row = connection.execute(query.encode()).fetchone()
    return float(row[0]) if row else 0.0


def _daemon_memory(home: str) -> int:
    """Proportional set size of the daemon of an installation, in bytes."""
    for process in psutil.process_iter():
        try:
            command = process.cmdline()
            ours = process.environ().get("STRADES_HOME") == home
            if ours and any(word.endswith("dagster-daemon") for word in command[:2]):
                full = process.memory_full_info()
                return int(getattr(full, "pss", None) or full.rss)
        except psutil.Error:
            continue
    return 0
