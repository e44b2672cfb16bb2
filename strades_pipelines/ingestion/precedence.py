"""Which version of a record stands when fetches are loaded out of order, or parsed again.

The law: what is stored is what a load of all parsed bodies in fetch order would have left. The database keeps the
versions of a key, not who repeated them, so a key whose version was withdrawn, or that an older body speaks of, is
contested: all bodies that may say it are parsed, and the last one's word stands.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.sql import Literal

from strades_pipelines.database.bulk import copy_frame, differs, same_key
from strades_pipelines.datamanager.protocols import ProtocolError, load_protocol, protocol_names
from strades_pipelines.ingestion.keyed_rows import Span, key_span, overlap, with_equals, with_keys, without_keys
from strades_pipelines.ingestion.pending import Fetch, any_of
from strades_pipelines.ingestion.record_tables import Target, versions

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

Rows = Callable[["Cursor", Sequence[int], str], Iterable[tuple[Fetch, pa.Table | None]]]
Order = tuple[datetime, int]


@dataclass
class Bodies:
    """The rows of stored bodies, parsed when they are needed.

    `rows` yields the rows of a kind of fetches by id, in fetch order. `spans` remembers the least and greatest keys of
    each body, so that one which cannot say a key is parsed once and not for each batch.
    """

    rows: Rows
    spans: dict[tuple[int, str], Span | None] = field(default_factory=dict)

    def claims(
        self, cursor: "Cursor", kind: str, fetch_ids: Sequence[int], keys: pa.Table
    ) -> list[tuple[Fetch, pa.Table]]:
        """The rows of these fetches that have one of `keys`."""
        wanted = key_span(keys, keys.column_names)
        # A body that was never read may say any of the keys: its span counts as the wanted one.
        near = [id_ for id_ in fetch_ids if overlap(self.spans.get((id_, kind), wanted), wanted)]
        found = []
        for fetch, rows in self.rows(cursor, near, kind):
            self.remember(kind, fetch, rows, keys.column_names)
            if rows is not None and rows.num_rows:
                found.append((fetch, with_keys(rows, keys)))
        return found

    def remember(self, kind: str, fetch: Fetch, rows: pa.Table | None, key: Sequence[str]) -> None:
        """Note which keys a body may say."""
        self.spans[fetch.fetch_id, kind] = None if rows is None else key_span(rows, key)


@dataclass(frozen=True)
class Settled:
    """What stands of contested keys.

    `before`: versions that are not stored yet, oldest first: those between the stored and the current one, and those
    of older bodies that are read only now. `gone`: keys that no body has.
    """

    before: list[pa.Table]
    current: pa.Table
    gone: pa.Table


def is_overruled_before(
    cursor: "Cursor", kind: str, target: Target, fetches: Sequence[Fetch], fetch_id: int, *, since: datetime
) -> bool:
    """Whether a body that came after a fetch was loaded before `since`: it may say again what stood then."""
    related = _related(cursor, kind, target, fetches, None)
    if fetch_id not in related:
        return False
    asked = set(_related(cursor, kind, target, fetches, since))
    return any(later not in asked for later in related[related.index(fetch_id) + 1 :])


def any_later(cursor: "Cursor", fetches: Sequence[Fetch]) -> bool:
    """Whether a fetch that came after the first of these is parsed already: by far most batches have none.

    Of two fetches of the same microsecond the one that is loaded later came later.
    """
    first, _ = min(fetch.order for fetch in fetches)
    # `any_of` gives `ANY(...)`; below, only the array in it is used.
    ids = any_of([fetch.fetch_id for fetch in fetches])
    cursor.execute(
        "SELECT EXISTS (SELECT FROM rawsources.fetches AS f INNER JOIN records.parses AS p USING (fetch_id) WHERE "
        f"f.fetched_at > '{first.isoformat()}' AND p.outcome = 'parsed' AND f.fetch_id <> ALL({ids[4:-1]}))"
    )
    [(later,)] = cursor.fetchall()
    return bool(later)


def says_the_same(cursor: "Cursor", target: Target, fetches: Sequence[Fetch], rows: pa.Table) -> bool:
    """Whether what is stored of these fetches is just `rows`, and no old version came from them: nothing changed."""
    ids = any_of([fetch.fetch_id for fetch in fetches])
    names = ", ".join(f'"{name}"' for name in rows.column_names)
    cursor.execute(f"SELECT {names} FROM {target.table} WHERE fetch_id = {ids}")
    stored = cursor.fetch_arrow_table().cast(rows.schema)
    if not rows.num_rows or stored.num_rows != rows.num_rows:
        return False
    order = [(name, "ascending") for name in target.key]
    if not stored.sort_by(order).equals(rows.sort_by(order)):
        return False
    cursor.execute(f"SELECT EXISTS (SELECT FROM {target.revisions} WHERE fetch_id = {ids})")
    [(revised,)] = cursor.fetchall()
    return not revised


def contested_keys(
    cursor: "Cursor", target: Target, fetches: Sequence[Fetch], rows: pa.Table | None
) -> pa.Table | None:
    """The stored keys of which the rows of these fetches (None: there are none) do not tell what stands; or None.

    A row that repeats the stored version, which came before it, changes nothing. Its key is contested where it differs
    from what is stored or came before it, and so is that of a version that its own fetch, parsed again, does not yield.
    """
    names = ", ".join(f'k."{name}"' for name in target.key)
    ids = any_of([fetch.fetch_id for fetch in fetches])
    parts = [f"SELECT * FROM {table} AS k WHERE fetch_id = {ids}" for table in (target.table, target.revisions)]
    if rows is None or not rows.num_rows:
        query = " UNION ".join(f"SELECT {names} FROM ({part}) AS k" for part in parts)
    else:
        frame = copy_frame(cursor, target.table, rows)
        # Nobody analyzes a temporary table by itself, and the planner would guess its size.
        cursor.execute("ANALYZE pg_temp.incoming")
        same = same_key(target.key)
        values = [name for name in rows.column_names if name not in target.key]
        told = f"SELECT FROM {frame} WHERE {same} AND NOT ({differs(values)})"  # fetch_id is among the values
        untold = [f"SELECT * FROM ({part}) AS t WHERE NOT EXISTS ({told})" for part in parts]
        query = " UNION ".join(f"SELECT {names} FROM ({part}) AS k" for part in untold)
        compared = [name for name in values if name not in target.ignore]
        query += (
            f" UNION SELECT {names} FROM (SELECT n.* FROM {frame} "
            f"CROSS JOIN LATERAL (SELECT * FROM {target.table} AS t WHERE {same} LIMIT 1) AS t "
            "INNER JOIN rawsources.fetches AS mine ON mine.fetch_id = n.fetch_id "
            "INNER JOIN rawsources.fetches AS theirs ON theirs.fetch_id = t.fetch_id "
            f"WHERE {differs(compared)} "
            "OR (mine.fetched_at, mine.fetch_id) < (theirs.fetched_at, theirs.fetch_id)) AS k"
        )
    cursor.execute(query)
    keys = cursor.fetch_arrow_table()
    return keys if keys.num_rows else None


def settle(
    cursor: "Cursor",
    kind: str,
    target: Target,
    fetches: Sequence[Fetch],
    rows: pa.Table | None,
    keys: pa.Table,
    bodies: Bodies,
    *,
    since: datetime | None = None,
) -> Settled:
    """Decide contested keys by all bodies that may say them; `rows` are those of `fetches`, parsed already.

    Args:
        since: only bodies that were loaded then or later are asked: what those of before say is stored.
    """
    stored, kept = _stored_since(cursor, target, keys), _kept(cursor, target, keys)
    related = _related(cursor, kind, target, fetches, since)
    if since is None:  # batches of a stream are too many to be all asked: those that a version is of
        named = {*stored["stored"].to_pylist(), *(version[-1] for version in kept)}
        related += sorted(named.difference(related, [fetch.fetch_id for fetch in fetches]))
    claims = bodies.claims(cursor, kind, related, keys)
    if rows is not None:
        for fetch in fetches:
            own = rows.filter(pc.equal(rows["fetch_id"], fetch.fetch_id))
            bodies.remember(kind, fetch, own, target.key)
            claims.append((fetch, with_keys(own, keys)))
    claims = sorted(((fetch, table) for fetch, table in claims if table.num_rows), key=lambda claim: claim[0].order)
    if not claims:
        return Settled([], keys.slice(0, 0), keys)
    said = pa.concat_tables([table for _, table in claims])
    waves = versions(said, target.key, target.ignore)
    if target.keeps_fetch:
        stored_by = stored.drop_columns(["since"]).rename_columns([*target.key, "fetch_id"])
        waves[-1] = with_equals(waves[-1], with_keys(said, stored_by), target.key)
    orders = {fetch.fetch_id: fetch.order for fetch, _ in claims}
    before = [_not_stored(wave, target.key, orders, stored, kept) for wave in waves[:-1]]
    gone = without_keys(keys, waves[-1].select(list(target.key)))
    return Settled([wave for wave in before if wave.num_rows], waves[-1], gone)


def withdraw(cursor: "Cursor", target: Target, gone: pa.Table, now: datetime) -> tuple[int, datetime]:
    """Move the stored rows of these keys to the revisions.

    Returns:
        How many, and when they were superseded: `now`, or a microsecond after the newest of them was recorded.
    """
    if gone.num_rows == 0:
        return 0, now
    stored = f"{target.table} AS t INNER JOIN {copy_frame(cursor, target.table, gone)} ON {same_key(target.key)}"
    cursor.execute(f"SELECT count(*), max(t.recorded_at) FROM {stored}")
    [(count, newest)] = cursor.fetchall()
    if not count:
        return 0, now
    now = max(now, newest + timedelta(microseconds=1))
    cursor.execute(f"INSERT INTO {target.revisions} SELECT t.*, '{now.isoformat()}'::timestamptz FROM {stored}")
    # `copy_frame` has left the keys in this table.
    cursor.execute(f"DELETE FROM {target.table} AS t USING pg_temp.incoming AS n WHERE {same_key(target.key)}")
    return int(count), now


def _not_stored(
    wave: pa.Table, key: Sequence[str], orders: Mapping[int, Order], since: pa.Table, kept: set[tuple[Any, ...]]
) -> pa.Table:
    """The rows of fetches that came after the stored version of their key, and older ones that are no old version yet.

    That a body said something else before is what makes a change known only with the body that shows it.
    """
    numbered = wave.select([*key, "fetch_id"]).append_column("position", pa.array(np.arange(wave.num_rows)))
    # Arrow joins columns of the same type alone, to the unit of a time.
    stored = since.cast(pa.schema([*(numbered.schema.field(name) for name in key), *list(since.schema)[len(key) :]]))
    joined = numbered.join(stored, keys=list(key), join_type="left outer")
    columns = (joined[name].to_pylist() for name in ("position", "fetch_id", "since", "stored"))
    said = list(zip(*(numbered[name].to_pylist() for name in (*key, "fetch_id")), strict=True))
    wanted = [
        n
        for n, id_, at, by in zip(*columns, strict=True)
        if at is None or orders[id_] > (at, by) or (id_ != by and said[n] not in kept)
    ]
    # A join gives its rows in any order.
    return wave.take(pa.array(sorted(wanted), pa.int64()))


def _kept(cursor: "Cursor", target: Target, keys: pa.Table) -> set[tuple[Any, ...]]:
    """Key and fetch of each old version of these keys."""
    frame = copy_frame(cursor, target.table, keys)
    names = ", ".join(f't."{name}"' for name in (*target.key, "fetch_id"))
    cursor.execute(f"SELECT {names} FROM {frame} INNER JOIN {target.revisions} AS t ON {same_key(target.key)}")
    found = cursor.fetch_arrow_table()
    return set(zip(*(found[name].to_pylist() for name in found.column_names), strict=True))


def _stored_since(cursor: "Cursor", target: Target, keys: pa.Table) -> pa.Table:
    """The stored keys with when, and by which fetch, their version came: `since` and `stored`."""
    frame = copy_frame(cursor, target.table, keys)
    names = ", ".join(f't."{name}"' for name in target.key)
    cursor.execute(
        f"SELECT {names}, f.fetched_at AS since, f.fetch_id AS stored FROM {frame} "
        f"CROSS JOIN LATERAL (SELECT * FROM {target.table} AS t WHERE {same_key(target.key)} LIMIT 1) AS t "
        "INNER JOIN rawsources.fetches AS f ON f.fetch_id = t.fetch_id"
    )
    return cursor.fetch_arrow_table()


def _related(
    cursor: "Cursor", kind: str, target: Target, fetches: Sequence[Fetch], since: datetime | None
) -> list[int]:
    """Other parsed fetches that may say the same keys, in fetch order.

    Those of the same symbol at the same venue where keys have a listing (a body's symbol agrees with the one given),
    those of the same source where ids are its own, else all that yield this kind.
    """
    where = f"f.protocol IN ({_literals(_protocols(kind))})"
    if since is not None:
        where += f" AND p.recorded_at >= '{since.isoformat()}'"
    if target.sourced:
        where += f" AND f.source IN ({_literals({fetch.source for fetch in fetches})})"
    if target.listed:
        venues = {fetch.given.get("venue", fetch.source) for fetch in fetches}
        symbols = [fetch.given.get("symbol") for fetch in fetches]
        where += f" AND coalesce(f.given->>'venue', f.source) IN ({_literals(venues)})"
        if None not in symbols:
            where += f" AND coalesce(f.given->>'symbol' IN ({_literals(map(str, symbols))}), true)"
    cursor.execute(
        "SELECT f.fetch_id FROM rawsources.fetches AS f INNER JOIN records.parses AS p USING (fetch_id) "
        f"WHERE p.outcome = 'parsed' AND NOT f.fetch_id = {any_of([fetch.fetch_id for fetch in fetches])} AND {where} "
        "ORDER BY f.fetched_at, f.fetch_id"
    )
    return [fetch_id for (fetch_id,) in cursor.fetchall()]


def _protocols(kind: str) -> list[str]:
    return [name for name in protocol_names() if _yields(name, kind)]


def _yields(protocol: str, kind: str) -> bool:
    try:
        return kind in load_protocol(protocol).kinds
    except ProtocolError:
        return False


def _literals(texts: Iterable[str]) -> str:
    # `IN ()` is no SQL, and `IN (NULL)` holds for no row.
    return ", ".join(sorted(Literal(text).as_string() for text in set(texts))) or "NULL"
