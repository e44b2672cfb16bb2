"""Rows of a table as a file, with the query behind them, and the licences of their sources where it has a place."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dashboard.gateway.tables import Column
from dashboard.results.exports import to_csv
from strades_pipelines.lineage.licences_of_rows import use_of

ARROW_TYPES = {
    "smallint": pa.int64(),
    "integer": pa.int64(),
    "bigint": pa.int64(),
    "real": pa.float64(),
    "double precision": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}


@dataclass(frozen=True)
class Exported:
    """Rows, their columns, the query that gives them again, and their sources with licences."""

    columns: Sequence[Column]
    rows: list[list[Any]]
    query: str
    sources: list[dict[str, Any]]


def _as_csv(exported: Exported) -> bytes:
    return to_csv([column.name for column in exported.columns], exported.rows).encode()


def _as_parquet(exported: Exported) -> bytes:
    """Rows as Parquet with query and licences in the metadata; exact decimals and all other types as text."""
    columns, rows = exported.columns, exported.rows
    types = [ARROW_TYPES.get(column.type, pa.string()) for column in columns]
    arrays = [pa.array([_arrow_value(row[number], kind) for row in rows], kind) for number, kind in enumerate(types)]
    schema = pa.schema(
        [pa.field(column.name, kind) for column, kind in zip(columns, types, strict=True)],
        metadata={"strades.query": exported.query, "strades.sources": json.dumps(_licences(exported))},
    )
    written = BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), written, compression="zstd")
    return written.getvalue()


def _arrow_value(value: Any, kind: pa.DataType) -> Any:
    if value is None or not pa.types.is_string(kind):
        return value
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _as_sql(exported: Exported) -> bytes:
    return exported.query.encode()


def _as_json(exported: Exported) -> bytes:
    """What stands beside a CSV, which has no place for it."""
    return json.dumps({"rows": len(exported.rows), **_licences(exported), "query": exported.query}, indent=1).encode()


def _licences(exported: Exported) -> dict[str, Any]:
    return {"use": use_of(exported.sources), "sources": exported.sources} if exported.sources else {"sources": []}


WITH_ROWS = ("csv", "parquet")
WRITERS = {"csv": _as_csv, "parquet": _as_parquet, "sql": _as_sql, "json": _as_json}
