"""The step that tells what happened, over a Dagster instance of its own and a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.defs.ops.assets import ops
from strades_pipelines.defs.ops.instance import runs, schedules
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["2012-01-01"]))
def fails() -> None:
    """Always."""
    raise ValueError("gone")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on which one run has failed."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as made:
        dg.materialize([fails], partition_key="2012-01-01", instance=made, raise_on_error=False)
        yield made


def test_a_run_is_known_by_its_job_months_and_end(instance: dg.DagsterInstance) -> None:
    (found,) = runs(instance, None)
    assert (found.status, found.months) == ("FAILURE", "2012-01-01")
    assert found.ended_at is not None
    assert found.started_at <= found.ended_at
    assert runs(instance, datetime.now(UTC) + timedelta(hours=1)) == []


def test_all_runs_that_changed_are_found_however_many_there_are(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest two at a time: the older ones were never told, since the next question begins after them."""
    for _ in range(4):
        dg.materialize([fails], partition_key="2012-01-01", instance=instance, raise_on_error=False)
    monkeypatch.setattr("strades_pipelines.defs.ops.instance.MOST", 2)
    assert {run.run_id for run in runs(instance, None)} == {run.run_id for run in instance.get_runs()}


def test_every_source_has_its_schedule_before_any_was_served() -> None:
    sources = load_sources(settings().sources)
    found = {one.name: one for one in schedules([], sources)}
    assert set(found) == {f"{site.name}_schedule" for site in sources.websites if site.fonctionnel}
    assert {one.status for one in found.values()} == {"RUNNING"}
    assert found["ecb_schedule"].releases
    assert not found["yahoo_schedule"].releases


def test_what_happened_is_told_once(
    instance: dg.DagsterInstance, connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    def tell() -> dict[str, int]:
        resources = {"database": Database(url=database_url)}
        assert dg.materialize([ops], instance=instance, resources=resources).success
        query = "SELECT event_type_id, count(*) FROM ops.events GROUP BY 1"
        found = dict(connection.execute(query).fetchall())
        connection.commit()
        return found

    first, second = tell(), tell()
    assert first["run_failed"] == second["run_failed"] == 1
    # The run that told it is over by the next time.
    assert (first.get("run_finished", 0), second["run_finished"]) == (0, 1)
    assert first["schedule_started"] == second["schedule_started"]
    ((planned,),) = connection.execute("SELECT count(*) FROM ops.agenda WHERE state = 'planned'").fetchall()
    assert planned > 100
