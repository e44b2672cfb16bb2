"""Which past values changed: each old version beside the one that took its place, and when that was known."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from strades_pipelines.bad_input import BadInput
from strades_pipelines.ingestion.record_tables import TARGETS, Target
from strades_pipelines.operations.options import listing_ids

STAMPS = {"fetch_id", "recorded_at", "superseded_at", "listing_id"}
# The version after an old one is the next that was superseded, else the one that stands; none when it was withdrawn.
QUERY = """
    SELECT {name}, to_jsonb(o) AS old, coalesce(
            (SELECT to_jsonb(r) FROM {revisions} AS r WHERE {same_r} AND r.superseded_at > o.superseded_at
             ORDER BY r.superseded_at LIMIT 1),
            (SELECT to_jsonb(c) FROM {table} AS c WHERE {same_c})
        ) AS new
    FROM {revisions} AS o {join}
    WHERE {chosen} AND (%(start)s::timestamptz IS NULL OR o.superseded_at >= %(start)s)
        AND (%(end)s::timestamptz IS NULL OR o.superseded_at < %(end)s)
    ORDER BY o.superseded_at DESC, {order} LIMIT %(limit)s
"""


def read_revisions(
    connection: psycopg.Connection[Any],
    *,
    kind: str | None = None,
    instrument: str | None = None,
    stretch: tuple[datetime | None, datetime | None] = (None, None),
    limit: int = 100,
) -> list[dict[str, Any]]:
    """The newest changes of stored records, at most `limit` of each kind.

    Args:
        kind: of `TARGETS`; None is every kind (with an instrument: every kind that has one).
        stretch: [from, to) of the time at which the old version was superseded, UTC.

    Returns:
        `{"kind", "instrument", "key", "changed": {field: {"old", "new"}}, "recorded_at", "superseded_at",
        "knowledge_time", "withdrawn"}` of each, newest first; `knowledge_time` is of the version that took its place.

    Raises:
        BadInput: for a kind or an instrument that is not there.
    """
    if kind is not None and kind not in TARGETS:
        raise BadInput(f"--kind: expected one of {', '.join(TARGETS)}, found {kind!r}")
    asked = {"listings": listing_ids(connection, instrument), "start": stretch[0], "end": stretch[1], "limit": limit}
    chosen = [name for name in TARGETS if kind in (None, name) and (instrument is None or TARGETS[name].listed)]
    if not chosen:
        raise BadInput(f"--instrument: expected a kind that has one, found --kind {kind}")
    rows = [
        _change(name, row)
        for name in chosen
        for row in connection.execute(_query(TARGETS[name], instrument is not None), asked)
    ]
    return sorted(rows, key=lambda row: str(row["superseded_at"]), reverse=True)


def cold_tables(connection: psycopg.Connection[Any], kind: str | None) -> list[str]:
    """The tables of a kind, or of all, that have cold months, whose rows `read_revisions` does not see."""
    found = connection.execute("SELECT DISTINCT relation FROM records.cold_months ORDER BY 1").fetchall()
    tables = {target.table for name, target in TARGETS.items() if kind in (None, name)}
    return [table for (table,) in found if table in tables]


def _query(target: Target, of_instrument: bool) -> sql.Composed:
    def same(alias: str) -> sql.Composable:
        return sql.SQL(" AND ").join(
            sql.SQL("{}.{} = o.{}").format(sql.Identifier(alias), sql.Identifier(name), sql.Identifier(name))
            for name in target.key
        )

    listed = "INNER JOIN records.listings AS l USING (listing_id)" if target.listed else ""
    return sql.SQL(QUERY).format(
        name=sql.SQL("l.venue || ':' || l.symbol" if target.listed else "NULL::text"),
        revisions=sql.Identifier(*target.revisions.split(".")),
        table=sql.Identifier(*target.table.split(".")),
        same_r=same("r"),
        same_c=same("c"),
        join=sql.SQL(listed),
        chosen=sql.SQL("o.listing_id = ANY(%(listings)s)" if of_instrument else "true"),
        order=sql.SQL(", ").join(sql.Identifier("o", name) for name in target.key),
    )


def _change(kind: str, row: tuple[Any, ...]) -> dict[str, Any]:
    instrument, old, new = row
    key = TARGETS[kind].key
    names = [name for name in old if name not in STAMPS and name not in key]
    fields = {name: {"old": old[name], "new": new[name]} for name in names if new and old[name] != new[name]}
    return {
        "kind": kind,
        "instrument": instrument,
        "key": {name: old[name] for name in key if name != "listing_id"},
        "changed": fields if new else {name: {"old": old[name], "new": None} for name in names},
        "recorded_at": old["recorded_at"],
        "superseded_at": old["superseded_at"],
        "knowledge_time": _known(new),
        "withdrawn": new is None,
    }


def _known(new: Mapping[str, Any] | None) -> Any:
    return new["knowledge_time"] if new else None
