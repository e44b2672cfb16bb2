"""The rows of the signals and trading tables, the same whether they come one by one or as frames."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from strades_pipelines.market.books import Books
from strades_pipelines.market.events import Fill
from strades_pipelines.market.ledger import Line, plain
from strades_pipelines.market.orders import Order, Refusal, TradingDecision

Row = dict[str, Any]


def decision_row(decision: TradingDecision, now: datetime) -> Row:
    """A row of signals.decisions."""
    return {
        "decision_id": decision.decision_id,
        "wallet": decision.wallet,
        "strategy": decision.strategy,
        "listing_id": decision.listing_id,
        "decided_at": decision.decided_at,
        "trigger_kind": decision.trigger_kind,
        "trigger_id": decision.trigger_id,
        "ordinal": decision.ordinal,
        "previous_target": decision.previous_target,
        "target": decision.target,
        "reason": decision.reason,
        "inputs": to_json(decision.inputs),
        "recorded_at": now,
    }


def intent_row(order: Order, wallet: str, now: datetime) -> Row:
    """A row of trading.intents."""
    return {
        "intent_id": order.intent_id,
        "decision_id": order.decision_id,
        "wallet": wallet,
        "listing_id": order.listing_id,
        "leg": 0,
        "side": order.side,
        "quantity": plain(order.quantity),
        "order_type": "market",
        "intended_at": order.decided_at,
        "recorded_at": now,
    }


def refusal_row(refusal: Refusal, wallet: str, now: datetime) -> Row:
    """A row of trading.refusals."""
    return {
        "decision_id": refusal.decision_id,
        "wallet": wallet,
        "code": refusal.code,
        "detail": refusal.detail,
        "recorded_at": now,
    }


def fill_row(fill: Fill, wallet: str, now: datetime) -> Row:
    """A row of trading.fills."""
    return {
        "fill_id": fill.content_id,
        "intent_id": fill.intent_id,
        "wallet": wallet,
        "listing_id": fill.listing_id,
        "side": fill.side,
        "quantity": plain(fill.quantity),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "currency": fill.currency,
        "filled_at": fill.filled_at,
        "known_at": fill.knowledge_time,
        "bar_interval": fill.bar_interval,
        "bar_open_time": fill.bar_open_time,
        "recorded_at": now,
    }


def line_row(line: Line, wallet: str) -> Row:
    """A row of trading.ledger."""
    return {
        "wallet": wallet,
        "sequence": line.sequence,
        "kind": line.entry.kind,
        "reference": line.entry.reference,
        "occurred_at": line.entry.occurred_at,
        "currency": line.entry.currency,
        "amount": plain(line.entry.amount),
        "balance": plain(line.balance),
        "previous_hash": line.previous_hash,
        "hash": line.hash,
    }


def position_row(books: Books, listing_id: int, wallet: str, at: datetime) -> Row:
    """A row of trading.positions."""
    position = books.positions[listing_id]
    return {
        "wallet": wallet,
        "listing_id": listing_id,
        "quantity": plain(position.quantity),
        "average_price": plain(position.average_price),
        "updated_at": at,
    }


def cash_row(books: Books, wallet: str, currency: str, at: datetime) -> Row:
    """A row of trading.cash."""
    return {"wallet": wallet, "currency": currency, "balance": plain(books.cash), "updated_at": at}


def to_json(value: Mapping[str, Any]) -> str:
    """JSON text, the same for equal values."""
    return json.dumps(value, sort_keys=True, allow_nan=False)


def frame(rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table; a column without a single value becomes text, which the bulk load casts."""
    table = pa.Table.from_pylist(list(rows))
    fields = [pa.field(field.name, pa.string()) if pa.types.is_null(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))


def insert(connection: "psycopg.Connection[Any]", table: str, row: Row, *, replace: Sequence[str] = ()) -> bool:
    """Insert one row of `schema.table`; returns whether it was written. Commits nothing.

    Args:
        replace: the key columns over which a row that is there is replaced; without it such a row stays as it is.
    """
    names = [sql.Identifier(name) for name in row]
    action: sql.Composable = sql.SQL("ON CONFLICT DO NOTHING")
    if replace:
        updates = [sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in row if name not in replace]
        keys = sql.SQL(", ").join(map(sql.Identifier, replace))
        action = sql.SQL("ON CONFLICT ({}) DO UPDATE SET {}").format(keys, sql.SQL(", ").join(updates))
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) {}").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(names),
        sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        action,
    )
    return connection.execute(statement, list(row.values())).rowcount == 1
