"""Queries of any table of the registry: filtered by bound values, sorted by an index, paged by the last row's key."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from dashboard.gateway.reading import is_text
from dashboard.gateway.tables import Column, Table

HASHED_BYTES = 256 * 1024  # of larger ones only the size is said: to hash them would read them all
NATIVE = frozenset(
    [
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "real",
        "double precision",
        "boolean",
        "date",
        "timestamp with time zone",
    ]
)
TEXT = frozenset({"text", "character varying"})
OPERATORS = {"eq": "=", "lt": "<", "gt": ">", "contains": "contains", "missing": "is missing"}


# What is shown of an act to those who read it: not who else does, as who reported a message or muted a thread.
ACTS = sql.SQL("""(
    SELECT id_event, user_id, platform_id, event_type_id, value - 'readers' AS value, timestamp FROM ops.events
)""")


class RowsRefused(ValueError):
    """A filter, or a place in the pages, that this table does not have. `column` is None for a place."""

    def __init__(self, column: str | None) -> None:
        super().__init__(column)
        self.column = column


@dataclass(frozen=True)
class Filter:
    """A condition on a column: `operator` is a key of OPERATORS, `value` the text that the person wrote."""

    column: str
    operator: str
    value: str


@dataclass(frozen=True)
class Order:
    """The columns that rows are sorted by, which tell them apart."""

    columns: tuple[str, ...]
    is_descending: bool = False


def page_query(
    table: Table,
    filters: Sequence[Filter],
    order: Order | None,
    *,
    after: str = "",
    at: str = "",
    most: int,
    letters: int | None,
) -> tuple[sql.Composed, dict[str, Any]]:
    """A query of the rows behind the key `after`, or at the key `at`, and its parameters; the first column is the key.

    Args:
        letters: how much is read of a text; None for all of it.

    Raises:
        RowsRefused: a column or operator that is not there, or a place that is none.
    """
    conditions, parameters = [], {}
    for number, found in enumerate(filters):
        conditions.append(_condition(table, found, f"value_{number}"))
        parameters[f"value_{number}"] = found.value
    if order is not None and (after or at):
        sign = "=" if at else "<" if order.is_descending else ">"
        condition, places = _compare(table, order, sign, at or after)
        conditions.append(condition)
        parameters |= places
    query = sql.SQL("SELECT {key}, {columns} FROM {table} AS own{where}{order} LIMIT {most}").format(
        key=_key(order.columns) if order else sql.SQL("NULL"),
        columns=sql.SQL(", ").join(_shown(column, letters) for column in table.columns),
        table=_source(table),
        where=sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions) if conditions else sql.SQL(""),
        order=_order_by(order) if order else sql.SQL(""),
        most=sql.Literal(most),
    )
    return query, parameters


def _source(table: Table) -> sql.Composable:
    names = (table.relation.schema, table.relation.name)
    return ACTS if names == ("ops", "events") else sql.Identifier(*names)


def _condition(table: Table, found: Filter, name: str) -> sql.Composed:
    column = table.column(found.column)
    if column is None or found.operator not in OPERATORS or not is_text(found.value):
        raise RowsRefused(found.column)
    left, value = sql.Identifier(column.name), sql.Placeholder(name)
    if found.operator == "missing":
        return sql.SQL("{} IS NULL").format(left)
    if column.type == "bytea":
        if found.operator != "eq":
            raise RowsRefused(found.column)
        return sql.SQL("{} = decode({}, 'hex')").format(left, value)
    if found.operator == "contains":
        # Not LIKE: a `%` or `_` of the person's is a letter.
        return sql.SQL("strpos(lower({}::text), lower({}::text)) > 0").format(left, value)
    sign = sql.SQL(OPERATORS[found.operator])
    if _base(column) in NATIVE or _base(column) in TEXT or column.type == "uuid":
        # The value is cast, not the column, whose index serves.
        return sql.SQL("{} {} {}::{}").format(left, sign, value, sql.SQL(column.type))
    # JSON has no order: what is shown of it is compared.
    return sql.SQL("{}::text {} {}::text").format(left, sign, value)


def _compare(table: Table, order: Order, sign: str, key: str) -> tuple[sql.Composed, dict[str, Any]]:
    """The columns of an order compared with a key of it, and the parameters."""
    values = _parsed_key(order, key)
    types = {column.name: column.type for column in table.columns}
    places = {f"place_{number}": value for number, value in enumerate(values)}
    casts = [
        sql.SQL("{}::{}").format(sql.Placeholder(f"place_{number}"), sql.SQL(types[name]))
        for number, name in enumerate(order.columns)
    ]
    condition = sql.SQL("({}) {} ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, order.columns)),
        sql.SQL(sign),
        sql.SQL(", ").join(casts),
    )
    return condition, places


def _parsed_key(order: Order, key: str) -> list[str]:
    try:
        values = json.loads(key)
    except (ValueError, RecursionError):
        raise RowsRefused(None) from None
    is_place = isinstance(values, list) and len(values) == len(order.columns)
    if not is_place or not all(isinstance(value, str) and is_text(value) for value in values):
        raise RowsRefused(None)
    return list(values)


def _key(columns: tuple[str, ...]) -> sql.Composed:
    texts = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns]
    return sql.SQL("jsonb_build_array({})::text").format(sql.SQL(", ").join(texts))


def _order_by(order: Order) -> sql.Composed:
    # By the table's own columns: of a bare name PostgreSQL takes the column that is shown, a text that is cut or made
    # of another type, which no index has in order and keys are not compared by (13 million bars: 3 s and no answer).
    way = sql.SQL(" DESC" if order.is_descending else "")
    return sql.SQL(" ORDER BY ") + sql.SQL(", ").join(sql.Identifier("own", name) + way for name in order.columns)


def _shown(column: Column, letters: int | None) -> sql.Composed:
    name = sql.Identifier(column.name)
    if column.type == "bytea":
        return _bytes(column)
    if _base(column) in NATIVE:
        return sql.Composed([name])
    whole = sql.SQL("{}::text").format(name)
    cut = whole if letters is None else sql.SQL("left({}, {})").format(whole, sql.Literal(letters))
    return sql.SQL("{} AS {}").format(cut, name)


def _bytes(column: Column) -> sql.Composed:
    """Bytes are told by size and SHA-256; one that is a hash itself is shown as such."""
    name = sql.Identifier(column.name)
    if "sha256" in column.name or column.name.endswith("hash"):
        return sql.SQL("encode({}, 'hex') AS {}").format(name, name)
    query = (
        "octet_length({0}) || ' B' || CASE WHEN octet_length({0}) <= {1} "
        "THEN ', SHA-256 ' || encode(sha256({0}), 'hex') ELSE '' END AS {0}"
    )
    return sql.SQL(query).format(name, sql.Literal(HASHED_BYTES))


def _base(column: Column) -> str:
    """A type without its size: `numeric(20,8)` is numeric."""
    return column.type.partition("(")[0]
