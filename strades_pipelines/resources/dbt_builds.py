"""What dbt said of whole layers, so that a run which finds nothing new need not start it, which takes three seconds.

A build's results stand while the project is the same, every relation is there, and nothing that its models read has
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
    WHERE layers = %(layers)s AND project = %(project)s AND results IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM ops.stale WHERE split_part(relation, '/', 1) = ANY(%(relations)s)
            AND (relation <> ALL(%(windowed)s) OR days && daterange(%(start)s::date, %(end)s::date))
        )
        AND NOT EXISTS (SELECT FROM ops.changed_rows WHERE reader = ANY(%(relations)s))
        AND NOT EXISTS (SELECT FROM unnest(%(relations)s) AS relation WHERE to_regclass(relation) IS NULL)
"""
BEGIN = """
    WITH others AS (
        UPDATE ops.dbt_builds SET build_id = %(build_id)s, results = NULL
        WHERE layers && %(layers)s AND layers <> %(layers)s
    )
    INSERT INTO ops.dbt_builds (layers, build_id) VALUES (%(layers)s, %(build_id)s)
    ON CONFLICT (layers) DO UPDATE SET build_id = EXCLUDED.build_id, results = NULL
"""
# Not where another build began meanwhile: of what that one left behind nothing is known here.
REMEMBER = """
    UPDATE ops.dbt_builds SET project = %(project)s, results = %(results)s, ended_at = clock_timestamp()
    WHERE layers = %(layers)s AND build_id = %(build_id)s
"""


@dataclass(frozen=True)
class Result:
    """An event of dbt as it logs it, and how many rows the table has that it is about; None for views and tests."""

    event: dict[str, Any]
    rows: int | None


@dataclass(frozen=True)
class LayerBuild:
    """A build of some models of the layers (schemas) `layers`; `is_whole` where these are all of theirs."""

    layers: tuple[str, ...]
    relations: tuple[str, ...]  # `schema.name` of the models
    windowed: tuple[str, ...]  # those of them that take in a window only
    is_whole: bool
    project: str  # fingerprint of the dbt project
    window: tuple[str | None, str | None]  # ISO dates, [start, end)

    def recall(self, connection: Connection) -> tuple[list[Result], datetime] | None:
        """The results of the last such build and when it ended; None where dbt has to run."""
        if not self.is_whole:
            return None
        start, end = self.window
        found = connection.execute(
            RECALL,
            {
                "layers": list(self.layers), "project": self.project, "relations": list(self.relations),
                "windowed": list(self.windowed), "start": start, "end": end,
            },
        ).fetchone()  # fmt: skip
        return ([Result(**result) for result in found[0]], found[1]) if found else None

    def remember(self, connection: Connection, build_id: str, results: Sequence[Result]) -> None:
        """Keep the results of a build in which everything passed, unless another one began meanwhile, and commit."""
        if not self.is_whole:
            return
        kept = Jsonb([{"event": result.event, "rows": result.rows} for result in results])
        connection.execute(
            REMEMBER, {"layers": list(self.layers), "build_id": build_id, "project": self.project, "results": kept}
        )
        connection.commit()


def begin_build(connection: Connection, layers: Sequence[str]) -> str:
    """Forget the results of these layers, and commit; returns the id of the build that begins."""
    build_id = uuid4().hex
    connection.execute(BEGIN, {"layers": sorted(layers), "build_id": build_id})
    connection.commit()
    return build_id


def layer_build(
    models: Sequence[Node], manifest: Mapping[str, Any], project: str, variables: Mapping[str, str]
) -> LayerBuild:
    """The build of `models` of the manifest, with dbt's vars `min_date` and `max_date` where it has a window."""
    layers = {node["schema"] for node in models}
    every = [
        node for node in manifest["nodes"].values() if node["resource_type"] == "model" and node["schema"] in layers
    ]
    return LayerBuild(
        layers=tuple(sorted(layers)),
        relations=tuple(sorted(map(relation_name, models))),
        windowed=tuple(sorted(relation_name(node) for node in models if node["config"]["meta"].get("windowed"))),
        is_whole=len(models) == len(every),
        project=project,
        window=(variables.get("min_date"), variables.get("max_date")),
    )


def relation_name(node: Node) -> str:
    """`schema.name` of a model's table or view."""
    return f"{node['schema']}.{node['alias']}"
