"""The registry of the data manager: tables and views of the layers, as the database's catalogue has them.

Only schemas of this list, and of them what the dashboard's role may read: accounts and sessions are in none of them.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from psycopg import sql

from dashboard.gateway.descriptions import Description, describe_tables
from dashboard.gateway.reading import read, read_one

LAYERS = (
    "rawsources",
    "records",
    "staging",
    "cleaned",
    "marts",
    "features",
    "predictions",
    "signals",
    "trading",
    "results",
    "ops",
)
# When a row was stored or known: the first of these that a table has tells how fresh it is.
FRESHNESS = (
    "recorded_at",
    "fetched_at",
    "updated_at",
    "known_at",
    "knowledge_time",
    "decided_at",
    "filled_at",
    "requested_at",
    "finished_at",
    "marked_at",
    "time_gmt",
    "timestamp",
    "time",
)
# New rows go to the last pages: to read these few takes a millisecond, a table of any size none more.
LAST_PAGES = 8
RELATIONS = """
    SELECT n.nspname AS schema, c.relname AS name, c.relkind IN ('v', 'm') AS is_view,
        pg_get_userbyid(c.relowner)::text AS owner,
        obj_description(c.oid, 'pg_class') AS comment,
        stored.estimate, coalesce(stored.parts, '{}') AS parts,
        coalesce(stored.pages, '{}') AS pages, stored.size,
        coalesce((
            SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_index AS i
            CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
            INNER JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
            WHERE i.indrelid = c.oid AND i.indisprimary
        ), '{}') AS key,
        coalesce((
            SELECT array_agg(a.attname::text) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.atttypid = 'timestamptz'::regtype AND a.attnum > 0 AND NOT a.attisdropped
        ), '{}') AS times,
        coalesce((
            SELECT array_agg(to_char(m.month, 'YYYY-MM') ORDER BY m.month) FROM records.cold_months AS m
            WHERE m.relation = n.nspname || '.' || c.relname
        ), '{}') AS cold_months
    FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(part.reltuples) FILTER (WHERE part.reltuples >= 0), -1)::bigint AS estimate,
            array_agg(part.relname::text) AS parts,
            array_agg((pg_relation_size(part.oid) / current_setting('block_size')::int)::int) AS pages,
            sum(pg_total_relation_size(part.oid))::bigint AS size
        FROM pg_class AS part
        WHERE part.relkind = 'r'
            AND (part.oid = c.oid OR part.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = c.oid))
    ) AS stored
    WHERE c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition AND n.nspname = ANY(%(layers)s)
        AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
"""
COLUMNS = """
    SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS is_required
    FROM pg_attribute AS a
    WHERE a.attrelid = to_regclass(%(relation)s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
# Indexes that rows can be sorted by: whole ones, of columns. `attnotnull` is asked of each by the caller.
INDEXES = """
    SELECT array_agg(a.attname::text ORDER BY k.place) AS columns, i.indisunique AS is_unique,
        bool_and(a.attnotnull) AS is_required
    FROM pg_index AS i
    INNER JOIN pg_class AS c ON c.oid = i.indexrelid
    INNER JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
    INNER JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE i.indrelid = to_regclass(%(relation)s) AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indisvalid
        AND k.place <= i.indnkeyatts
    GROUP BY i.indexrelid, i.indisunique, i.indisprimary ORDER BY i.indisprimary DESC, i.indexrelid
"""


@dataclass(frozen=True)
class Relation:
    """A table or view. `estimate` is PostgreSQL's own count of rows, -1 where it has none; `size` in bytes.

    `parts` are the names of its partitions, of a table without any its own, and `pages` how many each has.
    `cold_months` (2026-01) are those whose rows are in the cold store, ascending.
    """

    schema: str
    name: str
    is_view: bool
    owner: str
    comment: str | None
    estimate: int
    parts: list[str]
    pages: list[int]
    size: int | None
    key: list[str]
    times: list[str]
    cold_months: list[str] = field(default_factory=list)
    said: Description = field(default_factory=Description)

    @property
    def full_name(self) -> str:
        """`schema.table`."""
        return f"{self.schema}.{self.name}"

    @property
    def description(self) -> str | None:
        """In words; the comments of dbt's tables hold a hash for dbt itself."""
        comment = self.comment if self.owner != "strades_dbt" else None
        return comment or self.said.text

    @property
    def grain(self) -> list[str]:
        """The columns that tell its rows apart: the primary key, or what dbt tests of a view; empty where unknown."""
        return self.key or list(self.said.grain)

    @property
    def freshness_column(self) -> str | None:
        """The column that says when its rows came, or None."""
        return next((name for name in FRESHNESS if name in self.times), None)


@dataclass(frozen=True)
class Column:
    """A column with its PostgreSQL type."""

    name: str
    type: str
    is_required: bool
    description: str | None = None


@dataclass(frozen=True)
class Table:
    """A relation with its columns, and the lists of columns that its rows can be sorted by."""

    relation: Relation
    columns: list[Column]
    orders: list[tuple[str, ...]]

    def column(self, name: str) -> Column | None:
        """The column of a name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class _Index:
    columns: list[str]
    is_unique: bool
    is_required: bool


@dataclass(frozen=True)
class _Newest:
    relation: str
    newest: datetime


def read_relations() -> list[Relation]:
    """Every table and view of the layers that may be read, layer by layer. One query."""
    said = describe_tables()
    relations = [_described(found, said) for found in read(Relation, RELATIONS, layers=list(LAYERS))]
    return sorted(relations, key=lambda found: (LAYERS.index(found.schema), found.name))


def read_freshness(relations: list[Relation]) -> dict[str, datetime]:
    """The newest time in the last pages of each table that has one: at least so new is it. One query."""
    parts = [part for found in relations if found.freshness_column for part in _newest(found, found.freshness_column)]
    if not parts:
        return {}
    query = sql.SQL(" UNION ALL ").join(parts).as_string(None)
    found = f"SELECT relation, max(newest) AS newest FROM ({query}) AS parts GROUP BY 1 HAVING max(newest) IS NOT NULL"
    return {row.relation: row.newest for row in read(_Newest, found)}


def read_table(schema: str, name: str) -> Table | None:
    """A table of the registry with its columns, or None. Three queries."""
    # PostgreSQL takes no text with a NUL.
    if schema not in LAYERS or "\0" in name:
        return None
    found = read_one(Relation, RELATIONS + " AND c.relname = %(name)s", layers=[schema], name=name)
    if found is None:
        return None
    relation = _described(found, describe_tables())
    quoted = sql.Identifier(schema, name).as_string(None)
    columns = [
        Column(column.name, column.type, column.is_required, relation.said.columns.get(column.name))
        for column in read(Column, COLUMNS, relation=quoted)
    ]
    orders = _orders(relation, columns, read(_Index, INDEXES, relation=quoted))
    return Table(relation, columns, orders)


def _orders(relation: Relation, columns: list[Column], indexes: list[_Index]) -> list[tuple[str, ...]]:
    """The keys of the pages: each index, made unique by the grain. None where rows cannot be told apart."""
    # A NULL compares with nothing: no page would go on behind it.
    usable = [index for index in indexes if index.is_required]
    is_there = set(relation.grain) <= {column.name for column in columns}  # dbt's project may be newer than its view
    grain = (relation.grain if is_there else []) or next((index.columns for index in usable if index.is_unique), [])
    if not grain:
        return []
    orders = [tuple(grain)]
    orders += [(*index.columns, *(name for name in grain if name not in index.columns)) for index in usable]
    return list(dict.fromkeys(orders))


def _described(found: Relation, said: dict[str, Description]) -> Relation:
    return replace(found, said=said.get(found.full_name, Description()))


def _newest(relation: Relation, column: str) -> list[sql.Composed]:
    if relation.is_view:
        return []
    # A time that Python cannot hold, such as `infinity`, tells nothing of freshness.
    query = (
        "SELECT {full} AS relation, "
        "max({column}) FILTER (WHERE {column} BETWEEN '0002-01-01' AND '9998-01-01') AS newest"
        " FROM {table} WHERE ctid >= {first}::tid"
    )
    return [
        sql.SQL(query).format(
            full=sql.Literal(relation.full_name),
            column=sql.Identifier(column),
            table=sql.Identifier(relation.schema, part),
            first=sql.Literal(f"({max(pages - LAST_PAGES, 0)},0)"),
        )
        for part, pages in zip(relation.parts, relation.pages, strict=True)
    ]
