"""The project describes itself whole: every model, every column, as the database has them."""

import json
import re
from typing import Any

import psycopg

from strades_pipelines.database.tables import table_columns
from strades_pipelines.resources.dbt_project import ensure_manifest
from tests.dbt_project.building import dbt_folder, run_dbt


def models() -> list[dict[str, Any]]:
    """The models of the manifest."""
    nodes = json.loads(ensure_manifest(dbt_folder()).read_text())["nodes"].values()
    return [node for node in nodes if node["resource_type"] == "model"]


def test_every_model_says_what_one_row_is() -> None:
    assert {model["name"] for model in models() if not model["description"].startswith("One row a")} == set()


def test_every_column_of_the_database_is_described(database_url: str) -> None:
    run_dbt(database_url, ("run",))
    query = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    with psycopg.connect(database_url) as connection:
        for model in models():
            columns = [name for (name,) in connection.execute(query, [model["schema"], model["name"]])]
            described = [name for name, column in model["columns"].items() if column["description"]]
            assert sorted(columns) == sorted(described), model["name"]


def test_every_model_that_works_something_out_has_a_data_test() -> None:
    nodes = json.loads(ensure_manifest(dbt_folder()).read_text())["nodes"].values()
    tested = {node["attached_node"] for node in nodes if node["resource_type"] == "test"}
    # What staging renames is held by the constraints of the records.
    made = {model["unique_id"] for model in models() if model["schema"] != "staging"}
    assert made <= tested


def test_sources_describe_the_columns_of_their_tables_as_the_assets_do() -> None:
    sources = json.loads(ensure_manifest(dbt_folder()).read_text())["sources"].values()
    for source in sources:
        described = {name: column["description"] for name, column in source["columns"].items()}
        table = f"{source['schema']}.{source['name']}"
        columns = {column.name: column.comment for column in table_columns()[table]}
        if table == "features.daily":  # its hundred formulas are in the predictor's registry
            columns = {name: columns[name] for name in described}
        assert described == columns, table


def test_the_first_page_leads_to_models_that_exist() -> None:
    manifest = json.loads(ensure_manifest(dbt_folder()).read_text())
    text = manifest["docs"]["doc.strades.__overview__"]["block_contents"]
    named = set(re.findall(r"`((?:fct_|daily_)\w+)`", text))
    assert named <= {model["name"] for model in models()}
    assert len(named) == 3
