"""Past, present and future of the work, where SQL finds it: runs, schedules and their ticks; the view is ops.agenda."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg

from strades_pipelines.datamanager.cron import ticks
from strades_pipelines.datamanager.event_log import record_event

Connection = psycopg.Connection[Any]
AHEAD = timedelta(days=2)
RELEASING = ("statistics", "reports", "states")
PLANNED = "planned"


@dataclass(frozen=True)
class Run:
    """A run of Dagster; `months` as `first..last`."""

    run_id: str
    job: str
    status: str
    months: str | None
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Schedule:
    """A schedule (with its cron, UTC) or a sensor, and whether it runs."""

    name: str
    kind: str
    cron: str | None
    status: str
    releases: bool = False


@dataclass(frozen=True)
class Tick:
    """A tick of a schedule that was."""

    schedule: str
    tick_at: datetime
    status: str
    run_id: str | None


def write_runs(connection: Connection, runs: Iterable[Run]) -> None:
    """Keep runs; one that went on since is brought up to date. Commits nothing."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO ops.runs AS r (run_id, job, status, months, started_at, ended_at)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (run_id) DO UPDATE SET status = EXCLUDED.status, ended_at = EXCLUDED.ended_at
            WHERE (r.status, r.ended_at) IS DISTINCT FROM (EXCLUDED.status, EXCLUDED.ended_at)
            """,
            [(run.run_id, run.job, run.status, run.months, run.started_at, run.ended_at) for run in runs],
        )


def runs_since(connection: Connection) -> datetime | None:
    """From when on runs have to be asked for: none before has changed since it was kept. None: from the first."""
    row = connection.execute(
        "SELECT coalesce((SELECT min(started_at) FROM ops.runs WHERE ended_at IS NULL), "
        "(SELECT max(ended_at) FROM ops.runs))"
    ).fetchone()
    return row[0] if row else None


def write_schedules(connection: Connection, schedules: Sequence[Schedule], *, now: datetime) -> None:
    """Keep the schedules' states; what changed since the last time is an event. Commits nothing."""
    known = {name: rest for name, *rest in connection.execute("SELECT name, cron, status FROM ops.schedules")}
    for one in schedules:
        before = known.get(one.name)
        if before == [one.cron, one.status]:
            continue
        connection.execute(
            """
            INSERT INTO ops.schedules VALUES (%s, %s, %s, %s)
            ON CONFLICT (name) DO UPDATE SET cron = EXCLUDED.cron, status = EXCLUDED.status
            """,
            [one.name, one.kind, one.cron, one.status],
        )
        if before is None or before[1] != one.status:
            kind = "schedule_started" if one.status == "RUNNING" else "schedule_stopped"
        else:
            kind = "schedule_changed"
        value = {"name": one.name, "kind": one.kind, "cron": one.cron, "before": before}
        record_event(connection, kind, f"{one.name}@{now.isoformat()}", value=value, at=now)


def write_ticks(connection: Connection, schedules: Sequence[Schedule], past: Iterable[Tick], *, now: datetime) -> None:
    """Keep the ticks that were, and plan those of the next days for the schedules that run. Commits nothing.

    A planned tick of a schedule that was stopped or has other times is taken back.
    """
    releases = {one.name: one.releases for one in schedules}
    rows = [(one.schedule, one.tick_at, one.status, one.run_id, releases.get(one.schedule, False)) for one in past]
    planned = {
        (one.name, at): (one.name, at, PLANNED, None, one.releases)
        for one in schedules
        if one.cron and one.status == "RUNNING"
        for at in ticks(one.cron, now, now + AHEAD)
    }
    kept = set(connection.execute("SELECT schedule, tick_at FROM ops.ticks WHERE tick_at >= %s", [now]).fetchall())
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO ops.ticks AS t VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (schedule, tick_at) DO UPDATE SET status = EXCLUDED.status, run_id = EXCLUDED.run_id
            WHERE (t.status, t.run_id) IS DISTINCT FROM (EXCLUDED.status, EXCLUDED.run_id)
            """,
            rows,
        )
        cursor.executemany(
            "INSERT INTO ops.ticks VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [row for key, row in planned.items() if key not in kept],
        )
        cursor.executemany(
            "DELETE FROM ops.ticks WHERE schedule = %s AND tick_at = %s AND status = 'planned'",
            sorted(kept - set(planned)),
        )
