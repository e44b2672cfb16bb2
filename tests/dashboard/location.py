"""A small code location for the test of the dashboard beside a real webserver: a source, its schedule, a sensor."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from strades_pipelines.defs.automation import movable_schedule
from strades_pipelines.defs.automation.movable_schedule import MovableSchedule, RecentOverrides
from strades_pipelines.partitions import MONTHS, SINGLE_RUN

movable_schedule.recent_overrides = RecentOverrides(lambda: os.environ["STRADES_TEST_WORLD"])
movable_schedule.SECONDS_KEPT = 0
OPS_TABLES = ("events", "runs", "schedules", "ticks")


@dg.asset(key=["rawsources", "yahoo"], partitions_def=MONTHS, backfill_policy=SINGLE_RUN)
def yahoo() -> None:
    """The asset of a source."""


@dg.multi_asset(specs=[dg.AssetSpec(["ops", table]) for table in OPS_TABLES])
def ops() -> Iterator[dg.MaterializeResult[None]]:
    """The asset that updates the agenda."""
    yield from (dg.MaterializeResult(asset_key=["ops", table]) for table in OPS_TABLES)


def ask_for_this_month(_context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Request the current month."""
    return dg.RunRequest(partition_key=f"{datetime.now(UTC):%Y-%m-01}")


fetch_job = dg.define_asset_job(
    "fetch_yahoo_job", selection=[dg.AssetKey(["rawsources", "yahoo"])], partitions_def=MONTHS
)
schedule = MovableSchedule(
    "yahoo_schedule",
    job=fetch_job,
    cron_schedule="30 21 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    execution_fn=ask_for_this_month,
)


@dg.sensor(job=fetch_job, default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=3600)
def data_sensor() -> dg.SkipReason:
    """Request nothing."""
    return dg.SkipReason("nothing to do")


definitions = dg.Definitions(assets=[yahoo, ops], jobs=[fetch_job], schedules=[schedule], sensors=[data_sensor])
