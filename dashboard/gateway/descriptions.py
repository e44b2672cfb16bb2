"""What tables and columns are, in words: from dbt's manifest where dbt was run yet, else from the migrations."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from strades_pipelines.database.tables import table_columns, table_comments
from strades_pipelines.settings import settings


@dataclass(frozen=True)
class Description:
    """A table in words; `grain` are the columns that dbt's test of a view says are unique."""

    text: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    grain: tuple[str, ...] = ()


def describe_tables() -> dict[str, Description]:
    """Every table that something is said of, by `schema.table`."""
    comments, columns = table_comments(), table_columns()
    said = {
        name: Description(
            comments.get(name), {column.name: column.comment for column in columns.get(name, ()) if column.comment}
        )
        for name in {*comments, *columns}
    }
    manifest = settings().home / "dbt" / "manifest.json"
    try:
        changed_at = manifest.stat().st_mtime_ns
    except OSError:
        return said
    for name, of_dbt in _read_manifest(manifest, changed_at).items():
        own = said.get(name, Description())
        said[name] = Description(of_dbt.text or own.text, {**of_dbt.columns, **own.columns}, of_dbt.grain)
    return said


@lru_cache(maxsize=1)
def _read_manifest(path: Path, changed_at: int) -> dict[str, Description]:
    """Read once for each version of the file: it has some megabytes."""
    document = json.loads(path.read_text())
    nodes = [*document["nodes"].values(), *document["sources"].values()]
    grains = dict(
        _grain(node) for node in nodes if (node.get("test_metadata") or {}).get("name") == "unique_combination"
    )
    return {
        f"{node['schema']}.{node['name']}": Description(
            " ".join(node["description"].split()) or None,
            {name: column["description"] for name, column in node["columns"].items() if column["description"]},
            grains.get(node["unique_id"], ()),
        )
        for node in nodes
        if node["resource_type"] in ("model", "source")
    }


def _grain(node: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    return node["attached_node"], tuple(node["test_metadata"]["kwargs"]["columns"])
