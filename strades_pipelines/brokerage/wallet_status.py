"""Where each wallet that trades stands: its state, what it is worth, what is under way, and what it last decided."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.portfolio import Wallet, load_books, load_wallet
from strades_pipelines.brokerage.prices import Connection, last_closes

OPEN_ORDERS = """
    SELECT o.intent_id, l.venue || ':' || l.symbol, i.side, i.quantity, o.filled, i.order_type, o.state, o.reason,
        o.updated_at, d.trigger_kind
    FROM trading.orders AS o
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    INNER JOIN records.listings AS l ON i.listing_id = l.listing_id
    WHERE o.wallet = %s AND o.state NOT IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired')
    ORDER BY i.intended_at, o.intent_id
"""
TRADING = "SELECT wallet FROM trading.wallets WHERE mode <> 'replay' ORDER BY wallet"


@dataclass(frozen=True, slots=True)
class HeldPosition:
    """Units of an instrument, what was paid for one on average, and its last known close."""

    instrument: str
    quantity: Decimal
    average_price: Decimal
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order that is not over; `trigger` is `person` for one by hand."""

    intent_id: str
    instrument: str
    side: str
    quantity: Decimal
    filled: Decimal
    order_type: str
    state: str
    reason: str | None
    updated_at: datetime
    trigger: str


@dataclass(frozen=True, slots=True)
class WalletStatus:
    """A wallet at one moment; money in its currency."""

    wallet: Wallet
    cash: Decimal
    equity: Decimal
    positions: list[HeldPosition]
    orders: list[WorkingOrder]
    last_decision_at: datetime | None


def wallet_statuses(
    connection: Connection, *, now: datetime, names: Collection[str] | None = None
) -> Iterator[WalletStatus]:
    """The wallets that trade, by name, as of what is committed and the closes known at `now`.

    Args:
        names: only these; None for all.
    """
    for (name,) in connection.execute(TRADING).fetchall():
        if names is None or name in names:
            yield wallet_status(connection, load_wallet(connection, name), now=now)


def wallet_status(connection: Connection, wallet: Wallet, *, now: datetime) -> WalletStatus:
    """Where one wallet stands."""
    books = load_books(connection, wallet)
    prices = last_closes(connection, wallet.listings, interval=wallet.interval, known_at=now)
    positions = [
        HeldPosition(listing.name, held.quantity, held.average_price, prices.get(listing.listing_id))
        for listing in wallet.listings
        if (held := books.positions.get(listing.listing_id)) is not None and held.quantity
    ]
    orders = [WorkingOrder(*row) for row in connection.execute(OPEN_ORDERS, [wallet.name])]
    row = connection.execute(
        "SELECT max(decided_at) FROM signals.decisions WHERE wallet = %s", [wallet.name]
    ).fetchone()
    return WalletStatus(wallet, books.cash, books.equity(prices), positions, orders, row[0] if row else None)
