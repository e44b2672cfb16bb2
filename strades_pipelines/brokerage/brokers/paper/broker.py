"""A venue on paper: it keeps its own books in its own transactions, as a real venue would.

So every way in which we and a venue can fall apart exists here too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from strades_pipelines.brokerage.brokers.paper.accounts import open_account
from strades_pipelines.brokerage.brokers.paper.bar_fills import Matched, PaperFill, PaperMatcher, PaperOrder
from strades_pipelines.brokerage.brokers.paper.statement import paper_account
from strades_pipelines.brokerage.brokers.venue import VenueAccount, VenueFill, VenueOrder
from strades_pipelines.brokerage.brokers.venue_errors import Rejected, Unknown
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, bar_table, last_closes, of_interval
from strades_pipelines.brokerage.trading_rows import insert, stored_terms, to_json
from strades_pipelines.market.bars_and_fills import Bar
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import Order

ORDERS = "SELECT * FROM trading.paper_venue_orders WHERE account = %s"
STATES = {
    "waiting": OrderState.ACCEPTED,
    "open": OrderState.ACCEPTED,
    "filled": OrderState.FILLED,
    "rejected": OrderState.REJECTED,
    "cancelled": OrderState.CANCELLED,
    "expired": OrderState.EXPIRED,
}


class PaperBroker:
    """The paper account of a wallet."""

    name = "paper"
    # It answers from our own database: an order that it does not show was never taken.
    grace = timedelta(0)
    links_orders = True
    lacks: frozenset[str] = frozenset()

    def __init__(self, connection: Connection, wallet: Wallet) -> None:
        self._connection, self._wallet = connection, wallet
        self._matched_at: datetime | None = None
        self._index = {listing.listing_id: i for i, listing in enumerate(wallet.listings)}

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        """Accept the order at `at`; an id that is there already stays as it is."""
        with self._answering():
            open_account(self._connection, self._wallet)
            terms, parent = order.terms, self._order(order.terms.parent_id)
            if terms.parent_id is not None and parent is None:
                raise Rejected(f"there is no order {terms.parent_id} to wait for")
            self._match(at)
            # Read again: matching may have filled or ended it.
            parent = self._order(terms.parent_id)
            state = "open" if parent is None or parent.filled else "waiting"
            # A parent that ended unfilled never opens the position that this order is to exit.
            if state == "waiting" and parent.state not in ("open", "waiting"):
                state = "cancelled"
            price = last_closes(
                self._connection,
                [self._wallet.listings[order.i]],
                interval=self._wallet.interval,
                known_at=at,
            ).get(order.listing_id)
            row = {
                "client_order_id": order.intent_id,
                "account": self._wallet.name,
                "listing_id": order.listing_id,
                "side": order.side,
                "quantity": plain(order.quantity),
                "accepted_at": at,
                "state": state,
                "reason": "one_cancels_other" if state == "cancelled" else None,
                "limit_price": terms.limit,
                "stop_price": terms.stop,
                "trail": terms.trail,
                "time_in_force": terms.time_in_force,
                "auction": terms.auction,
                "reduce_only": terms.reduce_only,
                "order_group": terms.group,
                "parent_id": terms.parent_id,
                "matching": to_json(
                    {"is_for_target": order.is_for_target} | ({"best": float(price)} if price is not None else {})
                ),
            }
            insert(self._connection, "trading.paper_venue_orders", row)
            return self._known(order.intent_id)

    def lookup(self, order: Order, *, at: datetime) -> VenueOrder | None:
        """The order, after the account's orders were matched with the bars known at `at`."""
        with self._answering():
            self._match(at)
            return self._known(order.intent_id) if self._order(order.intent_id) else None

    def cancel(self, order: Order, *, at: datetime) -> VenueOrder | None:
        """Cancel what is left of the order, and what waits for it, at `at`: bars known by then come first."""
        with self._answering():
            self._match(at)
            known = self._order(order.intent_id)
            if known is None:
                return None
            if known.state in ("open", "waiting"):
                self._store(self._matcher().cancel(order.intent_id))
            return self._known(order.intent_id)

    def account(self, since: datetime, *, at: datetime) -> VenueAccount:
        """The account, after its orders were matched with the bars known at `at`."""
        with self._answering():
            self._match(at)
            return paper_account(self._connection, self._wallet, since)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """One transaction of the venue's; a database that does not answer is a venue that does not."""
        try:
            with self._connection.transaction():
                yield
        except psycopg.OperationalError as error:
            # The rollback undid the matching: the next question of the same instant has to match again.
            self._matched_at = None
            raise Unknown(str(error)) from error

    def _order(self, client_order_id: str | None) -> Any:
        with self._connection.cursor(row_factory=namedtuple_row) as cursor:
            query = f"{ORDERS} AND client_order_id = %s"
            return cursor.execute(query, [self._wallet.name, client_order_id]).fetchone()

    def _known(self, client_order_id: str) -> VenueOrder:
        row = self._order(client_order_id)
        fills = self._connection.execute(
            """
            SELECT venue_fill_id, quantity, price, fee, filled_at, bar_interval, bar_open_time
            FROM trading.paper_venue_fills WHERE client_order_id = %s ORDER BY filled_at, venue_fill_id
            """,
            [client_order_id],
        )
        state = STATES[row.state]
        # A partial fill is no state of the table: it follows from `filled`, so that the two cannot disagree.
        if state is OrderState.ACCEPTED and row.filled:
            state = OrderState.PARTIALLY_FILLED
        parts = tuple(VenueFill(*fill) for fill in fills)
        return VenueOrder(
            client_order_id, client_order_id, state, row.reason, parts, side=row.side, quantity=row.quantity
        )

    def _match(self, at: datetime) -> None:
        """Fill what the bars fill that became known since the last time; once for all that is asked at one instant.

        A bar that is done by `at` opened before, so that an order of this very instant is not done in it.
        """
        # The row lock: two processes must not match one bar twice.
        self._connection.execute(
            "SELECT cash FROM trading.paper_venue_accounts WHERE account = %s FOR UPDATE", [self._wallet.name]
        )
        bars = [] if at == self._matched_at else self._new_bars(at)
        self._matched_at = at
        if bars:
            self._store(self._matcher().match(bars))
            for listing_id in {bar.listing_id for bar in bars}:
                # Per listing: the bars of one may become known later than those of another.
                newest = max(bar.open_time for bar in bars if bar.listing_id == listing_id)
                self._connection.execute(
                    "UPDATE trading.paper_venue_positions SET matched_to = %s WHERE account = %s AND listing_id = %s",
                    [newest, self._wallet.name, listing_id],
                )

    def _matcher(self) -> PaperMatcher:
        account = self._connection.execute(
            "SELECT cash FROM trading.paper_venue_accounts WHERE account = %s", [self._wallet.name]
        ).fetchone()
        held = dict(
            self._connection.execute(
                "SELECT listing_id, quantity FROM trading.paper_venue_positions WHERE account = %s", [self._wallet.name]
            ).fetchall()
        )
        with self._connection.cursor(row_factory=namedtuple_row) as cursor:
            query = f"{ORDERS} AND state IN ('open', 'waiting') ORDER BY sequence"
            rows = cursor.execute(query, [self._wallet.name]).fetchall()
        assert account is not None, f"paper account {self._wallet.name} is not open"
        return PaperMatcher(
            self._wallet.listings,
            cash=account[0],
            positions=[held.get(listing.listing_id, Decimal(0)) for listing in self._wallet.listings],
            fee_rate=self._wallet.fee_rate,
            orders=[self._paper_order(row) for row in rows],
        )

    def _paper_order(self, row: Any) -> PaperOrder:
        terms = stored_terms(row)
        rest = row.quantity - row.filled
        i, kept = self._index[row.listing_id], row.matching or {}
        return PaperOrder(row.client_order_id, i, row.side, rest, terms, row.state, row.accepted_at, kept)

    def _new_bars(self, at: datetime) -> list[Bar]:
        """The bars that an open order may be done in and that no order was matched with yet, as they became known."""
        spans = self._connection.execute(
            """
            SELECT o.listing_id, min(o.accepted_at), max(p.matched_to)
            FROM trading.paper_venue_orders AS o
            INNER JOIN trading.paper_venue_positions AS p USING (account, listing_id)
            WHERE o.account = %s AND o.state IN ('open', 'waiting') GROUP BY o.listing_id
            """,
            [self._wallet.name],
        ).fetchall()
        bars: list[Bar] = []
        for listing_id, accepted_at, matched_to in spans:
            bars += self._bars(listing_id, accepted_at, matched_to, at)
        return sorted(bars, key=lambda bar: (bar.knowledge_time, bar.listing_id, bar.open_time))

    def _bars(self, listing_id: int, opens_from: datetime, after: datetime | None, at: datetime) -> list[Bar]:
        interval = self._wallet.interval
        rows = self._connection.execute(
            f"""
            SELECT open_time, close_time, open, high, low, close, coalesce(volume, 'NaN'), knowledge_time
            FROM {bar_table(interval)}
            WHERE listing_id = %s AND {of_interval(interval)} AND open_time >= %s
                AND open_time > coalesce(%s, '-infinity'::timestamptz) AND knowledge_time <= %s
            ORDER BY open_time
            """,
            [listing_id, opens_from, after, at],
        )
        return [Bar(self._index[listing_id], listing_id, interval, *row) for row in rows]

    def _store(self, matched: Matched) -> None:
        for fill in matched.fills:
            self._book(fill)
        for order in matched.working:
            self._connection.execute(
                "UPDATE trading.paper_venue_orders SET state = %s, matching = %s WHERE client_order_id = %s",
                [order.state, to_json(order.matching), order.client_order_id],
            )
        for client_order_id, (state, reason) in matched.ended.items():
            self._connection.execute(
                "UPDATE trading.paper_venue_orders SET state = %s, reason = %s WHERE client_order_id = %s",
                [state, reason, client_order_id],
            )

    def _book(self, fill: PaperFill) -> None:
        listing = self._wallet.listings[fill.i]
        row = {
            "client_order_id": fill.client_order_id,
            "venue_fill_id": fill.venue_fill_id,
            "quantity": plain(fill.quantity),
            "price": plain(fill.price),
            "fee": plain(fill.fee),
            "filled_at": fill.filled_at,
            "bar_interval": fill.bar_interval,
            "bar_open_time": fill.bar_open_time,
        }
        insert(self._connection, "trading.paper_venue_fills", row)
        execute = self._connection.execute
        execute(
            "UPDATE trading.paper_venue_orders SET filled = filled + %s WHERE client_order_id = %s",
            [fill.quantity, fill.client_order_id],
        )
        execute(
            "UPDATE trading.paper_venue_accounts SET cash = cash + %s WHERE account = %s",
            [-fill.signed * fill.price - fill.fee, self._wallet.name],
        )
        execute(
            "UPDATE trading.paper_venue_positions SET quantity = quantity + %s WHERE account = %s AND listing_id = %s",
            [fill.signed, self._wallet.name, listing.listing_id],
        )
