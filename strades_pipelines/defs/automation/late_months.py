"""Past months are recomputed when rows of theirs arrive late: a payload of today may change a value of years ago."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import dagster as dg

from strades_pipelines.database.stale import waiting_months
from strades_pipelines.datamanager.pending_months import stretches
from strades_pipelines.defs.automation.run_tags import AUTO_RETRY_RUN_ID_TAG, PRIORITY, RETRIED, WILL_RETRY_TAG
from strades_pipelines.defs.automation.status import SENSOR_STATUS
from strades_pipelines.market.ids import base32_id
from strades_pipelines.partitions import MONTHS
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

# How long no row may have come: a load of years is then one run, not one for each of its commits.
QUIET = timedelta(minutes=2)
# After the first `strades run` thirteen years wait. In one run they held the pools that the current month needs too, so
# that no wallet decided for a quarter of an hour (2026-11-30); a stretch leaves them free in between.
LONGEST_STRETCH = 24  # months
RUN_KEY_TAG = "dagster/run_key"
ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

rework_months_job = dg.define_asset_job(
    "rework_months_job",
    selection=dg.AssetSelection.groups("cleaned", "features", "predictions"),
    description="Recomputes past months of which records came or changed after they were computed.",
)


@dg.sensor(
    job=rework_months_job,
    minimum_interval_seconds=60,
    default_status=SENSOR_STATUS,
    description="Requests past months that have new rows. The data sensor keeps up with the current month.",
)
def revision_sensor(context: dg.SensorEvaluationContext, database: Database) -> dg.SensorResult | dg.SkipReason:
    """Request a run for the first stretch of months. The same rows give the same run key, and another an hour later."""
    now = settings().now()
    current = now.date().replace(day=1)
    first = MONTHS.get_first_partition_window()
    unfinished_states = [status for status in dg.DagsterRunStatus if status not in ENDED]
    unfinished = dg.RunsFilter(job_name=rework_months_job.name, statuses=unfinished_states)
    if context.instance.get_runs_count(unfinished):
        return dg.SkipReason("the last requested months are still being recomputed")
    with database.connect() as connection:
        waiting = waiting_months(connection, first.start.date() if first else date.min, current)
        [(clock,)] = connection.execute("SELECT clock_timestamp()")
    if not waiting:
        return dg.SkipReason("no past month has new rows")
    if clock - max(waiting.values()) < QUIET:
        return dg.SkipReason("rows of past months are still coming in")
    requests = [
        _request(start, end, max(at for month, at in waiting.items() if start <= month <= end), now)
        for start, end in stretches(list(waiting), longest=LONGEST_STRETCH)
    ]
    next_request = _next_request(context.instance, requests)
    if next_request is None:
        return dg.SkipReason("a run was requested for every stretch of past months, or is about to be retried")
    return dg.SensorResult(run_requests=[next_request])


def _next_request(instance: dg.DagsterInstance, requests: Sequence[dg.RunRequest]) -> dg.RunRequest | None:
    """The first request without a run; None also while an earlier run is about to be retried.

    A month's models are trained on the months before it, so a stretch waits for the one before it, unless that failed.
    """
    for request in requests:
        runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: request.run_key or ""}))
        if not runs:
            return request
        if any(run.tags.get(WILL_RETRY_TAG) == "true" and AUTO_RETRY_RUN_ID_TAG not in run.tags for run in runs):
            return None
    return None


def _request(first: date, last: date, newest: datetime, now: datetime) -> dg.RunRequest:
    tags = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
    run_key = base32_id(str(first), str(last), newest.astimezone(UTC), f"{now:%Y-%m-%d %H}")
    return dg.RunRequest(run_key=run_key, tags=tags | {"strades/run": "revision", PRIORITY: "-1"} | RETRIED)


def defs() -> dg.Definitions:
    """The sensor and its job."""
    return dg.Definitions(sensors=[revision_sensor], jobs=[rework_months_job])
