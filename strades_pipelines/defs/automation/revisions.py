"""A late revision asks for its month: a payload fetched this month may change a value of years ago."""

from datetime import date, datetime

import dagster as dg

from strades_pipelines.datamanager.revisions import revised_months, stretches
from strades_pipelines.defs.automation.status import SENSOR_STATUS
from strades_pipelines.market.ids import base32_id
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

rework_months_job = dg.define_asset_job(
    "rework_months_job",
    selection=dg.AssetSelection.groups("cleaned", "features", "predictions"),
    description="Works through months again whose records changed after they were loaded.",
)


@dg.sensor(
    job=rework_months_job,
    minimum_interval_seconds=60,
    default_status=SENSOR_STATUS,
    description="Asks for the months of values that a source revised. The data sensor keeps up with the current month.",
)
def revision_sensor(context: dg.SensorEvaluationContext, database: Database) -> dg.SensorResult | dg.SkipReason:
    """One run for each stretch of revised months; the same revisions ask for the same run."""
    since = datetime.fromisoformat(context.cursor) if context.cursor else None
    with database.connect() as connection:
        newest = revised_months(connection, since=since)
    current = settings().now().date().replace(day=1)
    past = [month for month in newest if month < current]
    if not past:
        return dg.SkipReason("no value of a past month was revised")
    return dg.SensorResult(
        run_requests=[_request(first, last, newest) for first, last in stretches(past)],
        cursor=max(newest.values()).isoformat(),
    )


def _request(first: date, last: date, newest: dict[date, datetime]) -> dg.RunRequest:
    revised = max(at for month, at in newest.items() if first <= month <= last)
    tags = {"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)}
    return dg.RunRequest(run_key=base32_id(str(first), str(last), revised), tags=tags | {"strades/run": "revision"})


def defs() -> dg.Definitions:
    """The sensor and its job."""
    return dg.Definitions(sensors=[revision_sensor], jobs=[rework_months_job])
