"""Which orders may be on their way to a venue at once: pure."""

from collections.abc import Sequence

from strades_pipelines.brokerage.order_book import OpenOrder
from strades_pipelines.market.order_terms import Order

# What is `submitting` when the process is killed waits for its look-up, and for the venue's grace.
BATCH = 32


def split_batch(orders: Sequence[OpenOrder]) -> tuple[Sequence[OpenOrder], Sequence[OpenOrder]]:
    """The first orders that may be sent in any order, and the rest.

    Args:
        orders: in the order in which they are to be sent.
    """
    count = next(
        (
            place
            for place, known in enumerate(orders)
            if place == BATCH or any(depends_on(known.order, before.order) for before in orders[:place])
        ),
        len(orders),
    )
    return orders[:count], orders[count:]


def depends_on(order: Order, before: Order) -> bool:
    """Whether an order must arrive after one that was planned before it.

    A parent comes before its exits, an order before the one in its place, what opens a position before what only
    reduces it, and a sale before the purchase that follows it: venues refuse to trade an account with itself.
    """
    terms, earlier = order.terms, before.terms
    if before.intent_id in (terms.parent_id, terms.replaces) or terms.replaces or earlier.replaces:
        return True
    if terms.group is not None and terms.group == earlier.group:
        return True
    is_same = order.listing_id == before.listing_id
    return is_same and (order.side != before.side or terms.reduce_only or earlier.reduce_only)
