"""Delete what Dagster keeps longer than the settings say; materializations and check results stay.

Dagster's own retention (`dagster.yaml`) knows ticks only, and deleting a run with Dagster's own call deletes its
materializations too. Evaluations of automation conditions are deleted by the daemon, see `dagster_storage`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
from sqlalchemy import Connection, text

from strades_pipelines.settings import Settings

BATCH_ROWS = 20_000  # so that no delete holds its locks for long
NOT_ENDED = "('QUEUED', 'NOT_STARTED', 'MANAGED', 'STARTING', 'STARTED', 'SUSPENDED', 'CANCELING')"
# What an asset's page and its partitions are made of. What its checks found is a table of its own,
# `asset_check_executions`, whole event included; the event in the log is a second copy.
IS_RESULT = """(
    coalesce(e.dagster_event_type, '') LIKE 'ASSET_%' AND e.dagster_event_type NOT LIKE '%_PLANNED'
        AND e.dagster_event_type <> 'ASSET_CHECK_EVALUATION'
    OR coalesce(e.dagster_event_type, '') LIKE 'FRESHNESS_%'
)"""
IS_OBSERVATION = "coalesce(e.dagster_event_type, '') = 'ASSET_OBSERVATION'"
IS_BEGIN_OR_END = "coalesce(e.dagster_event_type, '') LIKE 'PIPELINE_%'"
# Whether the event `m` has a newer one of its kind, asset and month. Two conditions, as each has an index.
NEWER = [
    f"EXISTS (SELECT FROM event_logs AS n WHERE n.asset_key = m.asset_key"
    f" AND n.dagster_event_type = m.dagster_event_type AND {same} AND n.id > m.id)"
    for same in ("n.partition = m.partition", "m.partition IS NULL AND n.partition IS NULL")
]


@dataclass(frozen=True)
class Rule:
    """Rows of a table that go: `where` may use the bound `:before`, and names the table `e`."""

    name: str
    table: str
    where: str
    days: int


def rules(settings: Settings) -> list[Rule]:
    """What goes after how many days, in this order: a run goes before what only its run kept."""
    succeeded = "SELECT FROM runs AS r WHERE r.run_id = e.run_id AND r.status = 'SUCCESS'"
    run = "SELECT FROM runs AS r WHERE r.run_id = e.run_id"
    old = "e.timestamp < :before"
    days = settings.events_kept_days
    return [
        # An asset's current state is read from the run that made it last; without that it would be "unknown".
        Rule(
            "runs that succeeded",
            "runs",
            "e.status = 'SUCCESS' AND e.update_timestamp < :before"
            " AND NOT EXISTS (SELECT FROM asset_keys AS a WHERE a.last_run_id = e.run_id)",
            settings.success_runs_kept_days,
        ),
        Rule(
            "events of runs that succeeded",
            "event_logs",
            f"{old} AND NOT {IS_RESULT} AND NOT {IS_BEGIN_OR_END} AND EXISTS ({succeeded})",
            settings.success_details_kept_days,
        ),
        # A new run's row is written before its first event, so these belong to runs that were deleted.
        Rule(
            "events of deleted runs",
            "event_logs",
            f"{old} AND NOT {IS_RESULT} AND NOT EXISTS ({run})",
            settings.success_details_kept_days,
        ),
        # What a run that failed meant to make stays: it says which months are failed.
        Rule(
            "events of runs that failed",
            "event_logs",
            f"{old} AND coalesce(e.dagster_event_type, '') NOT LIKE 'ASSET_%' AND NOT {IS_RESULT}"
            f" AND NOT {IS_BEGIN_OR_END} AND NOT EXISTS ({run} AND r.status IN {NOT_ENDED})",
            days,
        ),
        # dbt's, of tests that look at an asset that the run did not make. The newest of a month is its state.
        Rule(
            "observations that a newer one follows",
            "event_logs",
            f"{old} AND {IS_OBSERVATION} AND EXISTS (SELECT FROM event_logs AS n"
            " WHERE n.asset_key = e.asset_key AND n.partition IS NOT DISTINCT FROM e.partition"
            " AND n.dagster_event_type = 'ASSET_OBSERVATION' AND n.id > e.id)",
            settings.success_details_kept_days,
        ),
        Rule(
            "tags of events that are gone",
            "asset_event_tags",
            "e.event_timestamp < :before AND NOT EXISTS (SELECT FROM event_logs AS n WHERE n.id = e.event_id)",
            settings.success_details_kept_days,
        ),
        # Data versions are compared with those of the newest of a month; each event has its tags in itself too.
        Rule(
            "tags of materializations that a newer one follows",
            "asset_event_tags",
            f"e.event_timestamp < :before AND EXISTS (SELECT FROM event_logs AS m WHERE m.id = e.event_id"
            f" AND m.dagster_event_type = 'ASSET_MATERIALIZATION' AND ({' OR '.join(NEWER)}))",
            settings.success_details_kept_days,
        ),
        Rule("backfills that ended", "bulk_actions", f"{old} AND e.status LIKE 'COMPLETED%'", days),
        Rule(
            "steps that wait for a pool",
            "pending_steps",
            f"e.create_timestamp < :before AND NOT EXISTS ({run} AND r.status IN {NOT_ENDED})",
            1,
        ),
    ]


# Small deletes often, so that a table's file stops growing: by default a fifth of a table may be dead rows.
AUTOVACUUM = "autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02"
BUSY_TABLES = (
    "event_logs",
    "asset_daemon_asset_evaluations",
    "runs",
    "run_tags",
    "asset_event_tags",
    "job_ticks",
    "instigators",
    "snapshots",
)


def delete_expired(instance: dg.DagsterInstance, settings: Settings, *, now: datetime) -> dict[str, int]:
    """Delete what is older than the settings say, and have PostgreSQL use its space again.

    Args:
        now: UTC.

    Returns:
        How many rows went, by the name of their rule.
    """
    deleted = {}
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        for rule in rules(settings):
            # Dagster's columns have no zone and are in UTC.
            before = (now - timedelta(days=rule.days)).replace(tzinfo=None)
            deleted[rule.name] = sum(_batches(connection, rule.table, rule.where, {"before": before}))
        deleted["snapshots"] = _delete_snapshots(instance, connection)
        for table in BUSY_TABLES:
            connection.execute(text(f"ALTER TABLE {table} SET ({AUTOVACUUM})"))
            connection.execute(text(f"VACUUM (ANALYZE) {table}"))
    return deleted


def _batches(connection: Connection, table: str, where: str, bounds: Mapping[str, Any]) -> Iterator[int]:
    """Delete in batches, each its own transaction; yields how many rows each had."""
    statement = text(
        f"DELETE FROM {table} WHERE id IN (SELECT e.id FROM {table} AS e WHERE {where} LIMIT {BATCH_ROWS})"
    )
    while True:
        done = int(connection.execute(statement, bounds).rowcount)
        yield done
        if done < BATCH_ROWS:
            return


def _delete_snapshots(instance: dg.DagsterInstance, connection: Connection) -> int:
    """Delete the jobs and plans that no run refers to, nor a job that is derived from one."""
    referred = set(connection.execute(text("SELECT DISTINCT snapshot_id FROM runs")).scalars())
    plans = "SELECT DISTINCT run_body::json ->> 'execution_plan_snapshot_id' FROM runs"
    needed = referred | set(connection.execute(text(plans)).scalars())
    for job in referred - {None}:
        lineage = instance.run_storage.get_job_snapshot(job).lineage_snapshot
        if lineage is not None:
            needed.add(lineage.parent_snapshot_id)
    stored = set(connection.execute(text("SELECT snapshot_id FROM snapshots")).scalars())
    unused = sorted(stored - needed)
    # A run may have been made of one since: its key then keeps the job.
    statement = text(
        "DELETE FROM snapshots AS s WHERE s.snapshot_id = ANY(:unused)"
        " AND NOT EXISTS (SELECT FROM runs AS r WHERE r.snapshot_id = s.snapshot_id)"
    )
    return int(connection.execute(statement, {"unused": unused}).rowcount) if unused else 0
