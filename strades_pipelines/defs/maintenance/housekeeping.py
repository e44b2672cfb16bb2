"""Nightly: delete expired rows of Dagster and record which months each asset has."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from strades_pipelines.brokerage.checkpoints import delete_old_changes
from strades_pipelines.brokerage.ledger_marks import verify_in_full
from strades_pipelines.database.audit import verify_account_changes
from strades_pipelines.database.connection import connect
from strades_pipelines.database.roles import DASHBOARD_ROLE
from strades_pipelines.database.sessions import delete_sessions
from strades_pipelines.database.sizes import read_sizes, write_sizes
from strades_pipelines.datamanager.inventory import Stretch, stretches_of, write_inventory
from strades_pipelines.defs.automation.movable_schedule import MovableSchedule
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS
from strades_pipelines.defs.maintenance.retention import delete_expired
from strades_pipelines.ingestion.month_partitions import create_months
from strades_pipelines.ingestion.streams.frame_retention import delete_old_frames
from strades_pipelines.partitions import MONTHS
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.notifier import Notifier
from strades_pipelines.settings import settings


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


def _word(status: dg.AssetPartitionStatus | None) -> str:
    return {dg.AssetPartitionStatus.MATERIALIZED: "materialized", dg.AssetPartitionStatus.FAILED: "failed"}.get(
        status or dg.AssetPartitionStatus.IN_PROGRESS, "missing"
    )


@dg.op(description="Deletes expired runs and events of Dagster; events of assets are kept.")
def prune_event_log(context: dg.OpExecutionContext, database: Database) -> None:
    """Delete Dagster's old runs and events, and this world's old ticks, frames and notes of changed inputs."""
    now = settings().now()
    # Both worlds are in one database of Dagster, which dates its rows by the real clock.
    deleted = delete_expired(context.instance, settings(), now=datetime.now(UTC))
    with database.connect() as connection:
        before = now - timedelta(days=settings().events_kept_days)
        deleted["input changes"] = delete_old_changes(connection)
        deleted["ticks"] = connection.execute("DELETE FROM ops.ticks WHERE tick_at < %s", [before]).rowcount
        connection.commit()
        deleted["frames"] = delete_old_frames(connection, now - timedelta(days=settings().frames_kept_days))
    context.log.info("deleted " + ", ".join(f"{count} {name}" for name, count in deleted.items()))


@dg.op(description="Makes the partitions of this month and the next for trades, quotes and frames.")
def create_month_partitions(context: dg.OpExecutionContext, database: Database) -> None:
    """Make them, and those of months with many rows in a DEFAULT partition."""
    with database.connect() as connection:
        found = create_months(connection, settings().now())
    context.log.info(f"made {', '.join(found.made) or 'no partition'}")
    if found.postponed:
        context.log.warning(f"somebody was reading; tomorrow again: {', '.join(found.postponed)}")


@dg.op(description="Deletes expired sessions of the dashboard.")
def delete_expired_sessions(context: dg.OpExecutionContext, database: Database) -> None:
    """Delete them as the dashboard's role, the only one with that right; by the real clock, as browsers do."""
    with connect(database.location(), role=DASHBOARD_ROLE) as connection:
        count = delete_sessions(connection)
        connection.commit()
    context.log.info(f"deleted {count} expired sessions of the dashboard")


@dg.op(ins={"start": dg.In(dg.Nothing)}, description="Records in ops.sizes how large each part of the installation is.")
def record_sizes(database: Database) -> None:
    """Record today's sizes, from which `strades doctor` says what will be full when."""
    with database.connect() as connection:
        write_sizes(connection, read_sizes(connection), now=settings().now())
        connection.commit()


@dg.op(description="Records in ops.partition_inventory which months of each asset are materialized, missing or failed.")
def take_inventory(context: dg.OpExecutionContext, database: Database, notifier: Notifier) -> None:
    """Record the inventory, and send an alert for months that stay failed."""
    graph, now = context.repository_def.asset_graph, settings().now()
    assets = [asset for asset in graph.executable_asset_keys if graph.get(asset).partitions_def == MONTHS]
    found = inventory(context.instance, assets, now)
    with database.connect() as connection:
        write_inventory(connection, found, now=now)
        connection.commit()
    failed = [one for one in found if one.status == "failed"]
    if failed:
        summary = ", ".join(f"{one.asset} {one.first:%Y-%m}..{one.last:%Y-%m}" for one in failed[:5])
        notifier.alert(
            f"{sum(one.months for one in failed)} months of assets stay failed", f"{summary}: materialize them"
        )


@dg.op(description="Verifies every line of every wallet's ledger; the check after each run verifies new lines only.")
def verify_ledgers(context: dg.OpExecutionContext, database: Database) -> None:
    """Verify all ledgers in full; a fault fails the run, which sends an alert."""
    with database.connect() as connection:
        wallets = [name for (name,) in connection.execute("SELECT wallet FROM trading.wallets ORDER BY wallet")]
        connection.rollback()
        faults = [fault for wallet in wallets for fault in verify_in_full(connection, wallet)]
    if faults:
        raise dg.Failure(
            f"{len(faults)} faults: {'; '.join(faults[:5])}; see `strades ledger verify`", allow_retries=False
        )
    context.log.info(f"verified the ledgers of {len(wallets)} wallets")


@dg.op(description="Verifies every row of audit.account_changes: what was done to accounts, and what was exported.")
def verify_audit(context: dg.OpExecutionContext, database: Database) -> None:
    """Compute the chain again; a fault fails the run, which sends an alert with the first faulty row."""
    with database.connect() as connection:
        report = verify_account_changes(connection)
    if report.faults:
        more = f" and {len(report.faults) - 1} more" if len(report.faults) > 1 else ""
        line = f"{report.faults[0]}{more}; compare the table with a backup's: docs/security.md"
        raise dg.Failure(line, allow_retries=False)
    context.log.info(f"verified {report.rows} rows of audit.account_changes, newest hash {report.head}")


@dg.job(
    description="Deletes expired rows of Dagster and the dashboard, makes partitions, records sizes, takes the "
    "inventory of months, verifies ledgers and the audit."
)
def nightly_housekeeping_job() -> None:
    """Independent ops, except that sizes are recorded after pruning."""
    record_sizes(start=prune_event_log())
    create_month_partitions()
    delete_expired_sessions()
    take_inventory()
    verify_ledgers()
    verify_audit()


nightly_housekeeping_schedule = MovableSchedule(
    "nightly_housekeeping_schedule",
    job=nightly_housekeeping_job,
    cron_schedule="45 3 * * *",
    default_status=SCHEDULE_STATUS,
    description="Deletes expired rows of Dagster and the dashboard, makes partitions, records sizes, takes the "
    "inventory of months, verifies ledgers and the audit.",
)


def defs() -> dg.Definitions:
    """The job and its schedule."""
    return dg.Definitions(jobs=[nightly_housekeeping_job], schedules=[nightly_housekeeping_schedule])
