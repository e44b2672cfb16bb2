"""Stops that Strades watches where their venue cannot: they are sent when a bar has touched their price.

A venue may have no stops, or no trailing ones. And where it does not cancel one exit of a position for the other, it
sets the units aside for the first and rejects the second (Alpaca's "held for orders", Gate.io's locked balance): so
there a stop that belongs to a group is kept back too, and only the other exit works at the venue.

Where a trailing stop stands is not kept: all bars since it became active say it, so a restart changes nothing.
"""

from dataclasses import replace
from datetime import datetime

from strades_pipelines.brokerage.brokers.venue import VenueBroker
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, bar_table, of_interval
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order

# An exit of a bracket is active from its entry's first fill on, and a trailing one starts at that price.
ENTRY = """
    SELECT filled_at, price::double precision FROM trading.fills WHERE intent_id = %s
    ORDER BY filled_at, fill_id LIMIT 1
"""
LAST_CLOSE = """
    SELECT close::double precision FROM {bars} WHERE listing_id = %(listing)s AND {interval}
        AND close_time <= %(since)s AND knowledge_time <= %(now)s ORDER BY open_time DESC LIMIT 1
"""
# A trailing stop stays behind the best price of the bars before; within a bar nobody knows what came first.
TOUCHED = """
    SELECT EXISTS (
        SELECT FROM (
            SELECT low, high, max(high) OVER before AS highest, min(low) OVER before AS lowest FROM {bars}
            WHERE listing_id = %(listing)s AND {interval} AND open_time >= %(since)s AND knowledge_time <= %(now)s
            WINDOW before AS (ORDER BY open_time ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ) AS bar
        WHERE CASE %(side)s
            WHEN 'sell' THEN bar.low <= coalesce(%(stop)s, greatest(bar.highest, %(start)s) - %(trail)s)
            ELSE bar.high >= coalesce(%(stop)s, least(bar.lowest, %(start)s) + %(trail)s)
        END
    )
"""
WORKING_IN_GROUP = """
    SELECT i.intent_id FROM trading.intents AS i INNER JOIN trading.orders AS o USING (intent_id)
    WHERE i.wallet = %s AND i.order_group = %s AND i.intent_id <> %s AND o.state <> ALL(%s)
"""
NOT_AT_VENUE = [state.value for state in OrderState if state.is_over or state is OrderState.PLANNED]


def is_emulated(order: Order, venue: VenueBroker) -> bool:
    """Whether the order is kept back until its stop is touched."""
    terms = order.terms
    if terms.stop is None and terms.trail is None:
        return False
    lacks = ("stop" if terms.trail is None else "trail") in venue.lacks
    return lacks or (terms.group is not None and not venue.links_orders)


def triggered_order(order: Order) -> Order:
    """What is sent of it once its stop was touched: a market order, or a limit order."""
    return replace(order, terms=replace(order.terms, stop=None, trail=None))


def is_triggered(connection: Connection, wallet: Wallet, order: Order, now: datetime) -> bool:
    """Whether a bar of the wallet's interval that was known at `now` has touched the stop since it became active."""
    terms, since, start = order.terms, order.decided_at, None
    if terms.parent_id is not None:
        entry = connection.execute(ENTRY, [terms.parent_id]).fetchone()
        if entry is None:
            return False
        since, start = entry
    names = {"bars": bar_table(wallet.interval), "interval": of_interval(wallet.interval)}
    query = {"listing": order.listing_id, "since": since, "now": now, "side": order.side}
    if start is None:
        last = connection.execute(LAST_CLOSE.format(**names), query).fetchone()
        start = last[0] if last else None
    stop, trail = (None if price is None else float(price) for price in (terms.stop, terms.trail))
    # The `coalesce` in TOUCHED would take the fixed stop, and never trail.
    if trail is not None:
        stop = None
    figures = query | {"stop": stop, "trail": trail, "start": start}
    row = connection.execute(TOUCHED.format(**names), figures).fetchone()
    return row == (True,)


def working_in_group(connection: Connection, wallet: str, order: Order) -> set[str]:
    """The intent ids of the other orders of its group that the venue has, or may have."""
    query = [wallet, order.terms.group, order.intent_id, NOT_AT_VENUE]
    return {intent_id for (intent_id,) in connection.execute(WORKING_IN_GROUP, query)}
