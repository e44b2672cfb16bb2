"""What assets are handed to build the dbt models: Dagster's events from a dbt that runs in this process."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from dagster_dbt import DagsterDbtTranslator

from strades_pipelines.database.connection import connect, database_url
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.migrate import DBT_SCHEMAS
from strades_pipelines.database.roles import DBT_ROLE
from strades_pipelines.database.row_counts import count_rows
from strades_pipelines.keys import OWNERS
from strades_pipelines.resources.dbt_builds import Build, Node, Result, begin_build, describe_build, relation_name
from strades_pipelines.resources.dbt_project import (
    Invocation,
    database_name,
    ensure_manifest,
    home,
    invoke,
    load_parsed,
)

RELATIONS = """
    SELECT n.nspname || '.' || c.relname FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'v')
"""
REPEATED = ("unique_id", "invocation_id", "status")
Event = dg.Output[Any] | dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckResult | dg.AssetCheckEvaluation


def ensure_clean_bars(url: str) -> None:
    """Make `cleaned.daily_bars`, and what it is made of, where it is not there yet: in a new home a later layer may be
    the first that is asked for. It costs one query where it is there.

    Raises:
        DbtError: one line with what failed.
    """
    with connect(url) as connection:
        if connection.execute("SELECT to_regclass('cleaned.daily_bars')").fetchone() != (None,):
            return
        begin_build(connection, ["staging", "cleaned"])
    path = ensure_manifest()
    arguments = ["run", "--no-write-json", "--select", "+daily_bars"]
    invoke(arguments, url=url, target=path.parent, parsed=load_parsed(path, database=database_name(url))).check()


class LayerTranslator(DagsterDbtTranslator):
    """A model's asset key is `[schema, model]` (dagster-dbt's own rule), its group the schema, its owner the team."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The layer, which is the schema."""
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        """The one team."""
        return OWNERS

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's description, without its SQL."""
        return str(dbt_resource_props["description"]).strip()


class DbtRunnerResource(dg.ConfigurableResource[Any]):
    """dbt on this world's database; `url` and `target` name another database and another folder, in tests."""

    url: str | None = None
    target: str | None = None

    def build(
        self,
        context: dg.AssetExecutionContext,
        *,
        variables: Mapping[str, str] | None = None,
        full_refresh: bool = False,
        translator: DagsterDbtTranslator | None = None,
    ) -> Iterator[Event]:
        """Build and test the models that this step selected; the events come when dbt is through.

        Where the step selected whole layers and nothing is new for them, dbt does not run: the events are those of the
        last build (see `dbt_builds`).

        Args:
            variables: dbt's vars; `min_date` and `max_date` (ISO dates) make the window [min_date, max_date).
            full_refresh: rebuild incremental tables from all rows; give no variables with it.
            translator: the one the assets were made with.

        Raises:
            DbtError: after what succeeded was yielded, one line with every node that failed and its message.
        """
        from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

        translator, variables = translator or LayerTranslator(), dict(variables or {})
        path = ensure_manifest(self._place())
        manifest, project = json.loads(path.read_text()), path.with_name("fingerprint").read_text()
        models = _models(manifest, context, translator)
        build = describe_build(models, manifest, project, variables)
        with connect(self._location()) as connection:
            recalled = None if full_refresh else build.recall(connection)
        if recalled is None:
            outcome, results = self._run(context, build, models, manifest, variables, full_refresh=full_refresh)
        else:
            outcome, (results, since) = Invocation(), recalled
            layers = ", ".join(build.layers)
            context.log.info(f"nothing new for {layers} since {since:%Y-%m-%d %H:%M} UTC: dbt did not run")
        for result in results:
            message = DbtCoreCliEventMessage(raw_event=result.event, event_history_metadata={})
            for event in message.to_default_asset_events(manifest, translator, context):
                yield _described(event, result.rows)
        outcome.check()

    def docs(self, path: Path) -> Path:
        """Write the documentation of models and tables as one HTML page to `path`.

        Raises:
            DbtError: when the project cannot be compiled or the database not be read.
        """
        place = self._place() / "docs"
        invoke(["docs", "generate", "--static"], url=self._location(), target=place).check()
        path.parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(place / "static_index.html", path))

    def _location(self) -> str:
        return self.url or database_url()

    def _place(self) -> Path:
        return Path(self.target) if self.target else home()

    def _run(
        self,
        context: dg.AssetExecutionContext,
        build: Build,
        models: Sequence[Node],
        manifest: Mapping[str, Any],
        variables: Mapping[str, str],
        *,
        full_refresh: bool,
    ) -> tuple[Invocation, list[Result]]:
        """Run dbt, and remember its results where all of them passed."""
        url, path = self._location(), ensure_manifest(self._place())
        arguments = ["build", "--no-write-json", "--exclude-resource-type", "unit_test"]
        arguments += ["--indirect-selection", "buildable", "--vars", json.dumps(dict(variables))]
        arguments += ["--full-refresh"] if full_refresh else []
        absent = self._absent_before(models, manifest, url)
        arguments += ["--select", *sorted(node["name"] for node in (*models, *absent))]
        with connect(url) as connection:
            build_id = begin_build(connection, build.layers)
        outcome = invoke(arguments, url=url, target=path.parent, parsed=load_parsed(path, database=database_name(url)))
        crash_point(f"{min(context.selected_asset_keys).path[0]}.built")
        selected = {str(node["unique_id"]) for node in models}
        with connect(url) as connection:
            results = [
                Result(event, _count_rows(connection, event["data"]["node_info"]))
                for event in outcome.events
                if _concerns(manifest["nodes"][event["data"]["node_info"]["unique_id"]], selected)
            ]
            if outcome.passed:
                build.remember(connection, build_id, results)
        return outcome, results

    def _absent_before(self, models: Sequence[Node], manifest: Mapping[str, Any], url: str) -> list[Node]:
        """The models that these are made from and that are not there yet, as in a new home whose first click is a later
        layer: they are made in the same call.
        """
        before = {
            parent: manifest["nodes"][parent]
            for model in models
            for parent in _ancestors(model["unique_id"], manifest)
            if parent.startswith("model.")
        }
        with connect(url, role=DBT_ROLE) as connection:
            there = {name for (name,) in connection.execute(RELATIONS, [list(DBT_SCHEMAS)])}
        return [node for node in before.values() if relation_name(node) not in there]


def _described(event: Event, rows: int | None) -> Event:
    """The event with its number of rows, and without what repeats the names of its asset and run.

    These events are kept for good: dbt's ids are a third of what one takes.
    """
    metadata = {name: value for name, value in event.metadata.items() if name not in REPEATED}
    if isinstance(event, dg.Output):
        return event.with_metadata(metadata if rows is None else metadata | {"dagster/row_count": rows})
    if isinstance(event, dg.AssetCheckResult) and event.passed:
        return event._replace(metadata=metadata)
    return event


def _count_rows(connection: "psycopg.Connection[Any]", node: Mapping[str, Any]) -> int | None:
    """How many rows the table of dbt's `node_info` holds; None for tests and views, which cost too much to count."""
    if node["resource_type"] != "model" or node["materialized"] == "view":
        return None
    relation = node["node_relation"]
    return count_rows(connection, f"{relation['schema']}.{relation['alias']}")


def _models(
    manifest: Mapping[str, Any], context: dg.AssetExecutionContext, translator: DagsterDbtTranslator
) -> list[Node]:
    """The models behind the step's selected assets."""
    models = {
        translator.get_asset_spec(manifest, unique_id, None).key: node
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }
    return [models[key] for key in context.selected_asset_keys]


def _ancestors(unique_id: str, manifest: Mapping[str, Any]) -> set[str]:
    parents = set(manifest["parent_map"].get(unique_id, ()))
    return parents.union(*(_ancestors(parent, manifest) for parent in parents))


def _concerns(node: Node, selected: Set[str]) -> bool:
    """Whether a result of dbt is of a selected model, or of a test of one."""
    return node["unique_id"] in selected or node.get("attached_node") in selected
