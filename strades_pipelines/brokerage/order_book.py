"""The orders of a wallet in the database: what is planned, what happened to each, and when to ask about it again."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import Cursor
from psycopg.rows import namedtuple_row

from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import insert, intent_row, records, stored_terms
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order

ENDED = "('filled', 'cancelled', 'replaced', 'rejected', 'expired')"
ORDERS = """
    SELECT i.*, o.state, o.filled, o.reason, o.venue_order_id, a.attempts, a.next_attempt_at, c.requested_by,
        (
            SELECT max(e.recorded_at) FROM trading.order_events AS e
            WHERE e.intent_id = o.intent_id AND e.state = 'submitting'
        ) AS sent_at,
        d.order_request IS NULL AS is_for_target, d.strategy, d.trigger_kind = 'person' AS is_by_person
    FROM trading.orders AS o
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    LEFT JOIN trading.order_attempts AS a USING (intent_id)
    LEFT JOIN trading.cancel_requests AS c USING (decision_id)
"""
UNDER_WAY = f"""
    {ORDERS} WHERE o.wallet = %s AND o.state NOT IN {ENDED}
    ORDER BY i.intended_at, i.parent_id IS NOT NULL, d.ordinal, i.intent_id
"""
# An intent and its first event, which a trigger makes the order of; an intent that is there stays as it is.
PLAN = """
    WITH new AS (
        INSERT INTO trading.intents ({columns})
        SELECT {columns} FROM json_populate_recordset(NULL::trading.intents, %s)
        ON CONFLICT DO NOTHING RETURNING intent_id, recorded_at
    )
    INSERT INTO trading.order_events (intent_id, state, recorded_at) SELECT intent_id, 'planned', recorded_at FROM new
    RETURNING intent_id
"""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that is not over, or that its venue is asked about once more.

    Args:
        order: its whole quantity, of which `filled` units are done.
        venue_order_id: None until the venue has said that it has it.
        sent_at: when it was last sent, from which a venue's grace counts; None before it was.
        next_attempt_at: when to ask about it again; None where nothing speaks against asking now.
        cancel_requested_by: who wants it cancelled.
    """

    order: Order
    state: OrderState
    filled: Decimal
    reason: str | None
    venue_order_id: str | None
    sent_at: datetime | None
    send_before: datetime | None
    attempts: int
    next_attempt_at: datetime | None
    cancel_requested_by: str | None

    def is_due(self, now: datetime) -> bool:
        """Whether its venue may be asked about it."""
        return self.next_attempt_at is None or self.next_attempt_at <= now


def plan(
    connection: Connection, wallet: Wallet, orders: Sequence[tuple[Order, datetime]], *, now: datetime
) -> list[OpenOrder]:
    """Keep orders that are to be sent, each before a time; returns those that are new. Commits nothing."""
    rows = [intent_row(order, wallet.name, wallet.broker, now, send_before=before) for order, before in orders]
    if not rows:
        return []
    # An intent that was there already is another pass's: this one must not send it too.
    written = {row[0] for row in connection.execute(PLAN.format(columns=", ".join(rows[0])), [records(rows)])}
    return [
        OpenOrder(order, OrderState.PLANNED, Decimal(0), None, None, None, before, 0, None, None)
        for order, before in orders
        if order.intent_id in written
    ]


def open_orders(connection: Connection, wallet: Wallet) -> Iterator[OpenOrder]:
    """The orders that are not over, in the order in which they were planned; a parent before what waits for it."""
    return read_orders(wallet, ask_open_orders(connection, wallet))


def ask_open_orders(connection: Connection, wallet: Wallet) -> Cursor[Any]:
    """Ask for what `open_orders` reads: within a pipeline that costs no wait of its own."""
    return _ask(connection, UNDER_WAY, [wallet.name])


def orders_by_id(connection: Connection, wallet: Wallet, intent_ids: Sequence[str]) -> Iterator[OpenOrder]:
    """Some orders of a wallet, also ones that are over."""
    query = f"{ORDERS} WHERE o.wallet = %s AND o.intent_id = ANY(%s) ORDER BY o.intent_id"
    return _orders(connection, wallet, query, [wallet.name, list(intent_ids)])


def claim_orders(connection: Connection, wallet: Wallet, orders: Sequence[OpenOrder]) -> list[OpenOrder]:
    """Those of the orders whose state is still the same and that nobody else is at, locked and as they are now.

    In the order in which they were given; the lock ends with the transaction.
    """
    query = f"{ORDERS} WHERE o.wallet = %s AND o.intent_id = ANY(%s) FOR UPDATE OF o SKIP LOCKED"
    ids = [known.order.intent_id for known in orders]
    free = {known.order.intent_id: known for known in _orders(connection, wallet, query, [wallet.name, ids])}
    found = [(known, free.get(known.order.intent_id)) for known in orders]
    # A state that changed meanwhile is another process's work: its next pass reads it.
    return [now for known, now in found if now is not None and now.state is known.state]


def _ask(connection: Connection, query: str, parameters: list[Any]) -> Cursor[Any]:
    return connection.cursor(row_factory=namedtuple_row).execute(query, parameters)


def _orders(connection: Connection, wallet: Wallet, query: str, parameters: list[Any]) -> Iterator[OpenOrder]:
    return read_orders(wallet, _ask(connection, query, parameters))


def read_orders(wallet: Wallet, asked: Cursor[Any]) -> Iterator[OpenOrder]:
    """The orders that `ask_open_orders` asked for."""
    index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}
    for row in asked.fetchall():
        terms = replace(stored_terms(row), replaces=row.replaces)
        order = Order(
            row.intent_id,
            row.decision_id,
            index[row.listing_id],
            row.listing_id,
            row.side,
            row.quantity,
            row.intended_at,
            Decimal(0),
            terms,
            row.is_for_target,
            row.strategy,
            row.is_by_person,
        )
        yield OpenOrder(
            order,
            OrderState(row.state),
            row.filled,
            row.reason,
            row.venue_order_id,
            row.sent_at,
            row.send_before,
            row.attempts or 0,
            row.next_attempt_at,
            row.requested_by,
        )


def postpone(connection: Connection, intent_id: str, *, now: datetime, wait: timedelta | None = None) -> None:
    """Ask about the order again after `wait`, by default twice as long as the last time. Commits nothing."""
    # `least(..., 20)`: the power of many attempts is beyond what an interval holds.
    connection.execute(
        """
        INSERT INTO trading.order_attempts AS a (intent_id, attempts, attempted_at, next_attempt_at)
        VALUES (%(intent)s, 1, %(now)s, %(now)s::timestamptz + %(first)s)
        ON CONFLICT (intent_id) DO UPDATE SET attempts = a.attempts + 1, attempted_at = EXCLUDED.attempted_at,
            next_attempt_at = EXCLUDED.attempted_at
                + coalesce(%(wait)s, least(%(longest)s, %(first)s * power(2, least(a.attempts, 20))))
        """,
        {
            "intent": intent_id,
            "now": now,
            "wait": wait,
            "first": FIRST_WAIT if wait is None else wait,
            "longest": LONGEST_WAIT,
        },
    )


def settle_attempts(connection: Connection, intent_id: str) -> None:
    """The venue has answered: the next question is as free as the first. Commits nothing."""
    connection.execute("DELETE FROM trading.order_attempts WHERE intent_id = %s", [intent_id])


def make_due(connection: Connection, intent_ids: Collection[str]) -> None:
    """Have the venue asked about these orders now, whatever it did not answer before. Commits nothing.

    One that was never sent is left: it waits because its venue took no more.
    """
    connection.execute(
        """
        DELETE FROM trading.order_attempts AS a USING trading.orders AS o
        WHERE a.intent_id = o.intent_id AND o.state <> 'planned' AND a.intent_id = ANY(%s)
        """,
        [list(intent_ids)],
    )


def cancellable(connection: Connection, decision_ids: Sequence[str]) -> list[str]:
    """Those of the decisions whose order is not over, or not planned yet, and that nobody has cancelled."""
    rows = connection.execute(
        f"""
        SELECT d.decision_id FROM signals.decisions AS d
        LEFT JOIN trading.intents AS i USING (decision_id)
        LEFT JOIN trading.orders AS o USING (intent_id)
        WHERE d.decision_id = ANY(%s) AND (d.is_pending OR o.state NOT IN {ENDED})
            AND NOT EXISTS (SELECT FROM trading.cancel_requests AS c WHERE c.decision_id = d.decision_id)
        ORDER BY d.decided_at, d.ordinal
        """,
        [list(decision_ids)],
    )
    return [decision_id for (decision_id,) in rows]


def cancels_ended_since(connection: Connection, wallet: Wallet, since: datetime) -> dict[int, datetime]:
    """By listing, when the last of its orders that were being cancelled was over, if after `since`."""
    rows = connection.execute(
        f"""
        SELECT i.listing_id, max(o.updated_at)
        FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
        WHERE o.wallet = %s AND o.updated_at > %s AND o.state IN {ENDED}
            AND (
                EXISTS (SELECT FROM trading.cancel_requests AS c WHERE c.decision_id = i.decision_id)
                OR EXISTS (
                    SELECT FROM trading.order_events AS e WHERE e.intent_id = o.intent_id AND e.state = 'cancelling'
                )
            )
        GROUP BY i.listing_id
        """,
        [wallet.name, since],
    )
    return dict(rows.fetchall())


def request_cancel(connection: Connection, decision_id: str, *, by: str, at: datetime, now: datetime) -> bool:
    """Keep that an order is no longer wanted; returns whether that is new. Commits nothing."""
    row = {"decision_id": decision_id, "requested_at": at, "requested_by": by, "recorded_at": now}
    return insert(connection, "trading.cancel_requests", row)
