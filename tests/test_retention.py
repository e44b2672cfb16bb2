"""What Dagster keeps goes after the days the settings say; what its assets, partitions and checks are made of stays."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import AssetCheckKey
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from sqlalchemy import text

from strades_pipelines.defs.maintenance.housekeeping import inventory, prune_event_log
from strades_pipelines.defs.maintenance.retention import BATCH_ROWS, delete_expired, rules
from strades_pipelines.partitions import MONTHS, SINGLE_RUN
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import Settings
from tests.orchestration.test_dagster_storage import OURS

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
KEY = dg.AssetKey(["cleaned", "daily_bars"])
RESULTS = {"ASSET_MATERIALIZATION", "ASSET_OBSERVATION"}


@dg.multi_asset(
    specs=[dg.AssetSpec(KEY)],
    check_specs=[dg.AssetCheckSpec("rows", asset=KEY)],
    partitions_def=MONTHS,
    backfill_policy=SINGLE_RUN,
)
def bars(context: dg.AssetExecutionContext) -> Any:
    """Fails in February 2012."""
    if context.partition_key == "2012-02-01":
        raise ValueError("a bad month")
    context.log_event(dg.AssetObservation(KEY, partition=context.partition_key))
    yield dg.MaterializeResult(KEY, metadata={"rows": 7})
    yield dg.AssetCheckResult(asset_key=KEY, check_name="rows", passed=True, metadata={"violations": 0})


@pytest.fixture
def instance(database_url: str, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """January, March and April 2012 were made, in this order, and February failed."""
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url))
    with dg.DagsterInstance.from_config(str(tmp_path)) as made:
        for month in ("2012-01-01", "2012-02-01", "2012-03-01", "2012-04-01"):
            dg.materialize([bars], partition_key=month, instance=made, raise_on_error=False, tags={"month": month})
        yield made


def expire(instance: dg.DagsterInstance, *, days: float) -> dict[str, int]:
    """Delete what is too old when so many days have gone by."""
    return delete_expired(instance, Settings(), now=datetime.now(UTC) + timedelta(days=days))


def events(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """The types of the events of a run."""
    return {entry.dagster_event.event_type_value for entry in instance.all_logs(run_id) if entry.dagster_event}


def results(instance: dg.DagsterInstance) -> Any:
    """All that an asset's page shows of what was made, observed and checked."""
    made = instance.fetch_materializations(KEY, limit=100).records
    seen = instance.fetch_observations(KEY, limit=100).records
    key = AssetCheckKey(KEY, "rows")
    checks = instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
    return (
        [(one.storage_id, one.partition_key, one.run_id, one.asset_materialization) for one in made],
        [(one.storage_id, one.partition_key) for one in seen],
        [(one.id, one.run_id, one.event) for one in checks if one.status is AssetCheckExecutionRecordStatus.SUCCEEDED],
        [(one.asset, one.first, one.last, one.status) for one in months(instance)],
        instance.get_latest_materialization_event(KEY),
        instance.get_event_tags_for_asset(KEY),
    )


def months(instance: dg.DagsterInstance) -> list[Any]:
    """What the inventory tells."""
    return inventory(instance, [KEY], datetime(2012, 5, 2, tzinfo=UTC))


def test_nothing_that_is_made_observed_or_checked_ever_goes(instance: dg.DagsterInstance) -> None:
    before = results(instance)
    assert [len(part) for part in before[:3]] == [3, 3, 3]
    for days in (3, 8, 400):
        expire(instance, days=days)
        assert results(instance) == before
    assert [(one.first, one.status) for one in months(instance)][-4:-1] == [
        (date(2012, 1, 1), "materialized"),
        (date(2012, 2, 1), "failed"),
        (date(2012, 3, 1), "materialized"),
    ]


def test_of_the_observations_of_an_asset_and_month_the_newest_stays(instance: dg.DagsterInstance) -> None:
    def observed() -> list[tuple[str | None, int]]:
        records = instance.fetch_observations(KEY, limit=100).records
        return sorted((record.partition_key, record.storage_id) for record in records)

    def tags() -> int:
        with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            return int(connection.exec_driver_sql("SELECT count(*) FROM asset_event_tags").scalar())

    for _ in range(2):
        instance.report_runless_asset_event(dg.AssetObservation(KEY, partition="2012-03-01"))
    before, tags_before = observed(), tags()
    assert [month for month, _ in before] == ["2012-01-01", *["2012-03-01"] * 3, "2012-04-01"]
    expire(instance, days=1)
    assert observed() == before
    gone = expire(instance, days=3)
    assert gone["observations that a newer one follows"] == 2
    assert gone["tags of events that are gone"] == tags_before - tags()
    assert observed() == [before[0], before[3], before[4]]


def test_tags_stay_with_the_newest_materialization_of_an_asset_and_month(instance: dg.DagsterInstance) -> None:
    def tagged() -> set[int]:
        with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            rows = connection.exec_driver_sql("SELECT DISTINCT event_id FROM asset_event_tags").scalars()
            made = {record.storage_id for record in instance.fetch_materializations(KEY, limit=100).records}
            return made & {int(row) for row in rows}

    first = tagged()
    assert len(first) == 3
    dg.materialize([bars], partition_key="2012-03-01", instance=instance)
    [again] = tagged() - first
    for _ in range(2):
        instance.report_runless_asset_event(dg.AssetMaterialization("whole", tags={"dagster/data_version": "1"}))
    assert len(instance.get_event_tags_for_asset(dg.AssetKey("whole"))) == 2
    expire(instance, days=1)
    assert tagged() == first | {again}
    expire(instance, days=3)
    assert len(instance.get_event_tags_for_asset(dg.AssetKey("whole"))) == 1
    [older] = (first | {again}) - tagged()
    records = instance.fetch_materializations(KEY, limit=100).records
    assert {record.storage_id: record.partition_key for record in records}[older] == "2012-03-01"
    assert again in tagged()
    # A month without the versions of its data would be worked anew.
    versions = instance.event_log_storage.get_latest_tags_by_partition(
        KEY, dg.DagsterEventType.ASSET_MATERIALIZATION, tag_keys=["dagster/data_version"]
    )
    assert set(versions) == {"2012-01-01", "2012-03-01", "2012-04-01"}


def test_a_run_that_succeeded_loses_what_it_said_then_its_row_and_its_tags(instance: dg.DagsterInstance) -> None:
    newest, _, failed, first = (run.run_id for run in instance.get_runs())
    assert expire(instance, days=1)["events of runs that succeeded"] == 0
    assert {"STEP_START", "STEP_OUTPUT", "ASSET_MATERIALIZATION_PLANNED"} <= events(instance, first)
    assert expire(instance, days=3)["events of runs that succeeded"] > 10
    assert events(instance, first) == RESULTS | {"PIPELINE_START", "PIPELINE_SUCCESS"}
    assert "STEP_FAILURE" in events(instance, failed)
    assert expire(instance, days=8)["runs that succeeded"] == 2
    assert instance.get_run_by_id(first) is None
    assert events(instance, first) == RESULTS
    [(_, left)] = instance.get_run_tags(["month"])
    assert left == {"2012-02-01", "2012-04-01"}
    # The asset's own state is read from its last run.
    assert [run.run_id for run in instance.get_runs()] == [newest, failed]


def test_a_run_that_failed_keeps_its_end_and_what_it_meant_to_make(instance: dg.DagsterInstance) -> None:
    failed = instance.get_runs()[2].run_id
    expire(instance, days=29)
    assert "STEP_FAILURE" in events(instance, failed)
    expire(instance, days=31)
    left = {"ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED", "PIPELINE_START", "PIPELINE_FAILURE"}
    assert events(instance, failed) - {"ASSET_FAILED_TO_MATERIALIZE"} == left


def test_a_run_under_way_keeps_all_it_said(instance: dg.DagsterInstance) -> None:
    run = instance.get_runs()[0]
    instance.run_storage.handle_run_event(
        run.run_id,
        dg.DagsterEvent(event_type_value="PIPELINE_START", job_name=run.job_name),
        datetime.now(UTC),
    )
    before = events(instance, run.run_id)
    expire(instance, days=31)
    assert events(instance, run.run_id) == before


def test_a_kept_run_can_show_its_job_and_an_unused_job_goes(instance: dg.DagsterInstance) -> None:
    def snapshots() -> int:
        with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            return int(connection.exec_driver_sql("SELECT count(*) FROM snapshots").scalar())

    @dg.asset
    def other() -> None: ...

    dg.materialize([other], instance=instance)
    instance.wipe_assets([dg.AssetKey("other")])
    before = snapshots()
    expire(instance, days=3)
    assert snapshots() == before
    expire(instance, days=8)
    assert snapshots() < before
    for run in instance.get_runs():
        assert instance.get_historical_job(str(run.job_snapshot_id)).job_snapshot
        assert instance.get_execution_plan_snapshot(str(run.execution_plan_snapshot_id))


def test_deletes_are_bounded_and_every_rule_is_idempotent(instance: dg.DagsterInstance) -> None:
    assert BATCH_ROWS <= 50_000
    first = expire(instance, days=32)
    assert set(first) == {rule.name for rule in rules(Settings())} | {"snapshots"}
    assert not any(expire(instance, days=32).values())


@pytest.mark.parametrize("sandbox_now", ["2200-01-01T00:00:00Z", "2020-01-01T00:00:00Z"])
def test_a_held_clock_ages_nothing_of_what_dagster_wrote(
    instance: dg.DagsterInstance, database_url: str, give_settings: Callable[..., None], sandbox_now: str
) -> None:
    """The worlds share Dagster's database, and the real clock dates its rows."""
    give_settings(sandbox_now=sandbox_now)
    [young, old] = [run.run_id for run in instance.get_runs() if run.tags["month"] in ("2012-01-01", "2012-03-01")]
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        for table, column in (("runs", "update_timestamp"), ("event_logs", "timestamp")):
            aged = f"UPDATE {table} SET {column} = {column} - interval '400 days' WHERE run_id = :run"
            connection.execute(text(aged), {"run": old})
    before = {run_id: events(instance, run_id) for run_id in (young, old)}
    prune_event_log(dg.build_op_context(instance=instance), database=Database(url=database_url))
    assert instance.has_run(young)
    assert events(instance, young) == before[young]
    assert not instance.has_run(old)
