"""Each source's own schedule, from Sources.json: it fetches the current month, and only what is new in it."""

import dagster as dg

from strades_pipelines.datamanager.sources import Website, load_sources
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS
from strades_pipelines.keys import key
from strades_pipelines.partitions import MONTHS
from strades_pipelines.settings import settings


def build_schedule(website: Website) -> dg.ScheduleDefinition:
    """The schedule of one entry of `Sources.json`."""
    job = dg.define_asset_job(
        f"fetch_{website.name}_job", selection=[key("rawsources", website.name)], partitions_def=MONTHS
    )

    def fetch_current_month(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        return dg.RunRequest(partition_key=f"{settings().now():%Y-%m-01}")

    return dg.ScheduleDefinition(
        name=f"{website.name}_schedule",
        job=job,
        cron_schedule=website.schedule,
        execution_timezone="UTC",
        description=f"Fetches {website.title} as Sources.json says.",
        default_status=SCHEDULE_STATUS,
        execution_fn=fetch_current_month,
    )


@dg.definitions
def schedules() -> dg.Definitions:
    """A schedule for every source that works."""
    websites = [website for website in load_sources(settings().sources).websites if website.fonctionnel]
    return dg.Definitions(schedules=[build_schedule(website) for website in websites])
