"""Other times for schedules than their code or Sources.json gives: ops.schedule_overrides. Times and crons are UTC."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import psycopg

from strades_pipelines.datamanager.cron import cron_problem
from strades_pipelines.datamanager.sources import Sources

QUERY = "SELECT schedule, cron, is_own, requested_at FROM ops.schedule_overrides ORDER BY override_id"


@dataclass(frozen=True)
class ScheduleOverride:
    """Times that a person gave a schedule from `requested_at` on.

    Args:
        is_own: it takes earlier overrides back; `cron` has the schedule's own times, as they were then.
    """

    schedule: str
    cron: str
    is_own: bool
    requested_at: datetime


def read_schedule_overrides(connection: psycopg.Connection[Any]) -> list[ScheduleOverride]:
    """All overrides, oldest first. One that is no cron is left out: a row must not stop the code location."""
    found = [ScheduleOverride(*row) for row in connection.execute(QUERY)]
    return [override for override in found if cron_problem(override.cron) is None]


def newest_overrides(overrides: Iterable[ScheduleOverride]) -> dict[str, ScheduleOverride]:
    """The override of each schedule that counts, by the schedule's name; they come oldest first."""
    return {override.schedule: override for override in overrides}


def cron_at(schedule: str, own: str, overrides: Sequence[ScheduleOverride], at: datetime) -> str:
    """The times that a schedule had at an instant; `own` are those without an override."""
    earlier = newest_overrides(override for override in overrides if override.requested_at <= at)
    override = earlier.get(schedule)
    return own if override is None or override.is_own else override.cron


def schedule_of(source: str) -> str:
    """The name of the schedule that fetches a source."""
    return f"{source}_schedule"


def with_overrides(sources: Sources, overrides: Iterable[ScheduleOverride]) -> Sources:
    """Sources with the times that count."""
    newest = newest_overrides(overrides)
    moved = {name: override.cron for name, override in newest.items() if not override.is_own}
    websites = [replace(site, schedule=moved.get(schedule_of(site.name), site.schedule)) for site in sources.websites]
    return replace(sources, websites=tuple(websites))
