"""`strades run`: the whole graph over a window, as a few in-process runs on the Dagster instance.

Fetching and working are runs of their own, so that a dead source stops nothing but itself.
"""

import logging
import os
import re
import socket
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster import DagsterInstance

from strades_pipelines.database.connection import connect
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.reports import save_report
from strades_pipelines.keys import LAYERS
from strades_pipelines.partitions import Window
from strades_pipelines.report import LAYER_TABLES
from strades_pipelines.settings import settings

STATEMENT_TIMEOUT_MS = 60_000
PROCESS_TAG = "strades/process"
UNFINISHED = ("NOT_STARTED", "QUEUED", "STARTING", "STARTED", "CANCELING")
WORK_LAYERS = [layer for layer in LAYERS if layer != "rawsources"]
TRADE_LAYERS = ("signals", "trading", "results")
LAST_LAYERS = ("marts", "ops")
Progress = Callable[[str], None]
# The wallets that trade, and the last replay of each template over this window.
PERFORMANCE = """
    SELECT
        p.wallet, w.mode, p.statistics, p.benchmark,
        (SELECT count(*) FROM trading.fills AS f WHERE f.wallet = p.wallet) AS fills
    FROM results.performance AS p INNER JOIN trading.wallets AS w USING (wallet)
    LEFT JOIN trading.replays AS r USING (wallet)
    WHERE w.mode <> 'replay' OR (r.opened_at, r.window_end) = (%s, %s)
    ORDER BY w.mode DESC, p.wallet
"""


@dataclass
class Outcome:
    """What the runs of one `strades run` came to."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    materialized: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


def run_main_job(window: Window, *, progress: Progress) -> dict[str, Any]:
    """Fetch, work through every layer, trade and report; `progress` gets a line for each step.

    Returns:
        The report of design's `report --json`, with `failures`, which is empty only if every layer did its work.
    """
    from strades_pipelines.definitions import defs

    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    instance = DagsterInstance.get()
    # Held connections: the storages otherwise open one for each of some thousand queries, a fifth of the whole run.
    instance.optimize_for_webserver(statement_timeout=STATEMENT_TIMEOUT_MS, pool_recycle=3600, max_overflow=5)
    ask_of_its_tables_once(instance)
    end_killed_runs(instance)
    definitions = defs()
    outcome = Outcome()
    for title, layers, stretch, config in stages(window, settings().now()):
        progress(f"[bold]{title}[/]")
        _execute(definitions, instance, layers, stretch, config, outcome, progress)
    document = build_report(window, outcome)
    save_report(document, settings().now())
    crash_point("ops.report_saved")
    return document


def ask_of_its_tables_once(instance: DagsterInstance) -> None:
    """Keep what the event log learns of its own tables, which do not change while we run.

    Dagster asks PostgreSQL for the columns of a table with every asset event, and again with most that it reads.
    """
    storage: Any = instance.event_log_storage
    known: dict[str, bool] = {}
    ask = storage._has_asset_key_col_on_connection

    def has_column(connection: Any, name: str) -> bool:
        if name not in known:
            known[name] = ask(connection, name)
        return known[name]

    storage._has_asset_key_col_on_connection = has_column
    storage.has_table = cache(storage.has_table)


def stages(window: Window, now: datetime) -> Iterator[tuple[str, list[str], Window, dict[str, Any]]]:
    """The runs, in order: what is fetched and worked over the window, then the same at the live edge."""
    edge = Window(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0), now + timedelta(microseconds=1))
    at_edge = window.month_range()[1] >= edge.month_range()[0]
    clip = {"from_date": f"{window.start:%Y-%m-%d}", "to_date": f"{window.end:%Y-%m-%d}"}
    replay = {"modes": ["replay"], **clip}
    yield "fetch the window", ["rawsources"], window, {"rawsources": clip}
    if not at_edge:
        yield "fetch the live edge", ["rawsources"], edge, {}
    # Views are made once; tables for people, and what happened, when all else is done.
    layers = [layer for layer in WORK_LAYERS if layer not in LAST_LAYERS]
    yield "work through the window", layers, window, {"clip": clip, "trade": replay}
    again = (*TRADE_LAYERS, *LAST_LAYERS) if at_edge else [layer for layer in WORK_LAYERS if layer != "staging"]
    layers = [layer for layer in WORK_LAYERS if layer in again]
    yield "trade at the live edge", layers, edge, {"trade": {"modes": ["paper", "live"]}}


def end_killed_runs(instance: DagsterInstance) -> None:
    """Mark the runs of earlier commands that were killed as failed, and free the pool slots they still hold.

    Dagster's daemon would do so in time, but none need be running, and a held slot would block this run for good.
    """
    unfinished = dg.RunsFilter(statuses=[status for status in dg.DagsterRunStatus if status.value in UNFINISHED])
    for run in instance.get_runs(filters=unfinished):
        host, _, pid = run.tags.get(PROCESS_TAG, "").partition(":")
        if host == socket.gethostname() and not _alive(int(pid)):
            instance.report_run_failed(run, "The process of this run was killed; the next run went on from there.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _execute(
    definitions: dg.Definitions,
    instance: DagsterInstance,
    layers: list[str],
    window: Window,
    config: dict[str, Any],
    outcome: Outcome,
    progress: Progress,
) -> None:
    from strades_pipelines.defs.run_config import ops_config

    graph = definitions.resolve_asset_graph()
    selection = [key for key in graph.executable_asset_keys if key.path[0] in layers]
    first, last = window.month_range()
    run_id = str(uuid4())
    instance.add_event_listener(run_id, lambda entry: _follow(entry, outcome, progress))
    definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance,
        asset_selection=selection,
        run_id=run_id,
        run_config={
            "ops": ops_config(graph, selection, config),
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        tags={
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last,
            "strades/run": "main",
            PROCESS_TAG: f"{socket.gethostname()}:{os.getpid()}",
        },
        raise_on_error=False,
    )


def _follow(entry: dg.EventLogEntry, outcome: Outcome, progress: Progress) -> None:
    event = entry.dagster_event
    if event is None or event.step_key is None:
        return
    if event.event_type_value == "ASSET_MATERIALIZATION":
        outcome.materialized.add(event.step_key)
    elif event.event_type_value == "STEP_SUCCESS":
        seconds = event.step_success_data.duration_ms / 1000
        outcome.seconds[re.split("[_/]", event.step_key)[0]] += seconds
        if event.step_key in outcome.materialized:
            progress(f"  {event.step_key.replace('__', '/'):30} {seconds:6.1f} s")
    elif event.event_type_value == "STEP_FAILURE":
        line = f"{event.step_key.replace('__', '/')}: {_first_line(event.step_failure_data)}"
        outcome.failures.append(line)
        progress(f"  [red]{line}[/]")
    elif event.event_type_value == "STEP_SKIPPED":
        outcome.failures.append(f"{event.step_key.replace('__', '/')}: skipped, since a step before it failed")


def _first_line(failure: Any) -> str:
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return str(failure.user_failure_data.description).splitlines()[0]
    error = failure.error
    while error.cause is not None:
        error = error.cause
    return str(error.message).strip().splitlines()[0].split(": ", 1)[-1]


def build_report(window: Window, outcome: Outcome) -> dict[str, Any]:
    """The document of a run: rows and seconds of each layer, what was traded, and how it did."""
    with connect() as connection:

        def count(table: str) -> int:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            return int(row[0]) if row else 0

        performance = connection.execute(PERFORMANCE, [window.start, window.end]).fetchall()
        example = connection.execute("SELECT fill_id FROM trading.fills ORDER BY filled_at, fill_id LIMIT 1").fetchone()
        return {
            "world": settings().world,
            "window": {"from": f"{window.start:%Y-%m-%d}", "to": f"{window.end:%Y-%m-%d}"},
            "rows": {layer: sum(map(count, tables)) for layer, tables in LAYER_TABLES.items()},
            "seconds": {layer: round(seconds, 3) for layer, seconds in outcome.seconds.items()},
            "models": count("predictions.models"),
            "decisions": count("signals.decisions"),
            "orders": count("trading.orders"),
            "fills": count("trading.fills"),
            "performance": [
                {"wallet": wallet, "mode": mode, "statistics": statistics, "benchmark": benchmark, "fills": fills}
                for wallet, mode, statistics, benchmark, fills in performance
            ],
            "failures": outcome.failures,
            "example_fill": example[0] if example else None,
        }
