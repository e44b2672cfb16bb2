"""Orders that hang on each other where their venue does not keep them together: brackets, one-cancels-other."""

from decimal import Decimal

from strades_pipelines.brokerage.holdings import held_units
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.limits import is_exit
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order

FILLED_IN_GROUP = """
    SELECT 1 FROM trading.intents AS i INNER JOIN trading.orders AS o USING (intent_id)
    WHERE i.wallet = %s AND i.order_group = %s AND i.intent_id <> %s AND o.filled > 0 LIMIT 1
"""

PARENT_OF_EXIT = """
    SELECT CASE i.side WHEN 'buy' THEN i.quantity ELSE -i.quantity END, o.state, o.filled, i.reduce_only
    FROM trading.intents AS i INNER JOIN trading.orders AS o USING (intent_id) WHERE i.intent_id = %s
"""


def is_exit_now(connection: Connection, wallet: Wallet, order: Order) -> bool:
    """Whether an order only reduces, makes what is held now smaller, or closes what its parent opens."""
    if order.terms.reduce_only:
        return True
    held = held_units(connection, wallet, order.listing_id)
    return is_exit(held, order.signed) or _is_exit_of_parent(connection, order, held)


def _is_exit_of_parent(connection: Connection, order: Order, held: Decimal) -> bool:
    """Whether an order is no larger than its parent, and against what is held once that is done."""
    row = connection.execute(PARENT_OF_EXIT, [order.terms.parent_id]).fetchone()
    if row is None:
        return False
    entry, state, filled, is_reducing = row
    after = held if OrderState(state).is_over or is_reducing else held + entry - filled.copy_sign(entry)
    # No larger than its parent: the child of a small entry could otherwise pass every limit in the name of an exit.
    return entry * order.signed < 0 and order.quantity <= abs(entry) and after * order.signed < 0


def is_cancelled_by_group(connection: Connection, wallet: str, order: Order) -> bool:
    """Whether another order of its group was filled, of which one cancels the others."""
    if order.terms.group is None:
        return False
    query = [wallet, order.terms.group, order.intent_id]
    return connection.execute(FILLED_IN_GROUP, query).fetchone() is not None


def waits_for_parent(connection: Connection, order: Order) -> bool:
    """Whether its parent is under way and nothing of it is filled yet."""
    parent = _parent(connection, order)
    return parent is not None and parent[1] == 0 and not parent[0].is_over


def has_lost_parent(connection: Connection, order: Order) -> bool:
    """Whether its parent is over and nothing of it was filled."""
    parent = _parent(connection, order)
    return parent is not None and parent[1] == 0 and parent[0].is_over


def _parent(connection: Connection, order: Order) -> tuple[OrderState, int] | None:
    if order.terms.parent_id is None:
        return None
    row = connection.execute(
        "SELECT state, filled FROM trading.orders WHERE intent_id = %s", [order.terms.parent_id]
    ).fetchone()
    return None if row is None else (OrderState(row[0]), row[1])
