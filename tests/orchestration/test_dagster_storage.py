"""An instance over held connections: what is stored in batches is what Dagster stores one by one."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from dagster._serdes import serialize_value

from strades_pipelines.defs.automation.conditions import move_by_data
from strades_pipelines.orchestration.dagster_storage import PLANNED

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning", "ignore::dagster.PreviewWarning")
YEARS = dg.MonthlyPartitionsDefinition(start_date="1999-01-01", end_date="2001-01-01")


@dg.multi_asset(
    specs=[dg.AssetSpec("prices"), dg.AssetSpec("rates")],
    check_specs=[dg.AssetCheckSpec("good", asset="prices")],
    partitions_def=YEARS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def made() -> Any:
    """Two assets by month, and a check."""
    yield dg.MaterializeResult("prices")
    yield dg.MaterializeResult("rates")
    yield dg.AssetCheckResult(asset_key="prices", check_name="good", passed=True)


# In how many transactions the events of a run were stored.
COMMITS = "SELECT count(DISTINCT xmin::text) FROM event_logs WHERE run_id = %s AND dagster_event_type = %s"
DAGSTERS = "storage: {{postgres: {{postgres_url: '{}'}}}}"
OURS = """
storage:
  custom:
    module: strades_pipelines.orchestration.dagster_storage
    class: HeldPostgresStorage
    config: {{postgres_url: '{}'}}
"""


def test_what_a_run_intends_is_stored_at_once_and_as_dagster_would(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "30")
    job = dg.Definitions(assets=[made]).resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": "1999-01-01", "dagster/asset_partition_range_end": "2000-12-01"}
    found, counts = [], []
    for settings in (DAGSTERS, OURS):
        (tmp_path / "dagster.yaml").write_text(settings.format(database_url))
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            result = job.execute_in_process(instance=instance, tags=tags)
            planned = [entry.get_dagster_event() for entry in instance.all_logs(result.run_id, of_type=PLANNED)]
            found.append([(str(event.asset_key), event.partition) for event in planned])
            assert [one.asset_entry.last_run_id for one in instance.get_asset_records()] == [result.run_id] * 2
            checks = instance.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(dg.AssetKey("prices"), "good"), limit=100
            )
            assert {check.run_id for check in checks} >= {result.run_id}
            with psycopg.connect(database_url) as connection:
                counts.append(connection.execute(COMMITS, [result.run_id, PLANNED.value]).fetchone())
    assert found[0] == found[1]
    assert len(found[1]) == 48
    assert counts == [(48,), (2,)]  # batches of 30
    assert "Exception while storing event batch" not in capfd.readouterr().err


def test_connections_are_held_and_opened_anew_when_the_server_ended_them(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url))
    others = (
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend'"
    )
    with (
        dg.DagsterInstance.from_config(str(tmp_path)) as instance,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):

        def held() -> set[int]:
            for _ in range(5):
                instance.get_runs_count()
                instance.get_asset_keys()
            return {pid for (pid,) in connection.execute(f"SELECT pid {others}").fetchall()}

        before = held()
        assert held() == before
        assert len(before) == 2
        # As when the server is started again.
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")
        assert len(held()) == 2
        assert not held() & before


MONTHLY = dg.MonthlyPartitionsDefinition(start_date="1999-01-01", end_offset=1)
MAY = datetime(2026, 5, 2, tzinfo=UTC)


def sources_and_their_reader(count: int) -> dg.Definitions:
    """Twelve assets by month, and one that reads them all, with the condition of this project's layers."""

    def asset(name: str, deps: list[str]) -> dg.AssetsDefinition:
        @dg.asset(key=dg.AssetKey(["records", name]), deps=[["records", dep] for dep in deps], partitions_def=MONTHLY)
        def made() -> None: ...

        return made

    names = [f"source_{n}" for n in range(count)]
    assets = [*(asset(name, []) for name in names), asset("reader", names)]
    return dg.Definitions(assets=assets).map_resolved_asset_specs(func=move_by_data)


def evaluations(instance: dg.DagsterInstance, definitions: dg.Definitions) -> Iterator[Any]:
    """What the daemon would store: in a first tick, and when one source was fetched."""
    cursor = None
    for _ in range(2):
        found = dg.evaluate_automation_conditions(definitions, instance, evaluation_time=MAY, cursor=cursor)
        yield [result.serializable_evaluation.with_run_ids(frozenset()) for result in found.results]
        cursor = found.cursor
        fetched = dg.AssetMaterialization(["records", "source_0"], partition="2026-05-01")
        instance.report_runless_asset_event(fetched)


def test_an_evaluation_keeps_its_result_and_its_reasons_and_not_every_month_of_every_dep(
    database_url: str, tmp_path: Path
) -> None:
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url))
    reader = dg.AssetKey(["records", "reader"])
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        storage = instance.schedule_storage
        assert storage is not None
        for number, given in enumerate(evaluations(instance, sources_and_their_reader(12))):
            storage.add_auto_materialize_asset_evaluations(number, given)
            storage.add_auto_materialize_asset_evaluations(number, given)  # as the daemon does, with ids of runs
            stored = storage.get_auto_materialize_evaluations_for_evaluation_id(number)
            assert len(stored) == len(given)
            (whole,) = [one.evaluation for one in given if one.key == reader]
            (kept,) = [one.get_evaluation_with_run_ids().evaluation for one in stored if one.key == reader]
            assert len(serialize_value(whole)) > 200_000
            assert len(serialize_value(kept)) < 60_000
            assert kept.true_subset == whole.true_subset
            assert len(kept.child_evaluations) == len(whole.child_evaluations)
            for ours, theirs in zip(kept.child_evaluations, whole.child_evaluations, strict=True):
                assert (ours.true_subset, ours.condition_snapshot) == (theirs.true_subset, theirs.condition_snapshot)


def test_evaluations_go_after_a_day_though_dagster_asks_for_thirty(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url))
    with (
        dg.DagsterInstance.from_config(str(tmp_path)) as instance,
        psycopg.connect(database_url, autocommit=True) as connection,
    ):
        storage = instance.schedule_storage
        assert storage is not None
        for number, given in enumerate(evaluations(instance, sources_and_their_reader(1))):
            storage.add_auto_materialize_asset_evaluations(number, given)
        connection.execute(
            "UPDATE asset_daemon_asset_evaluations SET create_timestamp = now() - interval '25 hours'"
            " WHERE evaluation_id = 0"
        )
        storage.purge_asset_evaluations(datetime.now(UTC).timestamp() - 30 * 86_400)
        left = connection.execute("SELECT DISTINCT evaluation_id FROM asset_daemon_asset_evaluations").fetchall()
    assert left == [(1,)]


def test_an_event_is_stored_without_the_tags_of_its_log_line_and_is_read_back_otherwise_the_same(
    database_url: str, tmp_path: Path
) -> None:
    seen: list[dg.DagsterEvent] = []
    for settings in (DAGSTERS, OURS):
        (tmp_path / "dagster.yaml").write_text(settings.format(database_url))
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            run = dg.materialize([made], partition_key="2000-01-01", instance=instance)
            (entry, *_) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
            seen.append(entry.get_dagster_event())
    theirs, ours = seen
    assert theirs.logging_tags
    assert not ours.logging_tags
    assert len(serialize_value(ours)) < 0.9 * len(serialize_value(theirs))
    assert (ours.materialization.metadata, ours.materialization.asset_key) == (
        theirs.materialization.metadata,
        theirs.materialization.asset_key,
    )
    assert (ours.event_type, ours.step_key, ours.asset_key, ours.partition, ours.message) == (
        theirs.event_type,
        theirs.step_key,
        theirs.asset_key,
        theirs.partition,
        theirs.message,
    )


def test_what_a_check_found_is_stored_without_the_tags_of_its_log_line_too(database_url: str, tmp_path: Path) -> None:
    check = dg.AssetCheckKey(dg.AssetKey("prices"), "good")
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        dg.materialize([made], partition_key="2000-01-01", instance=instance)
        records = instance.event_log_storage.get_asset_check_execution_history(check, limit=9)
    [record] = [record for record in records if record.status.value == "SUCCEEDED"]  # the other was planned
    assert record.event is not None
    assert not record.event.get_dagster_event().logging_tags
    assert record.event.asset_check_evaluation is not None
    assert record.event.asset_check_evaluation.passed
