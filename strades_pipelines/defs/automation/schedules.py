"""Each source's own schedule, from Sources.json: it fetches the current month, and what is open of the one before."""

from datetime import datetime, timedelta

import dagster as dg
import psycopg

from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.fetch_log import FetchLog, read_fetch_log
from strades_pipelines.datamanager.planning import plan, request_keys
from strades_pipelines.datamanager.schedule_overrides import schedule_of
from strades_pipelines.datamanager.sources import Sources, Website, load_sources
from strades_pipelines.defs.automation.movable_schedule import MovableSchedule
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
    return MovableSchedule(
        schedule_of(website.name),
        job=job,
        cron_schedule=website.schedule,
        description=f"Fetches {website.title} as Sources.json says.",
        default_status=SCHEDULE_STATUS,
        execution_fn=lambda _context: fetch_what_is_open(website.name),
    )


def fetch_what_is_open(name: str) -> dg.RunRequest:
    """Ask for the month of now, and for the one before until all that it asks has a settled answer."""
    sources, now = load_sources(settings().sources), settings().now()
    website = sources.website(name)
    try:
        keys = request_keys(website, sources, window=(_month_before(now), now), now=now)
        with connect() as connection:
            log = read_fetch_log(connection, name, keys)
    except (psycopg.Error, OSError):
        return month_request(now, with_the_one_before=True)  # its own run tells what is wrong with the database
    return month_request(now, with_the_one_before=is_open_before(website, sources, now, log))


def is_open_before(website: Website, sources: Sources, now: datetime, log: FetchLog) -> bool:
    """Whether the month before that of `now` (UTC) has a question open that the month of `now` does not ask as well."""
    start = _month(now)
    asked, current = (
        {request.request_key for request in plan(website, sources, window=window, now=now, log=log)}
        for window in ((_month_before(now), start), (start, now))
    )
    return bool(asked - current)


def _month(now: datetime) -> datetime:
    return now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _month_before(now: datetime) -> datetime:
    return _month(_month(now) - timedelta(days=1))


def month_request(now: datetime, *, with_the_one_before: bool) -> dg.RunRequest:
    """The run that keeps up with `now` (UTC): of one month, or of two in a single run."""
    last = now.date().replace(day=1)
    if not with_the_one_before:
        return dg.RunRequest(partition_key=f"{last}")
    first = (last - timedelta(days=1)).replace(day=1)
    return dg.RunRequest(
        tags={"dagster/asset_partition_range_start": f"{first}", "dagster/asset_partition_range_end": f"{last}"}
    )


def defs() -> dg.Definitions:
    """A schedule for every source that works."""
    websites = [website for website in load_sources(settings().sources).websites if website.fonctionnel]
    return dg.Definitions(schedules=[build_schedule(website) for website in websites])
