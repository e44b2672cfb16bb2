"""Runs in this process on an instance in PostgreSQL: what is stored in batches is what Dagster stores one by one."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from strades_pipelines.graph_runs import PLANNED, store_plans_in_batches

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


def test_what_a_run_intends_is_stored_at_once_and_as_dagster_would(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "30")
    (tmp_path / "dagster.yaml").write_text(f"storage: {{postgres: {{postgres_url: '{database_url}'}}}}")
    job = dg.Definitions(assets=[made]).resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": "1999-01-01", "dagster/asset_partition_range_end": "2000-12-01"}
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        singly: list[Any] = []
        store = storage.store_event

        def store_singly(event: dg.EventLogEntry) -> None:
            singly.append(event.dagster_event_type)
            store(event)

        monkeypatch.setattr(storage, "store_event", store_singly)
        found = []
        for batched in (False, True):
            if batched:
                assert singly.count(PLANNED) == 48
                store_plans_in_batches(instance)
            result = job.execute_in_process(instance=instance, tags=tags)
            planned = [entry.get_dagster_event() for entry in instance.all_logs(result.run_id, of_type=PLANNED)]
            found.append([(str(event.asset_key), event.partition) for event in planned])
            assert [one.asset_entry.last_run_id for one in instance.get_asset_records()] == [result.run_id] * 2
            checks = instance.event_log_storage.get_asset_check_execution_history(
                dg.AssetCheckKey(dg.AssetKey("prices"), "good"), limit=100
            )
            assert {check.run_id for check in checks} >= {result.run_id}
        assert found[0] == found[1]
        assert len(found[1]) == 48
        assert singly.count(PLANNED) == 48
    assert "Exception while storing event batch" not in capfd.readouterr().err
