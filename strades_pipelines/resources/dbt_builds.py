"""What dbt said of each layer, so that a run which finds nothing new need not start it, which takes three seconds.

A layer's results stand while the project is the same, every relation is there, and nothing that its models read has
changed since: whatever changes it leaves a mark (`ops.stale`, `ops.changed_rows`, see their migrations). A build that
failed, warned or was killed leaves no results, so the next one runs dbt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]
Node = Mapping[str, Any]  # of dbt's manifest
# Marks of `relation/part` concern the relation. A windowed table leaves marks outside of its window as they are.
RECALL = """
    SELECT results, ended_at FROM ops.dbt_builds
    WHERE layer = ANY(%(layers)s) AND project = %(project)s AND results IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM ops.stale WHERE split_part(relation, '/', 1) = ANY(%(relations)s)
            AND (relation <> ALL(%(windowed)s) OR days && daterange(%(start)s::date, %(end)s::date))
        )
        AND NOT EXISTS (SELECT FROM ops.changed_rows WHERE reader = ANY(%(relations)s))
        AND NOT EXISTS (SELECT FROM unnest(%(relations)s) AS relation WHERE to_regclass(relation) IS NULL)
"""
BEGIN = """
    INSERT INTO ops.dbt_builds (layer, build_id) VALUES (%s, %s)
    ON CONFLICT (layer) DO UPDATE SET build_id = EXCLUDED.build_id, results = NULL
"""
# Not where another build began meanwhile: of what that one left behind nothing is known here.
REMEMBER = """
    UPDATE ops.dbt_builds SET project = %(project)s, results = %(results)s, ended_at = clock_timestamp()
    WHERE layer = %(layer)s AND build_id = %(build_id)s
"""


@dataclass(frozen=True)
class Result:
    """An event of dbt as it logs it, and how many rows the table has that it is about; None for views and tests."""

    event: dict[str, Any]
    rows: int | None

    @property
    def node_id(self) -> str:
        """The model or test that the event is about."""
        return str(self.event["data"]["node_info"]["unique_id"])


@dataclass(frozen=True)
class Build:
    """A build of models: their layers (schemas) and relations, and what it is a build of."""

    layers: tuple[str, ...]
    whole: Mapping[str, frozenset[str]]  # by layer of which every model is built, the ids of its models and tests
    relations: tuple[str, ...]  # `schema.name` of the models
    windowed: tuple[str, ...]  # those of them that take in a window only
    project: str  # fingerprint of the dbt project
    window: tuple[str | None, str | None]  # ISO dates, [start, end)

    def recall(self, connection: Connection) -> tuple[list[Result], datetime] | None:
        """What dbt said last of these layers, and since when it stands; None where dbt has to run."""
        if set(self.whole) != set(self.layers):
            return None
        start, end = self.window
        found = connection.execute(
            RECALL,
            {
                "layers": list(self.layers), "project": self.project, "relations": list(self.relations),
                "windowed": list(self.windowed), "start": start, "end": end,
            },
        ).fetchall()  # fmt: skip
        if len(found) < len(self.layers):
            return None
        results = [Result(**result) for of_layer, _ in found for result in of_layer]
        return sorted(results, key=lambda result: str(result.event["info"]["ts"])), min(at for _, at in found)

    def remember(self, connection: Connection, build_id: str, results: Sequence[Result]) -> None:
        """Keep the results of a build in which everything passed, of each layer that is whole in it, and commit."""
        for layer, nodes in self.whole.items():
            own = [result for result in results if result.node_id in nodes]
            # What was skipped has no result: the layer is not whole.
            if {result.node_id for result in own} == nodes:
                kept = Jsonb([{"event": result.event, "rows": result.rows} for result in own])
                row = {"layer": layer, "build_id": build_id, "project": self.project, "results": kept}
                connection.execute(REMEMBER, row)
        connection.commit()


def begin_build(connection: Connection, layers: Sequence[str]) -> str:
    """Forget the results of these layers, and commit; returns the id of the build that begins."""
    build_id = uuid4().hex
    with connection.cursor() as cursor:
        # In one order: of two builds one waits, and neither for the other.
        cursor.executemany(BEGIN, [(layer, build_id) for layer in sorted(layers)])
    connection.commit()
    return build_id


def describe_build(
    models: Sequence[Node], manifest: Mapping[str, Any], project: str, variables: Mapping[str, str]
) -> Build:
    """The build of `models` of the manifest, with dbt's vars `min_date` and `max_date` where it has a window."""
    chosen = {node["unique_id"] for node in models}
    layers = sorted({node["schema"] for node in models})
    of_layer = {layer: _nodes_of(layer, manifest) for layer in layers}
    return Build(
        layers=tuple(layers),
        whole={layer: frozenset(built | tests) for layer, (built, tests) in of_layer.items() if built <= chosen},
        relations=tuple(sorted(map(relation_name, models))),
        windowed=tuple(sorted(relation_name(node) for node in models if node["config"]["meta"].get("windowed"))),
        project=project,
        window=(variables.get("min_date"), variables.get("max_date")),
    )


def _nodes_of(layer: str, manifest: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """The ids of a layer's models, and of their tests."""
    nodes = manifest["nodes"]
    models = {key for key, node in nodes.items() if node["resource_type"] == "model" and node["schema"] == layer}
    return models, {key for key, node in nodes.items() if node.get("attached_node") in models}


def relation_name(node: Node) -> str:
    """`schema.name` of a model's table or view."""
    return f"{node['schema']}.{node['alias']}"
