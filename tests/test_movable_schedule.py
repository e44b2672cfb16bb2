"""A schedule ticks at the times that a person gave it, from then on, and no more at its own."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap

from strades_pipelines.database.connection import connect
from strades_pipelines.database.roles import DASHBOARD_ROLE
from strades_pipelines.datamanager.schedule_overrides import (
    ScheduleOverride,
    read_schedule_overrides,
    with_overrides,
)
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.defs.automation import movable_schedule
from strades_pipelines.defs.automation.movable_schedule import MovableSchedule, RecentOverrides
from strades_pipelines.defs.ops.instance import schedules
from strades_pipelines.settings import PROJECT
from strades_pipelines.supervision.watchdog import Ticker, late_tickers, moved_tickers
from tests.supervision.test_watchdog import MINUTE

CHANGED_AT = datetime(2024, 1, 10, 10, 0, tzinfo=UTC)
MOVED = ScheduleOverride("yahoo_schedule", "30 9 * * *", False, CHANGED_AT)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of January 2024."""
    return datetime(2024, 1, day, hour, minute, tzinfo=UTC)


def repository() -> dg.RepositoryDefinition:
    """As the code location makes it: a job that gets its resources is a copy, and so is its schedule."""
    bound = dg.job(name="bound")(_needs())
    schedule = MovableSchedule("yahoo_schedule", job=bound, cron_schedule="0 6 * * *")
    definitions = dg.Definitions(
        jobs=[bound], schedules=[schedule], resources={"wanted": dg.ResourceDefinition.none_resource()}
    )
    return definitions.get_repository_def()


def _needs() -> Any:
    @dg.op(required_resource_keys={"wanted"})
    def needs() -> None:
        """Needs a resource."""

    def graph() -> None:
        needs()

    return graph


def write(connection: psycopg.Connection[Any], override: ScheduleOverride, key: int = 1) -> None:
    """Write an override that was asked for at its instant."""
    connection.execute(
        "INSERT INTO ops.schedule_overrides (schedule, cron, is_own, requested_by, requested_at, reason, request_key) "
        "VALUES (%s, %s, %s, 'ada', %s, 'x', %s)",
        [override.schedule, override.cron, override.is_own, override.requested_at, f"{key:032x}"],
    )
    connection.commit()


def is_launched(schedule: dg.ScheduleDefinition, tick: datetime) -> bool:
    """Whether a tick asks for a run."""
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=tick)
        return bool(schedule.evaluate_tick(context).run_requests)


def test_from_the_change_on_the_new_times_count_and_the_old_ones_no_more(
    connection: psycopg.Connection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [database_url]
    monkeypatch.setattr(movable_schedule, "recent_overrides", RecentOverrides(lambda: urls[0]))
    monkeypatch.setattr(movable_schedule, "SECONDS_KEPT", 0)
    made = repository()
    schedule = made.get_schedule_def("yahoo_schedule")

    def told() -> str | list[str]:
        """What Dagster's daemon and webserver are told when they ask the code location."""
        [snap] = RepositorySnap.from_def(made).schedules
        return snap.cron_schedule  # type: ignore[return-value]

    assert told() == "0 6 * * *"
    assert is_launched(schedule, at(10, 6))
    write(connection, MOVED)
    assert told() == "30 9 * * *"
    # Before 10:00 of the tenth the old times were in force: what was due then is, what was not is not made up for.
    assert is_launched(schedule, at(10, 6))
    assert not is_launched(schedule, at(10, 9, 30))
    assert not is_launched(schedule, at(11, 6))
    assert is_launched(schedule, at(11, 9, 30))
    write(connection, ScheduleOverride("yahoo_schedule", "0 6 * * *", True, at(12, 0)), 2)
    assert told() == "0 6 * * *"
    assert is_launched(schedule, at(12, 6))
    assert not is_launched(schedule, at(12, 9, 30))

    write(connection, ScheduleOverride("yahoo_schedule", "1 1 * * *", False, at(13, 0)), 3)
    assert told() == "1 1 * * *"
    urls[0] = database_url.rpartition("/")[0] + "/gone"
    assert told() == "1 1 * * *"


def test_every_schedule_of_the_project_can_be_moved() -> None:
    from strades_pipelines.definitions import defs

    found = defs().get_repository_def().schedule_defs
    assert found
    assert [schedule.name for schedule in found if not isinstance(schedule, MovableSchedule)] == []


def test_a_row_that_is_no_cron_stops_nothing(connection: psycopg.Connection[Any], database_url: str) -> None:
    with connect(database_url, role=DASHBOARD_ROLE) as dashboard:
        dashboard.execute(
            "INSERT INTO ops.schedule_overrides (schedule, cron, is_own, requested_by, reason, request_key) "
            "VALUES ('yahoo_schedule', '@reboot', false, 'ada', 'x', gen_random_uuid())"
        )
        dashboard.commit()
        for statement in (
            "UPDATE ops.schedule_overrides SET cron = '0 0 * * *'",
            "DELETE FROM ops.schedule_overrides",
            "INSERT INTO ops.schedule_overrides (schedule, cron, is_own, requested_by, requested_at, reason, "
            "request_key) VALUES ('x', '0 0 * * *', false, 'ada', '1999-01-01', 'x', gen_random_uuid())",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                dashboard.execute(statement)
            dashboard.rollback()
    assert read_schedule_overrides(connection) == []


def test_the_agenda_plans_by_the_new_times() -> None:
    sources = load_sources(PROJECT / "Sources.json")
    found = {one.name: one.cron for one in schedules([], sources, [MOVED])}
    assert found["yahoo_schedule"] == "30 9 * * *"
    assert found["gateio_schedule"] == sources.website("gateio").schedule
    own = ScheduleOverride("yahoo_schedule", "30 21 * * 1-5", True, at(12, 0))
    assert with_overrides(sources, [MOVED, own]) == sources


def test_the_watch_expects_ticks_at_the_new_times_from_the_change_on() -> None:
    ticker = Ticker("yahoo_schedule", "0 6 * * *", 30 * MINUTE, at(1, 0), last_tick=at(10, 6))
    [moved] = moved_tickers([ticker], [MOVED])
    assert late_tickers([moved], at(11, 9)) == []  # 6:00 of the eleventh is no time of it any more
    assert len(late_tickers([moved], at(11, 9, 40))) == 1
    assert late_tickers([moved], at(10, 10, 30)) == []  # 9:30 of the tenth was before the change
