"""Each source's own schedule, from Sources.json: it fetches the current month, and only what is new in it."""

from datetime import datetime, timedelta

import dagster as dg

from strades_pipelines.datamanager.sources import Website, load_sources
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS
from strades_pipelines.keys import key
from strades_pipelines.partitions import MONTHS
from strades_pipelines.settings import settings


def build_schedule(website: Website) -> dg.ScheduleDefinition:
    """The schedule of one entry of `Sources.json`."""
    job = dg.define_asset_job(
        f"fetch_{website.name}_job",
        selection=[key("rawsources", website.name)],
        partitions_def=MONTHS,
        description=f"Asks {website.title} for what is not stored yet.",
    )
    return dg.ScheduleDefinition(
        name=f"{website.name}_schedule",
        job=job,
        cron_schedule=website.schedule,
        execution_timezone="UTC",
        description=f"Fetches {website.title} as Sources.json says.",
        default_status=SCHEDULE_STATUS,
        execution_fn=fetch_current_month,
    )


def fetch_current_month(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the month of now; in its first day for the one before as well, whose last hours may not be stored yet."""
    return month_request(settings().now())


def month_request(now: datetime) -> dg.RunRequest:
    """The run that keeps up with `now` (UTC): of one month, or of two in a single run."""
    first, last = f"{now - timedelta(days=1):%Y-%m-01}", f"{now:%Y-%m-01}"
    if first == last:
        return dg.RunRequest(partition_key=last)
    return dg.RunRequest(tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last})


def defs() -> dg.Definitions:
    """A schedule for every source that works."""
    websites = [website for website in load_sources(settings().sources).websites if website.fonctionnel]
    return dg.Definitions(schedules=[build_schedule(website) for website in websites])
