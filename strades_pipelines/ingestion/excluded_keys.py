"""Which records are left out: loads store no row of their keys."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow as pa

from strades_pipelines.database.bulk import column_types
from strades_pipelines.ingestion.keyed_rows import without_keys
from strades_pipelines.ingestion.record_tables import TARGETS, Target

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

KINDS: Mapping[str, str] = {target.table.removeprefix("records."): kind for kind, target in TARGETS.items()}
RELATIONS = "SELECT DISTINCT relation FROM records.exclusion_spans WHERE excluded_until IS NULL"


def read_excluded_keys(cursor: "Cursor") -> dict[str, pa.Table]:
    """The keys that are left out now, by kind of record; a kind without any is missing."""
    cursor.execute(RELATIONS)
    kinds = [KINDS[relation] for (relation,) in cursor.fetchall()]
    return {kind: _read_keys(cursor, TARGETS[kind]) for kind in kinds}


def without_excluded(rows: pa.Table | None, excluded: pa.Table | None) -> pa.Table | None:
    """The rows, or keys, but for those that are left out."""
    return rows if rows is None or excluded is None else without_keys(rows, excluded)


def typed_key(cursor: "Cursor", target: Target, part: str) -> str:
    """SQL: the columns of a key with their types; `part` is the text of one, with a place for its number from 1 on."""
    types = column_types(cursor, target.table)
    casts = (f'({part.format(number)})::{types[name]} AS "{name}"' for number, name in enumerate(target.key, 1))
    return ", ".join(casts)


def _read_keys(cursor: "Cursor", target: Target) -> pa.Table:
    relation = target.table.removeprefix("records.")
    cursor.execute(
        f"SELECT {typed_key(cursor, target, 'spans.key[{}]')} FROM records.exclusion_spans AS spans "
        f"WHERE spans.relation = '{relation}' AND spans.excluded_until IS NULL"
    )
    return cursor.fetch_arrow_table()
