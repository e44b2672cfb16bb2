"""A row of a past month that came late, or was revised, asks for its month downstream."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import dagster as dg
import psycopg
import pytest
import yaml  # type: ignore[import-untyped]

from strades_pipelines.database.connection import adbc_connect
from strades_pipelines.database.stale import take_in
from strades_pipelines.datamanager.pending_months import stretches
from strades_pipelines.defs.automation import late_months
from strades_pipelines.defs.automation.data_sensor import data_sensor
from strades_pipelines.defs.automation.late_months import revision_sensor
from strades_pipelines.defs.trading.execution_job import EXECUTE_JOB
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import PROJECT
from tests.dbt_project.building import BUILD, run_dbt
from tests.dbt_project.seeding import candles, listing, rates

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BARS = (*BUILD, "--select", "+daily_bars", "--exclude", "test_type:data")
Connection = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def held_clock(monkeypatch: pytest.MonkeyPatch, give_settings: Callable[..., None]) -> None:
    """It is November 2026."""
    give_settings(sandbox_now=NOW.isoformat())
    monkeypatch.setattr(late_months, "QUIET", timedelta(0))


def waits(connection: Connection, about: date, *, relation: str = "cleaned.daily_bars", at: datetime = NOW) -> None:
    """A row of a day that was not taken in."""
    connection.execute(
        "INSERT INTO ops.stale VALUES (%s, 1, daterange(%s::date, %s::date + 1), %s)", [relation, about, about, at]
    )
    connection.commit()


def tick(url: str, *runs: dg.DagsterRun) -> tuple[list[tuple[str, str]], list[str | None]]:
    """One evaluation: the stretches asked for, and the run keys."""
    with dg.DagsterInstance.ephemeral() as instance:
        for run in runs:
            instance.add_run(run)
        context = dg.build_sensor_context(instance=instance, resources={"database": Database(url=url)})
        found = cast("dg.SensorResult | dg.SkipReason", revision_sensor(context))
    if isinstance(found, dg.SkipReason):
        return [], []
    tags = [request.tags for request in found.run_requests or ()]
    months = [(t["dagster/asset_partition_range_start"], t["dagster/asset_partition_range_end"]) for t in tags]
    return months, [request.run_key for request in found.run_requests or ()]


def test_where_every_row_was_taken_in_nothing_is_asked_for(database_url: str) -> None:
    assert tick(database_url) == ([], [])


def test_months_are_asked_for_in_stretches_and_the_current_one_is_left_out(
    connection: Connection, database_url: str
) -> None:
    for about in ((2009, 11, 3), (2009, 12, 1), (2010, 1, 31), (2012, 5, 5), (2026, 11, 2)):
        waits(connection, date(*about))
    waits(connection, date(2010, 2, 1), relation="features.daily")
    waits(connection, date(2011, 2, 1), relation="cleaned.gaps")
    months, run_keys = tick(database_url)
    assert months == [("2009-11-01", "2010-02-01")]
    assert tick(database_url, asked_before(run_keys))[0] == [("2012-05-01", "2012-05-01")]


def asked_before(run_keys: list[str | None], **tags: str) -> dg.DagsterRun:
    """A run that was asked for, and failed."""
    found = {"dagster/run_key": run_keys[0] or ""} | {f"dagster/{name}": value for name, value in tags.items()}
    return dg.DagsterRun("rework_months_job", status=dg.DagsterRunStatus.FAILURE, tags=found)


def test_a_stretch_waits_for_the_retry_of_the_one_before_on_which_its_models_are_trained(
    connection: Connection, database_url: str
) -> None:
    """The retry of a run that was killed is launched a while later: between the two nothing is unfinished."""
    waits(connection, date(2009, 11, 3))
    waits(connection, date(2012, 5, 5))
    run_keys = tick(database_url)[1]
    assert tick(database_url, asked_before(run_keys, will_retry="true"))[0] == []
    retried = asked_before(run_keys, will_retry="true", auto_retry_run_id="another")
    for last, asks in ((asked_before(run_keys, will_retry="true"), False), (asked_before(run_keys), True)):
        assert bool(tick(database_url, retried, last)[0]) is asks


def test_the_same_rows_are_the_same_run_and_later_ones_another(connection: Connection, database_url: str) -> None:
    waits(connection, date(2009, 11, 3))
    months, first = tick(database_url)
    assert months == [("2009-11-01", "2009-11-01")]
    assert tick(database_url)[1] == first
    waits(connection, date(2009, 11, 5), at=NOW + timedelta(hours=2))
    months, later = tick(database_url)
    assert months == [("2009-11-01", "2009-11-01")]
    assert later != first


def test_nothing_is_asked_for_while_the_months_asked_for_last_are_worked_through(
    connection: Connection, database_url: str
) -> None:
    waits(connection, date(2009, 11, 3))
    for status, asks in ((dg.DagsterRunStatus.STARTED, False), (dg.DagsterRunStatus.FAILURE, True)):
        run = dg.DagsterRun("rework_months_job", status=status)
        assert bool(tick(database_url, run)[0]) is asks


def test_rows_that_are_still_coming_in_are_waited_for(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_months, "QUIET", timedelta(minutes=2))
    for age, asks in ((timedelta(minutes=1), False), (timedelta(minutes=3), True)):
        connection.execute("TRUNCATE ops.stale")
        waits(connection, date(2009, 11, 3), at=datetime.now(UTC) - age)
        assert bool(tick(database_url)[0]) is asks


def test_a_stretch_has_a_run_of_its_own_whatever_comes_of_other_months(
    connection: Connection, database_url: str
) -> None:
    waits(connection, date(2009, 11, 3))
    [first] = tick(database_url)[1]
    waits(connection, date(2012, 11, 3), at=NOW + timedelta(minutes=5))
    assert tick(database_url)[1][0] == first


def test_a_bar_that_came_late_waits_until_its_month_was_cleaned_and_seen_by_features(
    connection: Connection, database_url: str, adbc: "AdbcConnection"
) -> None:
    """A run on Friday 31 January failed; what Monday's brings of that day is of a month that nothing else asks for."""
    listing(adbc, 1, symbol="A")
    candles(adbc, 1, {date(2025, 1, day): 10.0 + day for day in (28, 29, 30)})
    run_dbt(database_url, BARS, min_date="2025-01-01", max_date="2025-02-01")
    take_everything_in(database_url)
    assert tick(database_url)[0] == []
    candles(adbc, 1, {date(2025, 1, 31): 41.0, date(2025, 2, 3): 44.0})
    assert tick(database_url)[0] == [("2025-01-01", "2025-02-01")]
    run_dbt(database_url, BARS, min_date="2025-02-01", max_date="2025-03-01")
    assert ("2025-01-01", "2025-01-01") in [(first, first) for first, _ in tick(database_url)[0]]
    run_dbt(database_url, BARS, min_date="2025-01-01", max_date="2025-02-01")
    days = connection.execute("SELECT session_date FROM cleaned.daily_bars ORDER BY 1").fetchall()
    assert [day for (day,) in days] == [date(2025, 1, day) for day in (28, 29, 30, 31)] + [date(2025, 2, 3)]
    take_everything_in(database_url)
    assert tick(database_url)[0] == []


def test_what_is_published_concerns_the_months_that_have_features(
    connection: Connection, database_url: str, adbc: "AdbcConnection"
) -> None:
    rates(adbc, {date(1999, 1, 4): 1.1, date(2024, 3, 5): 1.2})
    assert tick(database_url)[0] == []
    listing(adbc, 1, symbol="A")
    for day in ("2024-02-20", "2024-05-20"):
        connection.execute(
            "INSERT INTO features.daily (listing_id, session_date, decision_time, window_start, max_knowledge_time, "
            "inputs_hash, recorded_at) VALUES (1, %s, %s, %s, %s, 'h', now())",
            [day] * 4,
        )
    connection.commit()
    assert tick(database_url)[0] == [("2024-03-01", "2024-04-01")]  # a month's rates are looked back on


def take_everything_in(url: str) -> None:
    """As features do with the months they work through."""
    with adbc_connect(url) as features, features.cursor() as cursor:
        take_in(cursor, "features.daily", date(1999, 1, 1), date(2027, 1, 1))
        features.commit()


def test_a_stretch_ends_where_a_month_is_left_out() -> None:
    months = [date(2011, 12, 1), date(2012, 1, 1), date(2012, 3, 1)]
    assert stretches(months, longest=24) == [(months[0], months[1]), (months[2], months[2])]


def test_a_long_stretch_is_cut() -> None:
    months = [date(2011 + n // 12, 1 + n % 12, 1) for n in range(29)]
    cut = stretches(months, longest=12)
    assert cut == [(months[0], months[11]), (months[12], months[23]), (months[24], months[28])]


def test_trades_go_before_the_current_month_and_that_before_past_months(
    connection: Connection, database_url: str
) -> None:
    """Of runs that wait in the queue or for a pool Dagster takes those of the highest priority first."""
    waits(connection, date(2009, 11, 3))
    context = dg.build_sensor_context(
        instance=dg.DagsterInstance.ephemeral(), resources={"database": Database(url=database_url)}
    )
    asked = cast("dg.SensorResult", revision_sensor(context)).run_requests or []
    tags = [EXECUTE_JOB.tags or {}, data_sensor.run_tags or {}, {}, *(request.tags or {} for request in asked)]
    priorities = [int(one.get("dagster/priority", 0)) for one in tags]
    assert len(priorities) == 4
    assert priorities == sorted(set(priorities), reverse=True)
    runs = yaml.safe_load((PROJECT / "dagster.yaml").read_text())["concurrency"]["runs"]
    [limit] = [one for one in runs["tag_concurrency_limits"] if one["key"] == "strades/run"]
    assert (limit["value"], asked[0].tags["strades/run"]) == ("revision", "revision")
    assert limit["limit"] < runs["max_concurrent_runs"]
