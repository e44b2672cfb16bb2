"""Runs, schedules and ticks of Dagster's instance, as rows of the agenda."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus, InstigatorType, ScheduleInstigatorData

from strades_pipelines.datamanager.agenda import RELEASING, Run, Schedule, Tick
from strades_pipelines.datamanager.schedule_overrides import (
    ScheduleOverride,
    newest_overrides,
    schedule_of,
    with_overrides,
)
from strades_pipelines.datamanager.sources import Sources
from strades_pipelines.defs.automation.status import SCHEDULE_STATUS

if TYPE_CHECKING:
    from dagster._core.scheduler.instigation import InstigatorState

MOST = 1_000
TICKS_BACK = timedelta(days=3)
FIRST, LAST, ONE = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end", "dagster/partition"


def runs(instance: dg.DagsterInstance, since: datetime | None) -> list[Run]:
    """All runs that changed since then, newest first; read in pages of a thousand."""
    found: list[Run] = []
    page: Sequence[dg.RunRecord] = ()
    while not found or len(page) == MOST:
        after = page[-1].dagster_run.run_id if page else None
        page = instance.get_run_records(dg.RunsFilter(updated_after=since), limit=MOST, cursor=after)
        if not page:
            break
        found += map(_run, page)
    return found


def _run(record: dg.RunRecord) -> Run:
    run = record.dagster_run
    months = f"{run.tags[FIRST]}..{run.tags[LAST]}" if FIRST in run.tags and LAST in run.tags else run.tags.get(ONE)
    started = datetime.fromtimestamp(record.start_time, UTC) if record.start_time else record.create_timestamp
    ended = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None
    return Run(run.run_id, run.job_name.strip("_"), run.status.value, months, started, ended)


def schedules(
    states: "list[InstigatorState]", sources: Sources, overrides: Sequence[ScheduleOverride] = ()
) -> list[Schedule]:
    """The schedules of Sources.json, and every schedule and sensor that Dagster has a state of.

    The newest state and override count. A state has the cron times of when the schedule was switched on.
    """
    newest = newest_overrides(overrides)
    default = "RUNNING" if SCHEDULE_STATUS is dg.DefaultScheduleStatus.RUNNING else "STOPPED"
    found = {
        schedule_of(site.name): Schedule(
            schedule_of(site.name), "schedule", site.schedule, default, site.category in RELEASING
        )
        for site in with_overrides(sources, overrides).websites
        if site.fonctionnel
    }
    for state in states:
        name, data = state.instigator_name, state.instigator_data
        known = found.get(name)
        cron = known.cron if known else newest[name].cron if name in newest else _cron(data)
        if state.instigator_type is InstigatorType.SCHEDULE and cron is None:
            continue
        kind = "schedule" if state.instigator_type is InstigatorType.SCHEDULE else "sensor"
        status = "STOPPED" if state.status is InstigatorStatus.STOPPED else "RUNNING"
        found[name] = Schedule(name, kind, cron, status, bool(known and known.releases))
    return sorted(found.values(), key=lambda schedule: schedule.name)


def _cron(data: object) -> str | None:
    """The cron expression of a schedule's state; None where it has several."""
    found = data.cron_schedule if isinstance(data, ScheduleInstigatorData) else None
    return found if isinstance(found, str) else None


def ticks(instance: dg.DagsterInstance, states: "list[InstigatorState]", now: datetime) -> Iterator[Tick]:
    """The ticks of the schedules in the last days."""
    for state in states:
        if state.instigator_type is not InstigatorType.SCHEDULE:
            continue
        after = (now - TICKS_BACK).timestamp()
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, after=after, limit=MOST):
            at = datetime.fromtimestamp(tick.timestamp, UTC)
            yield Tick(state.instigator_name, at, tick.status.value, next(iter(tick.run_ids), None))
