"""The definitions as Dagster sees them: complete, in order, and light to load."""

import subprocess
import sys

import dagster as dg
import pytest

from strades_pipelines.definitions import defs
from strades_pipelines.defs.trading.assets import FOLLOWED, SPECS
from strades_pipelines.keys import LAYERS

HEAVY = ("tensorflow", "sklearn", "scrapy", "feedparser", "numba", "dbt.cli.main", "ccxt", "alpaca")
PROGRAM = f"""
import sys
from strades_pipelines.definitions import defs
defs().resolve_asset_graph()
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    """Loaded once for the module."""
    return defs()


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> dict[dg.AssetKey, dg.AssetSpec]:
    """The specs of every asset of ours."""
    return {spec.key: spec for spec in definitions.resolve_all_asset_specs()}


def test_every_asset_is_described_in_full(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    assert len(specs) > 30
    for key, spec in specs.items():
        assert key.path[0] in LAYERS
        assert spec.group_name == key.path[0], key
        assert list(spec.owners) == ["team:strades"], key
        assert spec.kinds, key
        assert len(spec.kinds) <= 3, key
        assert spec.description, key
        columns = spec.metadata["dagster/column_schema"].columns
        assert columns, key
        assert [column.name for column in columns if not column.description] == [], key


def test_every_dependency_is_an_asset_of_ours(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    known = set(specs)
    for key, spec in specs.items():
        assert {dep.asset_key for dep in spec.deps} <= known, key


def test_data_flows_from_layer_to_layer(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    order = {layer: place for place, layer in enumerate(LAYERS)}
    for key, spec in specs.items():
        for dep in spec.deps:
            assert order[dep.asset_key.path[0]] <= order[key.path[0]], f"{dep.asset_key} -> {key}"


def test_only_trading_waits_for_the_trade_sensor(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    by_hand = {key.path[0] for key, spec in specs.items() if spec.automation_condition is None}
    assert by_hand == {"rawsources", "trading"}


def test_what_moves_with_the_data_has_an_age_it_may_have(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    ageless = {key.path[0] for key, spec in specs.items() if spec.freshness_policy is None}
    assert ageless == {"records", "staging", "trading", "ops"}
    assert specs[dg.AssetKey(["records", "candles"])].freshness_policy


def test_one_partition_definition_and_one_backfill_policy(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.executable_asset_keys]
    partitioned = [node for node in nodes if node.partitions_def is not None]
    assert len({node.partitions_def for node in partitioned}) == 1
    assert {node.backfill_policy for node in partitioned} == {dg.BackfillPolicy.single_run()}


def test_every_source_has_a_schedule_and_the_sensors_are_there(definitions: dg.Definitions) -> None:
    repository = definitions.get_repository_def()
    sources = {
        key.path[1] for key in definitions.resolve_asset_graph().executable_asset_keys if key.path[0] == "rawsources"
    }
    assert {f"{source}_schedule" for source in sources} <= {schedule.name for schedule in repository.schedule_defs}
    assert {"data_sensor", "trade_sensor", "revision_sensor", "run_failure_alert_sensor"} <= {
        sensor.name for sensor in repository.sensor_defs
    }


def test_heavy_libraries_are_not_imported_when_definitions_load() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_tables_of_trading_that_other_steps_wait_for_are_always_told_of(specs: dict[dg.AssetKey, dg.AssetSpec]) -> None:
    own = {spec.key for spec in SPECS}
    assert {dep.asset_key for key, spec in specs.items() if key not in own for dep in spec.deps} & own == FOLLOWED
