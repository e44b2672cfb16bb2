"""Retention of Dagster's event log at a million rows: what goes, what stays, what its pages still answer, how fast.

`RETENTION_ROWS` is how many events, 1,000,000 without it. They are those of one executed run (two assets, a check),
copied in SQL under other ids, months and times over the last sixty days; each twentieth run is one that failed. The
queries are sent to Dagster's own GraphQL schema in this process, as its webserver does.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster_graphql.schema import create_schema

from benchmarks.run import empty_home
from benchmarks.run_queue import CHECKS, RESULTS, executed, one, simulated_instance
from strades_pipelines.database.connection import DAGSTER_DATABASE
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.defs.maintenance.retention import delete_expired
from strades_pipelines.settings import Settings

DAYS, FAILED_EACH, BATCH_RUNS = 60, 20, 5000
# Columns of the copies that differ from the run that was executed; `n` is the copy's number, `age` its days.
RUN_ID = "md5('run ' || n)::uuid::text"
MONTH = "(date '2012-01-01' + make_interval(months => mod(n, 168)))::date::text"
AT = "(now() AT TIME ZONE 'UTC') - make_interval(secs => 86400.0 * {days} * (1 - n / {runs}.0))"
HISTORY = """query ($key: AssetKeyInput!) { assetOrError(assetKey: $key) { __typename ... on Asset {
    assetMaterializations(limit: 100) { runId timestamp partition } } } }"""
RUNS = """query { runsOrError(limit: 25) { __typename ... on Runs { results { runId status startTime endTime
    tags { key value } } } } }"""
DIGEST = "SELECT coalesce(sum(hashtextextended(e::text, 0)), 0) FROM {table} AS e WHERE {where}"


@dataclass(frozen=True)
class Retained:
    """What retention did: rows before and after, and two digests of what must stay, which must be equal."""

    events: tuple[int, int]
    results: tuple[int, int]
    checks: tuple[int, int]
    kept: tuple[tuple[int, int], tuple[int, int]]
    sizes: tuple[int, int, int]  # bytes: before, after deletes and VACUUM, after VACUUM FULL
    seconds: float
    answers: tuple[Mapping[str, tuple[int, float]], Mapping[str, tuple[int, float]]]  # rows and seconds by page


def main() -> None:
    """Print the figures."""
    count = int(os.environ.get("RETENTION_ROWS", "1000000"))
    with empty_home() as environment:
        home = Path(environment["STRADES_HOME"])
        url = EmbeddedServer(home / "postgres").url(DAGSTER_DATABASE)
        with simulated_instance(url, home) as instance, psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET synchronous_commit = off")
            began = time.perf_counter()
            made = fill(instance, connection, count)
            print(f"{made:,} events in {time.perf_counter() - began:.0f} s, load {os.getloadavg()[0]:.1f}")
            found = retain(instance, connection)
            megabytes = [size / 1e6 for size in found.sizes]
            print(f"event rows {found.events[0]:,} -> {found.events[1]:,} in {found.seconds:.1f} s")
            print(f"materializations {found.results[0]:,} -> {found.results[1]:,}, checks {found.checks[0]:,} -> "
                  f"{found.checks[1]:,}, the same rows: {found.kept[0] == found.kept[1]}")  # fmt: skip
            print(f"size {megabytes[0]:.0f} MB, after VACUUM {megabytes[1]:.0f}, after VACUUM FULL {megabytes[2]:.0f}")
            for when, answers in zip(("before", "after"), found.answers, strict=True):
                for page, (rows, seconds) in answers.items():
                    print(f"{when}: {page}: {rows} rows in {1000 * seconds:.0f} ms")


def fill(instance: dg.DagsterInstance, connection: psycopg.Connection, count: int) -> int:
    """Copy one executed run until there are `count` events; returns how many there are."""
    run = executed(instance).run
    each = one(connection, "SELECT count(*) FROM event_logs")
    runs = max(1, count // each)
    for start in range(1, runs + 1, BATCH_RUNS):
        end = min(start + BATCH_RUNS, runs + 1)
        for table in ("runs", "run_tags", "event_logs", "asset_check_executions"):
            _copy(connection, table, run.run_id, runs, (start, end))
    connection.execute("ANALYZE")
    return one(connection, "SELECT count(*) FROM event_logs")


def retain(instance: dg.DagsterInstance, connection: psycopg.Connection) -> Retained:
    """Run retention with the default settings, and compare what must stay."""
    counts = ["SELECT count(*) FROM event_logs", RESULTS, CHECKS]
    before, kept, size = [one(connection, query) for query in counts], _kept(connection), _size(connection)
    asked = ask_pages(instance)
    began = time.perf_counter()
    delete_expired(instance, Settings(), now=datetime.now(UTC))
    seconds = time.perf_counter() - began
    after, vacuumed = [one(connection, query) for query in counts], _size(connection)
    connection.execute("VACUUM FULL event_logs")
    events, results, checks = zip(before, after, strict=True)
    sizes = (size, vacuumed, _size(connection))
    return Retained(events, results, checks, (kept, _kept(connection)), sizes, seconds, (asked, ask_pages(instance)))


def ask_pages(instance: dg.DagsterInstance) -> dict[str, tuple[int, float]]:
    """Rows and seconds of an asset's history and of the page of runs.

    Raises:
        RuntimeError: one of them is an error.
    """
    schema, found = create_schema(), {}
    with WorkspaceProcessContext(instance, None) as process:
        for page, query, name, rows in (
            ("history of an asset", HISTORY, "assetOrError", "assetMaterializations"),
            ("page of runs", RUNS, "runsOrError", "results"),
        ):
            began = time.perf_counter()
            context, key = process.create_request_context(), {"key": {"path": ["cleaned", "bars"]}}
            done: Any = asyncio.run(schema.execute_async(query, context_value=context, variable_values=key))
            if done.errors or rows not in done.data[name]:
                raise RuntimeError(f"{page}: {done.errors or done.data}")
            found[page] = (len(done.data[name][rows]), time.perf_counter() - began)
    return found


def _copy(connection: psycopg.Connection, table: str, run_id: str, runs: int, numbers: tuple[int, int]) -> None:
    at = AT.format(days=DAYS, runs=runs)
    failed = f"mod(n, {FAILED_EACH}) = 0"
    changed = {
        "run_id": RUN_ID,
        "partition": f"CASE WHEN t.partition IS NULL THEN NULL ELSE {MONTH} END",
        "status": f"CASE WHEN {failed} THEN 'FAILURE' ELSE t.status END",
        "timestamp": at,
        "create_timestamp": at,
        "update_timestamp": at,
        "event": f"replace(t.event, '{run_id}', {RUN_ID})",
        "run_body": f"replace(t.run_body, '{run_id}', {RUN_ID})",
        "evaluation_event": f"replace(t.evaluation_event, '{run_id}', {RUN_ID})",
        "value": "t.value",
    }
    query = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attname <> 'id'"
    columns = [name for (name,) in connection.execute(query, [table]).fetchall()]
    values = ", ".join(changed.get(name, f't."{name}"') for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    connection.execute(
        f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} AS t, generate_series(%s::int, %s::int) AS n"
        f" WHERE t.run_id = %s ORDER BY n, t.id".encode(),
        [numbers[0], numbers[1] - 1, run_id],
    )


def _kept(connection: psycopg.Connection) -> tuple[int, int]:
    results = RESULTS.partition(" WHERE ")[2]
    return (
        one(connection, DIGEST.format(table="event_logs", where=results)),
        one(connection, DIGEST.format(table="asset_check_executions", where="true")),
    )


def _size(connection: psycopg.Connection) -> int:
    return one(connection, "SELECT pg_total_relation_size('event_logs')")
