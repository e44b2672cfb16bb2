"""Every night: what Dagster wrote long ago goes, and what months each asset has is told."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import dagster as dg
from dagster._core.storage.partition_status_cache import AssetPartitionStatus
from sqlalchemy import text

from strades_pipelines.datamanager.inventory import Stretch, stretches_of, write_inventory
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS
from strades_pipelines.partitions import MONTHS
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.settings import settings

# Dagster's own retention knows ticks only (dagster.yaml). What says which months of an asset are there, and how a run
# began and ended, stays for good; the rest, nine tenths of the log, is of interest while a run is young.
OLD_EVENTS = text(
    """
    DELETE FROM event_logs WHERE id IN (
        SELECT id FROM event_logs
        WHERE timestamp < :before AND asset_key IS NULL
            AND coalesce(dagster_event_type, '') NOT LIKE 'PIPELINE_%'
            AND coalesce(dagster_event_type, '') NOT LIKE 'ASSET_%'
        LIMIT :most)
    """
)
AT_ONCE = 20_000


def prune_events(instance: dg.DagsterInstance, *, before: datetime) -> int:
    """Delete what runs said before a time, but not of assets, nor how runs began and ended; returns how many events."""
    deleted = 0
    while True:
        with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            bounds = {"before": before.replace(tzinfo=None), "most": AT_ONCE}
            done = int(connection.execute(OLD_EVENTS, bounds).rowcount)
        deleted += done
        if done < AT_ONCE:
            return deleted


def inventory(instance: dg.DagsterInstance, assets: Iterable[dg.AssetKey], now: datetime) -> list[Stretch]:
    """The months of each asset, up to the current one, as stretches of one state."""
    months = MONTHS.get_partition_keys(current_time=now)
    found: list[Stretch] = []
    for asset in sorted(assets):
        statuses = instance.get_status_by_partition(asset, months, MONTHS) or {}
        found += stretches_of(
            asset.to_user_string(), [(date.fromisoformat(month), _word(statuses.get(month))) for month in months]
        )
    return found


def _word(status: AssetPartitionStatus | None) -> str:
    return {AssetPartitionStatus.MATERIALIZED: "materialized", AssetPartitionStatus.FAILED: "failed"}.get(
        status or AssetPartitionStatus.IN_PROGRESS, "missing"
    )


@dg.op(description="Deletes what Dagster's runs said long ago; what concerns assets stays.")
def prune_event_log(context: dg.OpExecutionContext, database: Database) -> None:
    """As old as STRADES_EVENTS_KEPT_DAYS says."""
    before = settings().now() - timedelta(days=settings().events_kept_days)
    deleted = prune_events(context.instance, before=before)
    with database.connect() as connection:
        ticks = connection.execute("DELETE FROM ops.ticks WHERE tick_at < %s", [before]).rowcount
        connection.commit()
    context.log.info(f"{deleted} events and {ticks} ticks from before {before:%Y-%m-%d} deleted")


@dg.op(description="Tells in ops.partition_inventory what months of what asset are there, missing or failed.")
def take_inventory(context: dg.OpExecutionContext, database: Database, notifier: Notifier) -> None:
    """And calls a person for months that stay failed."""
    graph, now = context.repository_def.asset_graph, settings().now()
    assets = [asset for asset in graph.executable_asset_keys if graph.get(asset).partitions_def == MONTHS]
    found = inventory(context.instance, assets, now)
    with database.connect() as connection:
        write_inventory(connection, found, now=now)
        connection.commit()
    failed = [one for one in found if one.status == "failed"]
    if failed:
        told = ", ".join(f"{one.asset} {one.first:%Y-%m}..{one.last:%Y-%m}" for one in failed[:5])
        notifier.alert(f"{sum(one.months for one in failed)} months of assets stay failed", f"{told}: materialize them")


@dg.job(description="Prunes the event log and takes the inventory of months.")
def nightly_housekeeping_job() -> None:
    """Two ops that know nothing of each other."""
    prune_event_log()
    take_inventory()


nightly_housekeeping_schedule = dg.ScheduleDefinition(
    name="nightly_housekeeping_schedule",
    job=nightly_housekeeping_job,
    cron_schedule="45 3 * * *",
    execution_timezone="UTC",
    default_status=SCHEDULE_STATUS,
    description="Prunes the event log and takes the inventory of months.",
)


def defs() -> dg.Definitions:
    """The job and its schedule."""
    return dg.Definitions(jobs=[nightly_housekeeping_job], schedules=[nightly_housekeeping_schedule])
