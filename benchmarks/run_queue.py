"""Runs through Dagster's own queue and storage at a simulated clock: waits, growth a run, how long a tick takes.

`RUN_QUEUE_RUNS` is how many, 10,000 without it: a week of a served installation (61 an hour, of which 32 begin with the
quarters of an hour). The daemon's own code takes them off the queue, by the limits of `dagster.yaml`; what a run writes
are the events of one that was executed, stored again by Dagster's own code under other ids and times. How long a run
takes is assumed: 30 s on average, exponentially distributed. The database does not wait for its disk with each commit.
"""

import heapq
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import numpy as np
import psycopg
import yaml  # type: ignore[import-untyped]
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.dagster_run import RunOpConcurrency
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from benchmarks.run import empty_home
from strades_pipelines.database.connection import DAGSTER_DATABASE
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.defs.maintenance.retention import IS_RESULT, delete_expired
from strades_pipelines.orchestration.pools import make_pools
from strades_pipelines.settings import PROJECT, Settings

RUNS_AN_HOUR, QUARTERLY = 61, 8
RUN_SECONDS, SHORTEST, LONGEST = 30.0, 2.0, 600.0
TICK_SECONDS = 5.0  # how often the daemon looks at the queue
POOLS = ["records", "dbt", "source_gateio", "source_alpaca", "source_ecb", "train"]
REPOSITORY = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin(), location_name="here"), "r")
MONTHS = dg.MonthlyPartitionsDefinition(start_date="2012-01-01", end_date="2026-01-01")
RESULTS = f"SELECT count(*) FROM event_logs AS e WHERE {IS_RESULT}"
CHECKS = "SELECT count(*) FROM asset_check_executions WHERE execution_status = 'SUCCEEDED'"


class SimulatedLauncher(RunLauncher, ConfigurableClass):
    """Notes what the daemon launches."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self.launched: list[dg.DagsterRun] = []

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """As given."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """It has no settings."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> "SimulatedLauncher":
        """Of `dagster.yaml`."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Note the run."""
        self.launched.append(context.dagster_run)

    def terminate(self, run_id: str) -> bool:
        """Nothing runs."""
        return False


@dg.multi_asset(
    specs=[dg.AssetSpec(["records", "candles"]), dg.AssetSpec(["cleaned", "bars"])],
    check_specs=[dg.AssetCheckSpec("rows", asset=["cleaned", "bars"])],
    partitions_def=MONTHS,
)
def worked(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """What is executed once: two assets of a month and a check."""
    context.log.info("parsed 3 bodies, 1,440 rows")
    for key in (["records", "candles"], ["cleaned", "bars"]):
        yield dg.MaterializeResult(key, metadata={"dagster/row_count": 1440})
    yield dg.AssetCheckResult(asset_key=["cleaned", "bars"], check_name="rows", passed=True)


@dataclass
class Simulated:
    """What became of the runs. Times are seconds of the simulated clock, ticks of the real one.

    Args:
        spans: when each run was launched and when it ended.
        pools: the pool of each run, in the order of `spans`.
        claimed: how many slots are claimed when all is over.
        before, after: bytes of Dagster's database.
    """

    waits: list[float] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    pools: list[str] = field(default_factory=list)
    claimed: int = 0
    before: int = 0
    after: int = 0


def main() -> None:
    """Print the figures."""
    count = int(os.environ.get("RUN_QUEUE_RUNS", "10000"))
    with empty_home() as environment:
        home = Path(environment["STRADES_HOME"])
        url = EmbeddedServer(home / "postgres").url(DAGSTER_DATABASE)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {DAGSTER_DATABASE} SET synchronous_commit = off".encode())
        with simulated_instance(url, home) as instance, psycopg.connect(url, autocommit=True) as connection:
            began = time.perf_counter()
            found = simulate(instance, connection, count, end=datetime.now(UTC))
            seconds = time.perf_counter() - began
            waits, ticks = np.array(found.waits), 1000 * np.array(found.ticks)
            print(f"{count:,} runs in {seconds:.0f} s, load {os.getloadavg()[0]:.1f}")
            print(f"queue wait: p50 {np.quantile(waits, 0.5):.0f} s, p95 {np.quantile(waits, 0.95):.0f} s,"
                  f" longest {waits.max():.0f} s")  # fmt: skip
            tenth = max(1, len(ticks) // 10)
            for name, part in (("first", ticks[:tenth]), ("last", ticks[-tenth:])):
                print(f"tick of the queue, the {name} tenth: p50 {np.quantile(part, 0.5):.0f} ms,"
                      f" p95 {np.quantile(part, 0.95):.0f} ms")  # fmt: skip
            print(f"slots claimed at the end: {found.claimed}")
            rows = one(connection, "SELECT count(*) FROM event_logs")
            print(f"database: {(found.after - found.before) / count / 1e3:.1f} kB and {rows / count:.1f} events a run")
            _expire(instance, connection)


def _expire(instance: dg.DagsterInstance, connection: psycopg.Connection) -> None:
    """Print what retention leaves now, and in eight and forty days."""
    kept = one(connection, RESULTS), one(connection, CHECKS)
    for days in (0, 8, 40):
        began = time.perf_counter()
        deleted = delete_expired(instance, Settings(), now=datetime.now(UTC) + timedelta(days=days))
        seconds = time.perf_counter() - began
        connection.execute("VACUUM FULL event_logs")  # what the files would come to, were they written now
        assert (one(connection, RESULTS), one(connection, CHECKS)) == kept
        size = one(connection, "SELECT pg_database_size(current_database())")
        print(f"retention after {days} days: {sum(deleted.values()):,} rows deleted in {seconds:.1f} s,"
              f" {kept[0]:,} results and {kept[1]:,} checks are all there, {size / 1e6:.0f} MB")  # fmt: skip


def simulated_instance(url: str, folder: Path) -> dg.DagsterInstance:
    """An instance with the settings of `dagster.yaml` on a database, whose launcher starts nothing."""
    config = yaml.safe_load((PROJECT / "dagster.yaml").read_text())
    config["storage"]["custom"]["config"]["postgres_url"] = url
    config["run_launcher"] = {"module": "benchmarks.run_queue", "class": "SimulatedLauncher"}
    (folder / "dagster.yaml").write_text(yaml.safe_dump(config))
    return dg.DagsterInstance.from_config(str(folder))


def simulate(
    instance: dg.DagsterInstance, connection: psycopg.Connection, count: int, *, end: datetime, seed: int = 7
) -> Simulated:
    """Send runs through the queue, the last of which arrives at `end` (UTC)."""
    launcher = instance.run_launcher
    assert isinstance(launcher, SimulatedLauncher)
    make_pools(instance, POOLS)
    random = np.random.default_rng(seed)
    template = executed(instance)
    times, found = arrivals(count, random), Simulated()
    start = end - timedelta(seconds=times[-1])
    daemon, context = QueuedRunCoordinatorDaemon(TICK_SECONDS), _context(instance)
    found.before = one(connection, "SELECT pg_database_size(current_database())")
    queued: dict[str, float] = {}
    running: list[tuple[float, str]] = []
    now, following = 0.0, 0
    while following < count or queued or running:
        now = _next_tick(now, queued, running, times, following)
        while running and running[0][0] <= now:
            ended, run_id = heapq.heappop(running)
            _store(instance, template.end, run_id, start + timedelta(seconds=ended))
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        while following < count and times[following] <= now:
            run = instance.add_run(template.queued(POOLS[int(random.integers(len(POOLS)))]))
            queued[run.run_id] = times[following]
            following += 1
        began = time.perf_counter()
        list(daemon.run_iteration(context))
        found.ticks.append(time.perf_counter() - began)
        for run in launcher.launched:
            takes = float(np.clip(random.exponential(RUN_SECONDS), SHORTEST, LONGEST))
            pool = run.tags["pool"]
            assert instance.event_log_storage.claim_concurrency_slot(pool, run.run_id, "worked").is_claimed
            _store(instance, template.begin, run.run_id, start + timedelta(seconds=now))
            found.waits.append(now - queued.pop(run.run_id))
            found.spans.append((now, now + takes))
            found.pools.append(pool)
            heapq.heappush(running, (now + takes, run.run_id))
        launcher.launched.clear()
    infos = [instance.event_log_storage.get_concurrency_info(pool) for pool in POOLS]
    found.claimed = sum(len(info.claimed_slots) for info in infos)
    found.after = one(connection, "SELECT pg_database_size(current_database())")
    return found


def arrivals(count: int, random: np.random.Generator) -> list[float]:
    """When runs are asked for, in seconds: some with each quarter of an hour, the others at any time."""
    hours = count / RUNS_AN_HOUR
    quarters = np.repeat(np.arange(int(4 * hours)) * 900.0, QUARTERLY)[:count]
    others = random.uniform(0.0, hours * 3600.0, count - len(quarters))
    return [float(each) for each in np.sort(np.concatenate([quarters, others]))]


def _next_tick(
    now: float, queued: dict[str, float], running: list[tuple[float, str]], times: Sequence[float], following: int
) -> float:
    """The next tick at which there is something to do: ticks before it would find an empty queue."""
    due = [] if queued else [running[0][0]] if running else []
    if not queued and following < len(times):
        due.append(times[following])
    ahead = max(0.0, min(due) - now) if due else 0.0
    return now + TICK_SECONDS * max(1, int(np.ceil(ahead / TICK_SECONDS)))


@dataclass(frozen=True)
class Template:
    """The events of a run that was executed: those until its end, and those of its end."""

    run: dg.DagsterRun
    begin: list[dg.EventLogEntry]
    end: list[dg.EventLogEntry]

    def queued(self, pool: str) -> dg.DagsterRun:
        """Another run, whose step needs a pool."""
        needs = RunOpConcurrency(root_key_counts={pool: 1}, has_unconstrained_root_nodes=False, all_pools={pool})
        return dg.DagsterRun(
            self.run.job_name,
            status=dg.DagsterRunStatus.QUEUED,
            remote_job_origin=RemoteJobOrigin(REPOSITORY, self.run.job_name),
            tags={**self.run.tags, "pool": pool},
            job_snapshot_id=self.run.job_snapshot_id,
            execution_plan_snapshot_id=self.run.execution_plan_snapshot_id,
            run_op_concurrency=needs,
        )


def executed(instance: dg.DagsterInstance) -> Template:
    """Execute a run of two assets and a check; its events are stored."""
    job = dg.Definitions(assets=[worked]).resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(instance=instance, partition_key="2020-01-01")
    run = instance.get_run_by_id(done.run_id)
    assert run is not None
    entries = list(instance.all_logs(done.run_id))
    last = next(k for k, entry in enumerate(entries) if _type_of(entry) == "PIPELINE_SUCCESS")
    return Template(run, entries[:last], entries[last:])


def _type_of(entry: dg.EventLogEntry) -> str:
    return entry.dagster_event.event_type_value if entry.dagster_event else ""


def _store(instance: dg.DagsterInstance, entries: Sequence[dg.EventLogEntry], run_id: str, at: datetime) -> None:
    for entry in entries:
        instance.handle_new_event(entry._replace(run_id=run_id, timestamp=at.timestamp()))


def _context(instance: dg.DagsterInstance) -> Any:
    """What the daemon's code asks its context for."""
    return SimpleNamespace(instance=instance, create_request_context=lambda: None)


def one(connection: psycopg.Connection, query: str) -> int:
    """The one number that a query gives."""
    row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0
