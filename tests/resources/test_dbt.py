"""dbt as Dagster sees it: one call, a materialization for each model, a check for each test."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg
import pytest
from dagster_dbt import dbt_assets

from strades_pipelines.resources import dbt_project
from strades_pipelines.resources.dbt import DbtRunnerResource, LayerTranslator
from strades_pipelines.resources.dbt_project import DbtError, ensure_manifest
from strades_pipelines.settings import PROJECT
from tests.dbt_project.building import dbt_folder, edited_project
from tests.dbt_project.seeding import candles, days, listing

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-01-01")
RANGE = {"dagster/asset_partition_range_start": "2024-01-01", "dagster/asset_partition_range_end": "2024-02-01"}


@pytest.fixture
def runner(database_url: str) -> DbtRunnerResource:
    """dbt on a fresh database, writing to a folder of the run."""
    return DbtRunnerResource(url=database_url, target=str(dbt_folder()))


def assets_of(runner: DbtRunnerResource, *, partitioned: bool = False) -> dg.AssetsDefinition:
    """The project's assets as the code location would make them."""

    @dbt_assets(
        manifest=ensure_manifest(Path(str(runner.target))),
        dagster_dbt_translator=LayerTranslator(),
        partitions_def=MONTHS if partitioned else None,
        backfill_policy=dg.BackfillPolicy.single_run() if partitioned else None,
    )
    def project(context: dg.AssetExecutionContext, dbt: DbtRunnerResource) -> Any:
        months = context.partition_time_window if partitioned else None
        window = {"min_date": f"{months.start:%F}", "max_date": f"{months.end:%F}"} if months else None
        yield from dbt.build(context, variables=window)

    return project


def test_build_of_everything_yields_a_materialization_a_model_and_a_check_a_test(
    runner: DbtRunnerResource, adbc: "Connection"
) -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 40), 10.0))
    project = assets_of(runner)
    result = dg.materialize([project], resources={"dbt": runner})
    made = {event.asset_key: event.materialization.metadata for event in result.get_asset_materialization_events()}
    assert set(made) == {key for key in project.keys if key.path[0] != "records"}
    assert made[dg.AssetKey(["cleaned", "daily_bars"])]["dagster/row_count"].value == 40
    assert made[dg.AssetKey(["marts", "fct_coverage"])]["dagster/row_count"].value == 2
    checks = result.get_asset_check_evaluations()
    assert {check.asset_check_key for check in checks} == set(project.check_keys)
    assert all(check.passed for check in checks)
    # They are kept for good, dbt's ids of the call and the node with each were a third of them.
    said = {name for metadata in (*made.values(), *(check.metadata for check in checks)) for name in metadata}
    assert said <= {"Execution Duration", "dagster/row_count", "dagster_dbt/failed_row_count"}


def test_range_of_months_is_one_build_of_its_window(
    runner: DbtRunnerResource, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2023, 12, 25), 90), 10.0))
    result = dg.materialize([assets_of(runner, partitioned=True)], resources={"dbt": runner}, tags=RANGE)
    bars = dg.AssetKey(["cleaned", "daily_bars"])
    partitions = [event.partition for event in result.get_asset_materialization_events() if event.asset_key == bars]
    assert sorted(map(str, partitions)) == ["2024-01-01", "2024-02-01"]
    ends = connection.execute("SELECT min(session_date), max(session_date) FROM cleaned.daily_bars").fetchone()
    assert ends == (date(2024, 1, 1), date(2024, 2, 29))


def test_selected_asset_is_the_only_one_built(runner: DbtRunnerResource) -> None:
    project = assets_of(runner)
    chosen_path = ["staging", "stg_records__listings"]
    chosen = dg.AssetSelection.assets(chosen_path)
    result = dg.materialize([project], resources={"dbt": runner}, selection=chosen)
    assert [event.asset_key for event in result.get_asset_materialization_events()] == [dg.AssetKey(chosen_path)]


def test_what_a_selected_asset_reads_is_made_where_it_is_not_there_and_only_there(
    runner: DbtRunnerResource, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="BTC")
    candles(adbc, 1, dict.fromkeys(days(date(2024, 1, 1), 40), 10.0))
    prices = dg.AssetSelection.assets(["marts", "fct_prices"])
    result = dg.materialize([assets_of(runner)], resources={"dbt": runner}, selection=prices)
    made = [event.asset_key for event in result.get_asset_materialization_events()]
    assert made == [dg.AssetKey(["marts", "fct_prices"])]
    assert connection.execute("SELECT count(*) FROM marts.fct_prices").fetchone() == (40,)
    connection.commit()
    before = connection.execute("SELECT 'cleaned.daily_bars'::regclass::oid").fetchone()
    connection.execute("SET ROLE strades_dbt; DROP VIEW marts.fct_prices CASCADE; RESET ROLE")
    connection.commit()
    dg.materialize([assets_of(runner)], resources={"dbt": runner}, selection=prices)
    assert connection.execute("SELECT 'cleaned.daily_bars'::regclass::oid").fetchone() == before


def test_failing_test_is_a_failed_check_and_one_line_with_node_and_message(
    runner: DbtRunnerResource, adbc: "Connection", connection: psycopg.Connection[Any]
) -> None:
    listing(adbc, 1, symbol="BTC")
    connection.execute("ALTER TABLE records.listings DROP CONSTRAINT listings_adjustment_check")
    connection.execute("UPDATE records.listings SET adjustment = 'guessed'")
    connection.commit()
    chosen = dg.AssetSelection.assets(["staging", "stg_records__listings"])
    result = dg.materialize([assets_of(runner)], resources={"dbt": runner}, selection=chosen, raise_on_error=False)
    failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
    assert len(failed) == 1
    assert "accepted_values" in failed[0]
    failure = result.failure_data_for_node("project")
    assert failure is not None
    assert failure.error is not None
    message = str(failure.error.cause.message if failure.error.cause else failure.error.message)
    assert "accepted_values" in message
    assert "1 result" in message
    assert len(message.strip().splitlines()) == 1


def test_failing_model_is_one_line_with_node_and_message_and_nothing_on_standard_output(
    runner: DbtRunnerResource, connection: psycopg.Connection[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    connection.execute("DROP TABLE records.corporate_actions CASCADE")
    connection.commit()
    with pytest.raises(DbtError, match=r"^dbt: staging\.stg_records__corporate_actions error: .*does not exist[^\n]*$"):
        dg.materialize([assets_of(runner)], resources={"dbt": runner})
    assert capfd.readouterr().out == ""


def test_assets_have_group_owner_description_and_lineage_to_the_records(runner: DbtRunnerResource) -> None:
    project = assets_of(runner)
    for spec in project.specs:
        assert spec.group_name == spec.key.path[0]
        assert list(spec.owners) == ["team:strades"]
        assert spec.description
        assert "select" not in spec.description
    assert dg.AssetKey(["records", "candles"]) in project.asset_deps[dg.AssetKey(["staging", "stg_records__candles"])]


@pytest.mark.slow
def test_two_processes_building_at_once_both_succeed(database_url: str) -> None:
    ensure_manifest(dbt_folder())
    code = """
import sys
from pathlib import Path
from strades_pipelines.resources.dbt_project import *
url, folder = sys.argv[1], Path(sys.argv[2])
for _ in range(2):
    parsed = load_parsed(ensure_manifest(folder), database=database_name(url))
    invoke(["run", "--full-refresh"], url=url, target=folder, parsed=parsed).check()
"""
    command = [sys.executable, "-c", code, database_url, str(dbt_folder())]
    processes = [subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outcomes = [(process.communicate()[1], process.returncode) for process in processes]
    assert [(errors, code) for errors, code in outcomes if code] == []


def test_docs_are_one_page_that_knows_the_models(runner: DbtRunnerResource, tmp_path: Path) -> None:
    page = runner.docs(tmp_path / "site" / "dbt.html")
    assert "total_return_factor" in page.read_text()


def test_manifest_is_made_again_only_when_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ensure_manifest(tmp_path).stat().st_mtime_ns
    assert ensure_manifest(tmp_path).stat().st_mtime_ns == first
    monkeypatch.setattr(dbt_project, "PROJECT_DIR", edited_project(tmp_path / "edited"))
    path = ensure_manifest(tmp_path)
    assert path.stat().st_mtime_ns != first
    assert json.loads(path.read_text())["nodes"]["model.strades.daily_bars"]["config"]["schema"] == "cleaned"
