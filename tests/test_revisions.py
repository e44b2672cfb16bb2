"""A value of an old month that was revised asks for its month downstream."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import dagster as dg
import psycopg
import pytest

from strades_pipelines.datamanager.revisions import stretches
from strades_pipelines.defs.automation import revisions
from strades_pipelines.defs.automation.revisions import revision_sensor
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import Settings

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Connection = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def held_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is November 2026."""
    made = Settings(sandbox_now=NOW)
    monkeypatch.setattr(revisions, "settings", lambda: made)


def revise(connection: Connection, about: datetime, *, at: datetime) -> None:
    """Keep an old version of a rate."""
    connection.execute(
        "INSERT INTO records.observation_revisions VALUES ('ECB:USD', %s, 1, 'USD', NULL, %s, 'stated', 1, %s, %s)",
        [about, about, at, at],
    )
    connection.commit()


def tick(url: str, cursor: str | None = None) -> tuple[list[tuple[str, str]], list[str | None], str | None]:
    """One evaluation: the stretches asked for, the run keys and the cursor."""
    context = dg.build_sensor_context(resources={"database": Database(url=url)}, cursor=cursor)
    found = cast("dg.SensorResult | dg.SkipReason", revision_sensor(context))
    if isinstance(found, dg.SkipReason):
        return [], [], cursor
    tags = [request.tags for request in found.run_requests or ()]
    months = [(t["dagster/asset_partition_range_start"], t["dagster/asset_partition_range_end"]) for t in tags]
    return months, [request.run_key for request in found.run_requests or ()], found.cursor


def test_without_revisions_nothing_is_asked_for(database_url: str) -> None:
    assert tick(database_url) == ([], [], None)


def test_revised_months_are_asked_for_in_stretches_and_the_current_one_is_left_out(
    connection: Connection, database_url: str
) -> None:
    for about in ((2009, 11, 3), (2009, 12, 1), (2010, 1, 31), (2012, 5, 5), (2026, 11, 2)):
        revise(connection, datetime(*about, tzinfo=UTC), at=NOW)
    months, _, cursor = tick(database_url)
    assert months == [("2009-11-01", "2010-01-01"), ("2012-05-01", "2012-05-01")]
    assert cursor == NOW.isoformat()


def test_the_same_revisions_are_the_same_run_and_later_ones_another(connection: Connection, database_url: str) -> None:
    revise(connection, datetime(2009, 11, 3, tzinfo=UTC), at=NOW)
    _, first, cursor = tick(database_url)
    # A load that began before the tick and was committed after it is still seen.
    revise(connection, datetime(2009, 11, 4, tzinfo=UTC), at=NOW - timedelta(minutes=5))
    _, again, cursor = tick(database_url, cursor)
    assert again == first
    revise(connection, datetime(2009, 11, 5, tzinfo=UTC), at=NOW + timedelta(hours=2))
    months, later, cursor = tick(database_url, cursor)
    assert months == [("2009-11-01", "2009-11-01")]
    assert later != first


def test_a_stretch_ends_where_a_month_is_left_out() -> None:
    months = [date(2011, 12, 1), date(2012, 1, 1), date(2012, 3, 1)]
    assert stretches(months) == [(months[0], months[1]), (months[2], months[2])]
