"""Orders that hang on each other where their venue does not keep them together: brackets, one-cancels-other."""

from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order

FILLED_IN_GROUP = """
    SELECT 1 FROM trading.intents AS i INNER JOIN trading.orders AS o USING (intent_id)
    WHERE i.wallet = %s AND i.order_group = %s AND i.intent_id <> %s AND o.filled > 0 LIMIT 1
"""


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
