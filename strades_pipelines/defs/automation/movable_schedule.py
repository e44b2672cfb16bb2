"""A schedule whose times a person can change while it is served: the newest row of ops.schedule_overrides counts."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import dagster as dg
import psycopg
from dagster._core.definitions.schedule_definition import ScheduleExecutionData

from strades_pipelines.database.connection import connect, running_url
from strades_pipelines.datamanager.cron import ticks
from strades_pipelines.datamanager.schedule_overrides import ScheduleOverride, cron_at, read_schedule_overrides

# Dagster asks for the times of all schedules at once, each minute: one query for all of them.
SECONDS_KEPT = 2
OWN_CRON = "own_cron"  # metadata: the times without an override


class RecentOverrides:
    """Reads the overrides at most every `SECONDS_KEPT`; without a database the last ones that were read still count.

    Args:
        url: gives the URL of the database; raises OSError or ValueError where there is none.
    """

    def __init__(self, url: Callable[[], str] = running_url) -> None:
        self._url, self._lock, self._read_at = url, Lock(), -float("inf")
        self._known: list[ScheduleOverride] = []

    def __call__(self, *, fresh: bool = False) -> list[ScheduleOverride]:
        """All overrides, oldest first."""
        with self._lock:
            if fresh or time.monotonic() - self._read_at > SECONDS_KEPT:
                with suppress(psycopg.Error, OSError, ValueError), connect(self._url()) as connection:
                    self._known = read_schedule_overrides(connection)
                self._read_at = time.monotonic()
            return self._known


recent_overrides = RecentOverrides()


class MovableSchedule(dg.ScheduleDefinition):
    """A schedule of the code, in UTC, with the times of its newest override where there is one.

    Dagster asks the code location for `cron_schedule` whenever its webserver reloads the location and its daemon looks
    at the workspace, each minute. The code location need not start again, which would end the runs in progress.
    """

    def __init__(self, name: str, *, cron_schedule: str, **options: Any) -> None:
        metadata = {OWN_CRON: cron_schedule}
        super().__init__(name, cron_schedule=cron_schedule, execution_timezone="UTC", metadata=metadata, **options)

    @property
    def own_cron(self) -> str:
        """The times without an override."""
        assert isinstance(self._cron_schedule, str)
        return self._cron_schedule

    @property
    def cron_schedule(self) -> str:
        """The times that count now."""
        return cron_at(self.name, self.own_cron, recent_overrides(), datetime.now(UTC))

    def evaluate_tick(self, context: dg.ScheduleEvaluationContext) -> ScheduleExecutionData:
        """Skip a tick that was not due by the times of its own instant.

        The daemon hears of new times up to a minute later, and then makes up for those of the last hour.
        """
        at = context.scheduled_execution_time.astimezone(UTC)
        cron = cron_at(self.name, self.own_cron, recent_overrides(fresh=True), at)
        if at not in ticks(cron, at, at + timedelta(microseconds=1)):
            return ScheduleExecutionData(
                run_requests=[], skip_message=f"not due at {at:%Y-%m-%d %H:%M} UTC: its times are {cron}", log_key=None
            )
        return super().evaluate_tick(context)

    def with_attributes(self, **changes: Any) -> "MovableSchedule":
        """A copy with another job or metadata: Dagster makes a plain schedule of it, which would not move."""
        copy: Any = super().with_attributes(**changes)
        copy.__class__ = type(self)
        return copy  # type: ignore[no-any-return]
