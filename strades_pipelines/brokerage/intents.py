"""From decisions to intents: the newest of each listing goes through the risk gate; every other gets its reason."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.portfolio import Wallet, load_books
from strades_pipelines.brokerage.prices import Connection, last_closes
from strades_pipelines.brokerage.rows import insert, intent_row, refusal_row
from strades_pipelines.brokerage.standings import CODE, Standings, read_standings
from strades_pipelines.market.books import Books
from strades_pipelines.market.fees import percent_fee
from strades_pipelines.market.orders import Order, Refusal, TradingDecision
from strades_pipelines.market.risk import GateError, gate
from strades_pipelines.strategy.events import microseconds

PENDING = """
    SELECT wallet, strategy, listing_id, decided_at, trigger_kind, trigger_id, ordinal, previous_target, target,
        reason, inputs
    FROM signals.decisions AS d
    WHERE wallet = %s AND decided_at <= %s
        AND NOT EXISTS (SELECT 1 FROM trading.intents AS i WHERE i.decision_id = d.decision_id)
        AND NOT EXISTS (SELECT 1 FROM trading.refusals AS r WHERE r.decision_id = d.decision_id)
    ORDER BY decided_at, array_position(ARRAY['bar', 'prediction', 'fill', 'timer'], trigger_kind), trigger_id, ordinal
"""
UNDER_WAY = """
    SELECT i.intent_id, i.decision_id, i.listing_id, i.side, i.quantity - coalesce(f.done, 0), i.intended_at,
        o.state IS NULL OR o.state IN ('submitting', 'unknown')
    FROM trading.intents AS i
    LEFT JOIN trading.orders AS o USING (intent_id)
    LEFT JOIN (
        SELECT intent_id, sum(quantity) AS done FROM trading.fills WHERE wallet = %(wallet)s GROUP BY intent_id
    ) AS f USING (intent_id)
    WHERE i.wallet = %(wallet)s AND (o.state IS NULL OR o.state IN ('submitting', 'unknown', 'open'))
    ORDER BY i.intended_at, i.intent_id
"""


def intend(connection: Connection, wallet: Wallet, *, now: datetime) -> tuple[list[Order], list[Refusal]]:
    """Make intents of the decisions that are due, and refusals of those that never will be. Commits nothing.

    A decision waits while an order of its listing is unsettled (unsent, or unknown to us): its size depends on that.
    """
    prices = last_closes(connection, wallet.listings, interval=wallet.interval, known_at=now)
    books, unsettled = books_with_orders(connection, wallet, prices)
    newest = _newest_intents(connection, wallet)
    with connection.cursor() as cursor:
        standings = read_standings(cursor, wallet.new_strategy().models)
    orders: list[Order] = []
    refusals: list[Refusal] = []
    for decision, later in _with_successors(_pending(connection, wallet, now)):
        if later is None and newest.get(decision.listing_id, decision.decided_at) > decision.decided_at:
            later = "an intent"
        if later is None and decision.listing_id in unsettled:
            continue
        outcome: Order | Refusal
        if later is not None:
            outcome = Refusal(decision.decision_id, "superseded", f"{later} for the same listing is newer")
        else:
            listing = wallet.listings[decision.i]
            held_back = _held_back(standings, decision)
            outcome = gate(
                decision, listing, books, prices=prices, now=now, limits=wallet.limits, seen=(), held_back=held_back
            )
        if isinstance(outcome, Refusal):
            insert(connection, "trading.refusals", refusal_row(outcome, wallet.name, now))
            refusals.append(outcome)
        elif insert(connection, "trading.intents", intent_row(outcome, wallet.name, now)):
            books.open_orders[outcome.intent_id] = outcome
            orders.append(outcome)
    return orders, refusals


def _held_back(standings: Standings, decision: TradingDecision) -> GateError | None:
    """Why a decision may make no position larger: its model's newest standing when it was made."""
    worse = standings.worse(microseconds(decision.decided_at))
    return GateError(CODE, worse.detail) if worse else None


def books_with_orders(
    connection: Connection, wallet: Wallet, prices: Mapping[int, Decimal]
) -> tuple[Books, dict[int, list[Order]]]:
    """The wallet's books with all that is under way, at its worst, and the unsettled orders by listing."""
    books = load_books(connection, wallet)
    unsettled: dict[int, list[Order]] = {}
    index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}
    rows = connection.execute(UNDER_WAY, {"wallet": wallet.name})
    for intent_id, decision_id, listing_id, side, quantity, decided_at, is_unsettled in rows:
        price = prices.get(listing_id, Decimal(0)) if side == "buy" else Decimal(0)
        reserved = quantity * price + percent_fee(quantity, price, wallet.fee_rate)
        order = Order(intent_id, decision_id, index[listing_id], listing_id, side, quantity, decided_at, reserved)
        books.open_orders[intent_id] = order
        if is_unsettled:
            unsettled.setdefault(listing_id, []).append(order)
    return books, unsettled


def _pending(connection: Connection, wallet: Wallet, now: datetime) -> list[TradingDecision]:
    index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}
    rows = connection.execute(PENDING, [wallet.name, now]).fetchall()
    return [TradingDecision(name, strategy, index[listing], listing, *rest) for name, strategy, listing, *rest in rows]


def _with_successors(pending: list[TradingDecision]) -> Iterator[tuple[TradingDecision, str | None]]:
    """Each decision, and the id of the newest one for its listing where that is another."""
    newest = {decision.listing_id: decision.decision_id for decision in pending}
    for decision in pending:
        last = newest[decision.listing_id]
        yield decision, None if last == decision.decision_id else f"decision {last}"


def _newest_intents(connection: Connection, wallet: Wallet) -> dict[int, datetime]:
    query = "SELECT listing_id, max(intended_at) FROM trading.intents WHERE wallet = %s GROUP BY listing_id"
    return dict(connection.execute(query, [wallet.name]).fetchall())
