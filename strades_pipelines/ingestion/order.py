"""Which version of a record stands when fetches are loaded out of order, or parsed again."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.database.bulk import credit
from strades_pipelines.ingestion.pending import Fetch, any_of
from strades_pipelines.ingestion.tables import Target

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor


def drop_superseded(cursor: "Cursor", target: Target, rows: pa.Table, fetches: Sequence[Fetch]) -> pa.Table:
    """Without the rows whose key is stored already from a later fetch of the same source.

    A stored row that says the same is from now on the earlier fetch's, as it would be had that been loaded first.
    Loading in fetch order, as is usual, there is no later fetch, and nothing is read but that fact.
    """
    later = _later_fetches(cursor, fetches)
    if not later:
        return rows
    names = ", ".join(f'"{name}"' for name in target.key)
    cursor.execute(
        f"SELECT {names}, fetch_id AS stored FROM {target.table} "
        f"WHERE fetch_id = {any_of(list(later))} AND {_within(rows, target.key)}"
    )
    stored = cursor.fetch_arrow_table()
    if stored.num_rows == 0:
        return rows
    rank = {
        fetch_id: n for n, (_, fetch_id) in enumerate(sorted({fetch.order for fetch in fetches} | set(later.values())))
    }
    numbered = rows.append_column("position", pa.array(np.arange(rows.num_rows)))
    keyed = numbered.select([*target.key, "fetch_id", "position"])
    met = keyed.join(stored.cast(_key_schema(keyed, stored)), keys=list(target.key), join_type="inner")
    older = sorted(
        position
        for position, mine, theirs in zip(
            *(met[name].to_pylist() for name in ("position", "fetch_id", "stored")), strict=True
        )
        if rank[mine] < rank[theirs]
    )
    if older:
        first = rows.take(older)
        again = first.select(list(target.key)).to_pandas().duplicated().to_numpy()
        first = first.filter(pa.array(~again))
        credit(cursor, target.table, first, key=target.key, revisions=target.revisions, ignore=target.ignore)
    keep = np.ones(rows.num_rows, np.bool_)
    keep[older] = False
    return rows.filter(pa.array(keep))


def read_stored(cursor: "Cursor", target: Target, fetch_ids: Sequence[int], rows: pa.Table | None) -> pa.Table:
    """What is stored of these fetches: columns and types as `rows` has them; the keys alone where it is None."""
    columns = [*target.key, "fetch_id"] if rows is None else rows.column_names
    names = ", ".join(f'"{name}"' for name in columns)
    cursor.execute(f"SELECT {names} FROM {target.table} WHERE fetch_id = {any_of(fetch_ids)}")
    stored = cursor.fetch_arrow_table()
    return stored if rows is None else stored.cast(rows.schema)


def same_rows(stored: pa.Table, rows: pa.Table, key: Sequence[str]) -> bool:
    """Whether what is stored of the fetches is just what they yield: then nothing vanished, changed or came."""
    if not rows.num_rows or stored.num_rows != rows.num_rows:
        return False
    order = [(name, "ascending") for name in key]
    return bool(stored.sort_by(order).equals(rows.sort_by(order)))


def withdraw_vanished(cursor: "Cursor", target: Target, stored: pa.Table, rows: pa.Table | None, now: datetime) -> int:
    """Move the stored rows of fetches that are in them no longer to the revisions; returns how many."""
    keys = [*target.key, "fetch_id"]
    gone = stored.select(keys)
    if rows is not None and rows.num_rows and gone.num_rows:
        gone = gone.join(rows.select(keys), keys=keys, join_type="left anti")
    if gone.num_rows == 0:
        return 0
    cursor.execute("DROP TABLE IF EXISTS pg_temp.gone")
    cursor.adbc_ingest("gone", gone, mode="create", temporary=True)
    join = " AND ".join(f't."{name}" = g."{name}"' for name in target.key)
    cursor.execute(
        f"INSERT INTO {target.revisions} SELECT t.*, '{now.isoformat()}'::timestamptz FROM {target.table} AS t "
        f"INNER JOIN pg_temp.gone AS g ON {join} ON CONFLICT DO NOTHING"
    )
    cursor.execute(f"DELETE FROM {target.table} AS t USING pg_temp.gone AS g WHERE {join}")
    return int(gone.num_rows)


def _later_fetches(cursor: "Cursor", fetches: Sequence[Fetch]) -> dict[int, tuple[datetime, int]]:
    """Parsed fetches of the same sources that came after the first of these, by id, with their order.

    They may be among these: parsed again, an old version does not take the place of the newer one once more.
    """
    first = min(fetch.order for fetch in fetches)
    sources = ", ".join(f"'{source}'" for source in sorted({fetch.source for fetch in fetches}))  # [a-z0-9_] only
    cursor.execute(
        "SELECT f.fetch_id, f.fetched_at FROM rawsources.fetches AS f INNER JOIN records.parses AS p USING (fetch_id) "
        f"WHERE f.source IN ({sources}) AND p.outcome = 'parsed' AND f.fetched_at >= '{first[0].isoformat()}'"
    )
    found = {fetch_id: (fetched_at, fetch_id) for fetch_id, fetched_at in cursor.fetchall()}
    return {fetch_id: order for fetch_id, order in found.items() if order > first}


def _within(rows: pa.Table, key: Sequence[str]) -> str:
    """SQL for the rows between the least and the greatest key, as far as keys are numbers and times.

    Without it, parsing a whole history again reads for each batch all that came after it.
    """
    spans = {name: pc.min_max(rows[name]).as_py() for name in key if not pa.types.is_string(rows[name].type)}
    return (
        "true"
        if not spans
        else " AND ".join(f""""{name}" BETWEEN '{span["min"]}' AND '{span["max"]}'""" for name, span in spans.items())
    )


def _key_schema(like: pa.Table, table: pa.Table) -> pa.Schema:
    """The schema of `table` with the types that its columns have in `like`."""
    known = set(like.column_names)
    return pa.schema(
        [
            (field.name, like.schema.field(field.name).type if field.name in known else field.type)
            for field in table.schema
        ]
    )
