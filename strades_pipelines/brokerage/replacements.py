"""An order in the place of another: whether it may stand there, and how much is left for it to do.

Its size is what is to be done from its decision on. What the other one was filled since then, it does less.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order, Refusal, TradingDecision

REPLACED = """
    SELECT o.state, o.filled - coalesce(
        (
            SELECT max(e.filled) FROM trading.order_events AS e
            WHERE e.intent_id = o.intent_id AND e.recorded_at <= %s
        ), 0
    )
    FROM trading.orders AS o WHERE o.intent_id = %s
"""
OPEN_WITH_SIDE = """
    SELECT o.state, i.side, i.listing_id FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
    WHERE o.wallet = %s AND o.intent_id = %s
"""
SUCCESSORS = """
    SELECT 1 FROM trading.intents AS i INNER JOIN trading.orders AS o USING (intent_id)
    WHERE i.replaces = %s AND (o.filled > 0 OR o.state NOT IN ('rejected', 'cancelled', 'expired')) LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Replaced:
    """The order in whose place another is to stand: its state, and the units it was filled since the decision."""

    state: OrderState
    filled_since: Decimal


def replaced_by(connection: Connection, order: Order) -> Replaced | None:
    """What the order replaces; None where that is nothing."""
    if order.terms.replaces is None:
        return None
    row = connection.execute(REPLACED, [order.decided_at, order.terms.replaces]).fetchone()
    return None if row is None else Replaced(OrderState(row[0]), row[1])


def order_to_send(connection: Connection, order: Order) -> Order | None:
    """The order as it is sent: with as much less to do as the one it replaces was filled; None for nothing."""
    replaced = replaced_by(connection, order)
    if replaced is None:
        return order
    rest = order.quantity - replaced.filled_since
    done = replaced.state is OrderState.FILLED or rest <= 0
    return None if done else replace(order, quantity=rest)


def has_successor(connection: Connection, intent_id: str) -> bool:
    """Whether another order stands, or is to stand, in the place of this one."""
    return connection.execute(SUCCESSORS, [intent_id]).fetchone() is not None


def is_amendment(old: Order, new: Order) -> bool:
    """Whether the orders differ in size and prices only, which is what a venue changes in one request."""

    def kind(order: Order) -> tuple[object, ...]:
        terms = order.terms
        return order.listing_id, order.side, terms.order_type, terms.time_in_force, terms.auction, terms.reduce_only

    return kind(old) == kind(new)


def refusal_to_replace(connection: Connection, wallet: str, decision: TradingDecision) -> Refusal | None:
    """Why the decision's order may not stand in the place of the one it names; None where it may, or names none."""
    replaces = decision.request.terms.replaces if decision.request else None
    if replaces is None or decision.request is None:
        return None
    row = connection.execute(OPEN_WITH_SIDE, [wallet, replaces]).fetchone()
    side = "sell" if decision.request.quantity.is_signed() else "buy"  # NaN has a sign too; the gate refuses it
    if row is None:
        reason = f"wallet {wallet} has no order {replaces}"
    elif OrderState(row[0]).is_over:
        reason = f"order {replaces} is {row[0]}"
    elif row[1:] != (side, decision.listing_id):
        reason = f"order {replaces} is a {row[1]} of listing {row[2]}, not a {side} of {decision.listing_id}"
    elif has_successor(connection, replaces):
        reason = f"order {replaces} is being replaced by another one"
    else:
        return None
    return Refusal(decision.decision_id, "nothing_to_replace", reason)
