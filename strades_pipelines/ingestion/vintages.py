"""Versions of observations whose source states when each was published: its answers repeat all of them.

Such a version is stored once, whichever answer brings it. The newest vintage is the current one, and the others are its
revisions in the order of their vintages, whatever the order in which answers came.
"""

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.database.bulk import copy_frame, same_key
from strades_pipelines.ingestion.record_tables import TARGETS

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

TARGET = TARGETS["observation"]
SAME = f"{same_key(TARGET.key)} AND t.vintage = n.vintage AND t.value = n.value AND t.unit = n.unit"
IS_NEW = " AND ".join(f"NOT EXISTS (SELECT FROM {name} AS t WHERE {SAME})" for name in (TARGET.table, TARGET.revisions))


def new_vintages(cursor: "Cursor", rows: pa.Table) -> pa.Table:
    """The rows of observations that are no version that is stored already; those without a vintage stay."""
    if not _state_vintages(rows):
        return rows
    cursor.execute(f"SELECT n.* FROM {copy_frame(cursor, TARGET.table, rows)} WHERE {IS_NEW}")
    return cursor.fetch_arrow_table().cast(rows.schema)


def with_newest_last(cursor: "Cursor", rows: pa.Table) -> pa.Table:
    """The rows of `new_vintages`, and the stored ones that are newer than one of them, to be current again."""
    if not _state_vintages(rows):
        return rows
    names = ", ".join(f't."{name}"' for name in rows.column_names)
    frame = copy_frame(cursor, TARGET.table, rows)
    cursor.execute(
        f"SELECT DISTINCT {names} FROM {frame} INNER JOIN {TARGET.table} AS t "
        f"ON {same_key(TARGET.key)} WHERE n.vintage < t.vintage"
    )
    return pa.concat_tables([rows, cursor.fetch_arrow_table().cast(rows.schema)])


def _state_vintages(rows: pa.Table) -> bool:
    return bool(pc.any(rows["vintage"].is_valid()).as_py())
