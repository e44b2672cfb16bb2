"""The rows of the signals and trading tables, the same whether they come one by one or as frames."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Position
from strades_pipelines.market.ledger_chain import Line, plain
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order, OrderRequest, OrderTerms, Refusal, TradingDecision
from strades_pipelines.system.secret_values import masked, masked_bytes

Row = dict[str, Any]
PRICES = ("limit", "stop", "trail")


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
        "order_request": to_json(request_to_json(decision.request)) if decision.request else None,
        "recorded_at": now,
    }


def request_to_json(request: OrderRequest) -> dict[str, Any]:
    """An order request as signals.decisions keeps it: exact numbers as text, and only the terms it has."""
    terms = {name: value for name, value in asdict(request.terms).items() if value is not None}
    return {"quantity": plain(request.quantity)} | {
        name: plain(value) if isinstance(value, Decimal) else value for name, value in terms.items()
    }


def request_from_json(stored: Mapping[str, Any]) -> OrderRequest:
    """The order request that `request_to_json` made."""
    terms: dict[str, Any] = {
        name: Decimal(value) if name in PRICES else value for name, value in stored.items() if name != "quantity"
    }
    return OrderRequest(Decimal(stored["quantity"]), OrderTerms(**terms))


def stored_terms(row: Any) -> OrderTerms:
    """The terms of a row of trading.intents or trading.paper_venue_orders, but for what an order replaces."""
    return OrderTerms(
        limit=row.limit_price,
        stop=row.stop_price,
        trail=row.trail,
        time_in_force=row.time_in_force,
        auction=row.auction,
        reduce_only=row.reduce_only,
        group=row.order_group,
        parent_id=row.parent_id,
    )


def intent_row(order: Order, wallet: str, broker: str, now: datetime, *, send_before: datetime | None = None) -> Row:
    """A row of trading.intents.

    Args:
        broker: whom it is sent to.
        send_before: when it is too old to be sent; None where it is filled in a replay.
    """
    terms = order.terms
    return {
        "intent_id": order.intent_id,
        "decision_id": order.decision_id,
        "wallet": wallet,
        "listing_id": order.listing_id,
        "leg": 0,
        "side": order.side,
        "quantity": plain(order.quantity),
        "order_type": terms.order_type,
        "broker": broker,
        "limit_price": _plain(terms.limit),
        "stop_price": _plain(terms.stop),
        "trail": _plain(terms.trail),
        "time_in_force": terms.time_in_force,
        "auction": terms.auction,
        "reduce_only": terms.reduce_only,
        "order_group": terms.group,
        "parent_id": terms.parent_id,
        "replaces": terms.replaces,
        "intended_at": order.decided_at,
        "send_before": send_before,
        "recorded_at": now,
    }


def order_event_row(
    intent_id: str,
    state: OrderState,
    now: datetime,
    *,
    sequence: int | None = None,
    filled: Decimal | None = None,
    venue_order_id: str | None = None,
    venue_time: datetime | None = None,
    reason: str | None = None,
    message: bytes | None = None,
) -> Row:
    """A row of trading.order_events; sequence and filled are the next and the same where they are None.

    A venue may repeat our keys: they are masked in what is kept of its words.
    """
    return {
        "intent_id": intent_id,
        "sequence": sequence,
        "state": state.value,
        "filled": _plain(filled),
        "venue_order_id": venue_order_id,
        "venue_time": venue_time,
        "reason": None if reason is None else printable(masked(reason)),
        "message": None if message is None else masked_bytes(message),
        "recorded_at": now,
    }


def printable(text: str) -> str:
    """A venue's words as a column can keep them: it has no room for NUL, nor for halves of letters."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def refusal_row(refusal: Refusal, wallet: str, now: datetime) -> Row:
    """A row of trading.refusals."""
    return {
        "decision_id": refusal.decision_id,
        "wallet": wallet,
        "code": refusal.code,
        "detail": printable(refusal.detail),
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
        "fee_currency": fill.fee_currency,
        "fee_in_units": fill.fee_in_units,
        "fee_value": _plain(fill.fee_value),
        "venue_fill_id": fill.venue_fill_id,
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


def position_row(wallet: str, listing_id: int, position: Position, at: datetime) -> Row:
    """A row of trading.positions."""
    return {
        "wallet": wallet,
        "listing_id": listing_id,
        "quantity": plain(position.quantity),
        "average_price": plain(position.average_price),
        "cost": plain(position.cost),
        "realised": plain(position.realised),
        "updated_at": at,
    }


def cash_row(wallet: str, currency: str, balance: Decimal, at: datetime) -> Row:
    """A row of trading.cash."""
    return {"wallet": wallet, "currency": currency, "balance": plain(balance), "updated_at": at}


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


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
    statement = _insert_statement(table, tuple(row), tuple(replace))
    # Within a pipeline the count of rows is not there yet, and what is returned is waited for.
    return connection.execute(statement, list(row.values())).fetchone() is not None


def insert_many(connection: "psycopg.Connection[Any]", table: str, new: Sequence[Row]) -> None:
    """Insert rows with the same columns, in their order, by one statement; what is there stays. Commits nothing."""
    if new:
        connection.execute(_insert_records(table, tuple(new[0])), [records(new)])


def records(rows: Sequence[Row]) -> str:
    """Rows as what PostgreSQL's `json_populate_recordset` reads: one parameter, however many rows."""
    return json.dumps(rows, default=_json_value, allow_nan=False)


def _json_value(value: object) -> str:
    """A day, a time or bytes as PostgreSQL reads them from text."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    raise TypeError(f"expected a value of a row, was {value!r}")


# Composing a statement takes longer than to run it, and there are few.
@cache
def _insert_statement(table: str, names: tuple[str, ...], replace: tuple[str, ...]) -> bytes:
    action: sql.Composable = sql.SQL("ON CONFLICT DO NOTHING")
    if replace:
        updates = [sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in names if name not in replace]
        action = sql.SQL("ON CONFLICT ({}) DO UPDATE SET {}").format(_columns(replace), sql.SQL(", ").join(updates))
    return (
        sql.SQL("INSERT INTO {} ({}) VALUES ({}) {} RETURNING true")
        .format(
            sql.Identifier(*table.split(".")),
            _columns(names),
            sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            action,
        )
        .as_bytes()
    )


@cache
def _insert_records(table: str, names: tuple[str, ...]) -> bytes:
    return (
        sql.SQL("INSERT INTO {0} ({1}) SELECT {1} FROM json_populate_recordset(NULL::{0}, %s) ON CONFLICT DO NOTHING")
        .format(sql.Identifier(*table.split(".")), _columns(names))
        .as_bytes()
    )


def _columns(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
