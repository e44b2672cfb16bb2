"""A venue on paper: fills at the open of the first stored bar that opens once the order was accepted.

It keeps its own books in its own transactions, as a real venue would, so that every way in which we and a venue can
fall apart exists here too.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.brokers.venue import VenueFill, VenueOrder
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, first_bar
from strades_pipelines.brokerage.rows import insert
from strades_pipelines.market.events import Fill, stamp
from strades_pipelines.market.fills import fill_at_open
from strades_pipelines.market.ledger import plain
from strades_pipelines.market.orders import Order

ORDERS = """
    SELECT client_order_id, listing_id, side, quantity, accepted_at, state, reason, price, fee,
        bar_interval, bar_open_time
    FROM trading.paper_venue_orders WHERE account = %s
"""
FILLED = "state = 'filled', price = %s, fee = %s, bar_interval = %s, bar_open_time = %s"


class PaperBroker:
    """The paper account of a wallet."""

    name = "paper"

    def __init__(self, connection: Connection, wallet: Wallet) -> None:
        self._connection, self._wallet = connection, wallet
        self._index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        """Accept the order at `at`; an id that is there already stays as it is."""
        row = {
            "client_order_id": order.intent_id,
            "account": self._wallet.name,
            "listing_id": order.listing_id,
            "side": order.side,
            "quantity": plain(order.quantity),
            "accepted_at": at,
            "state": "open",
        }
        insert(self._connection, "trading.paper_venue_orders", row)
        self._connection.commit()
        return VenueOrder(order.intent_id, order.intent_id, "open")

    def lookup(self, client_order_id: str, *, at: datetime) -> VenueOrder | None:
        """The order, after the account's orders were matched with the bars known at `at`."""
        self._match(at)
        query = f"{ORDERS} AND client_order_id = %s"
        row = self._connection.execute(query, [self._wallet.name, client_order_id]).fetchone()
        self._connection.commit()
        return _venue_order(row) if row else None

    def _match(self, at: datetime) -> None:
        """Fill what can be filled, oldest price first; a purchase beyond the account's cash is rejected."""
        query = f"{ORDERS} AND state = 'open' FOR UPDATE"
        open_orders = self._connection.execute(query, [self._wallet.name]).fetchall()
        fills = [fill for row in open_orders if (fill := self._fill(row, at)) is not None]
        cash = self._cash() if fills else Decimal(0)
        for fill in sorted(fills, key=lambda fill: (fill.filled_at, fill.intent_id)):
            after = cash - fill.signed * fill.price - fill.fee
            if fill.side == "buy" and after < 0:
                self._set(fill.intent_id, "state = 'rejected', reason = 'insufficient_cash'")
                continue
            cash = after
            self._set(fill.intent_id, FILLED, [fill.price, fill.fee, fill.bar_interval, fill.bar_open_time])
        self._connection.commit()

    def _fill(self, row: Sequence[Any], at: datetime) -> Fill | None:
        order_id, listing_id, side, quantity, accepted_at = row[:5]
        i = self._index[listing_id]
        bar = first_bar(
            self._connection, listing_id, i, interval=self._wallet.interval, opens_from=accepted_at, known_at=at
        )
        if bar is None:
            return None
        order = Order(order_id, "", i, listing_id, side, quantity, accepted_at, Decimal(0))
        listing = self._wallet.listings[i]
        return fill_at_open(order, bar, listing, placed_at=accepted_at, fee_rate=self._wallet.fee_rate)

    def _cash(self) -> Decimal:
        row = self._connection.execute(
            """
            SELECT sum(CASE side WHEN 'buy' THEN -quantity * price ELSE quantity * price END - fee)
            FROM trading.paper_venue_orders WHERE account = %s AND state = 'filled'
            """,
            [self._wallet.name],
        ).fetchone()
        return self._wallet.opening_cash + (row[0] if row and row[0] is not None else Decimal(0))

    def _set(self, order_id: str, assignments: str, values: Sequence[Any] = ()) -> None:
        statement = f"UPDATE trading.paper_venue_orders SET {assignments} WHERE client_order_id = %s"
        self._connection.execute(statement, [*values, order_id])


def _venue_order(row: Sequence[Any]) -> VenueOrder:
    order_id, _, _, quantity, _, state, reason, price, fee, interval, open_time = row
    fills: tuple[VenueFill, ...] = ()
    if state == "filled":
        bar = f"{interval}@{stamp(open_time)}"
        fills = (VenueFill(bar, quantity, price, fee, open_time, interval, open_time),)
    return VenueOrder(order_id, order_id, state, reason, fills)
