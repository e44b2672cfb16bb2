"""What the paper venue says of a whole account: out of its own books."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg.rows import namedtuple_row

from strades_pipelines.brokerage.brokers.venue import (
    AccountFill,
    AccountOrder,
    Holding,
    VenueAccount,
    VenueFill,
    VenueOrder,
)
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import stored_terms
from strades_pipelines.market.order_states import OrderState

# A fill has the time of the price that it took: the open of a bar, which may come days later.
LATEST_BAR = timedelta(days=5)
OPEN_ORDERS = """
    SELECT * FROM trading.paper_venue_orders WHERE account = %s AND state IN ('open', 'waiting') ORDER BY sequence
"""
# OFFSET 0: each order by its key. A join that the planner may turn round reads all there ever were.
FILLS = """
    SELECT f.*, o.listing_id, o.side FROM trading.paper_venue_fills AS f
    CROSS JOIN LATERAL (
        SELECT account, listing_id, side FROM trading.paper_venue_orders
        WHERE client_order_id = f.client_order_id OFFSET 0
    ) AS o
    WHERE f.filled_at > %s AND o.account = %s ORDER BY f.filled_at, f.client_order_id, f.venue_fill_id
"""
HOLDINGS = """
    SELECT listing_id, quantity FROM trading.paper_venue_positions
    WHERE account = %s AND quantity <> 0 ORDER BY listing_id
"""


def paper_account(connection: Connection, wallet: Wallet, since: datetime) -> VenueAccount:
    """The paper account of a wallet; its fills may begin some days before `since`."""
    symbols = {listing.listing_id: listing.symbol for listing in wallet.listings}
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        orders = [_order(row, symbols) for row in cursor.execute(OPEN_ORDERS, [wallet.name])]
        rows = cursor.execute(FILLS, [since - LATEST_BAR, wallet.name])
        fills = [_fill(row, symbols) for row in rows]
    held = connection.execute(HOLDINGS, [wallet.name])
    holdings = [
        Holding(symbols.get(listing_id, str(listing_id)), listing_id, quantity) for listing_id, quantity in held
    ]
    return VenueAccount(tuple(orders), tuple(fills), {wallet.currency: _cash(connection, wallet)}, tuple(holdings))


def _cash(connection: Connection, wallet: Wallet) -> Decimal:
    row = connection.execute(
        "SELECT cash FROM trading.paper_venue_accounts WHERE account = %s", [wallet.name]
    ).fetchone()
    # The venue opens an account with its first order, or when cash is moved (`accounts.adjust_account`).
    return Decimal(row[0]) if row else wallet.opening_cash


def _order(row: Any, symbols: dict[int, str]) -> AccountOrder:
    order = VenueOrder(
        row.client_order_id,
        row.client_order_id,
        OrderState.PARTIALLY_FILLED if row.filled else OrderState.ACCEPTED,
        row.reason,
        side=row.side,
        quantity=row.quantity,
        filled=row.filled,
    )
    terms = stored_terms(row)
    return AccountOrder(order, symbols.get(row.listing_id, str(row.listing_id)), row.listing_id, terms, row.accepted_at)


def _fill(row: Any, symbols: dict[int, str]) -> AccountFill:
    fill = VenueFill(
        row.venue_fill_id, row.quantity, row.price, row.fee, row.filled_at, row.bar_interval, row.bar_open_time
    )
    client_id, listing_id = row.client_order_id, row.listing_id
    return AccountFill(fill, client_id, client_id, symbols.get(listing_id, str(listing_id)), listing_id, row.side)
