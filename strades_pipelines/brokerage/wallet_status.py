"""Where each wallet that trades stands: its state, what it is worth, what is under way, and what it last decided."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.exchange_rates import known_rates
from strades_pipelines.brokerage.holdings import load_books
from strades_pipelines.brokerage.owner_positions import read_owner_positions
from strades_pipelines.brokerage.portfolio import Wallet, load_fills, load_wallet
from strades_pipelines.brokerage.prices import Connection, last_closes
from strades_pipelines.brokerage.sleeves import UNATTRIBUTED, fill_owners
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Books, Position
from strades_pipelines.market.cost_basis import AVERAGE, sum_exact, take_fills
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.owners import Key, Owned
from strades_pipelines.market.split_arithmetic import Split

OPEN_ORDERS = """
    SELECT o.intent_id, l.venue || ':' || l.symbol, i.side, i.quantity, o.filled, i.order_type, o.state, o.reason,
        o.updated_at, d.trigger_kind, d.strategy
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
    """Units of an instrument, what was paid for one on average, and its last known close.

    Args:
        cost: of all of them, fees in, by the cost basis that was asked for.
        realised: the profit of what was sold of the instrument so far, fees in.
        unrealised: the profit if they were sold at `price`; None without a price.
    """

    instrument: str
    quantity: Decimal
    average_price: Decimal
    price: Decimal | None
    cost: Decimal
    realised: Decimal
    unrealised: Decimal | None


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order that is not over; `trigger` is `person` for one by hand, `strategy` says who or what decided it."""

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
    strategy: str


@dataclass(frozen=True, slots=True)
class OwnerStatus:
    """What one strategy of a wallet with several holds and made. The owners add up to their wallet exactly.

    Args:
        name: of the sleeve, or `unattributed`: orders by hand, statements, what was adopted.
        strategy, parameters, capital, state, reason: of a sleeve. The capital is in the wallet's currency.
        realised: the profit of all that it sold, fees in.
    """

    name: str
    strategy: str | None
    parameters: dict[str, Any] | None
    capital: Decimal | None
    state: str | None
    reason: str | None
    realised: Decimal
    positions: list[HeldPosition]

    @property
    def unrealised(self) -> Decimal:
        """The profit of the open positions that have a price."""
        return sum_exact(held.unrealised for held in self.positions if held.unrealised is not None)


@dataclass(frozen=True, slots=True)
class WalletStatus:
    """A wallet at one moment; money in its currency.

    Args:
        cash: in its own currency.
        foreign_cash: by currency, in units of that currency.
        equity: cash, positions, and foreign cash at known rates.
        unvalued: the currencies of cash without a known rate: the equity has none of it.
        realised: the profit of all that was sold, fees in.
        positions: those that are open.
        owners: of a wallet with several strategies, each of them; else none.
    """

    wallet: Wallet
    cash: Decimal
    foreign_cash: dict[str, Decimal]
    equity: Decimal
    unvalued: list[str]
    realised: Decimal
    positions: list[HeldPosition]
    orders: list[WorkingOrder]
    last_decision_at: datetime | None
    owners: list[OwnerStatus]

    @property
    def unrealised(self) -> Decimal:
        """The profit of the open positions that have a price."""
        return sum_exact(held.unrealised for held in self.positions if held.unrealised is not None)


def wallet_statuses(
    connection: Connection, *, now: datetime, names: Collection[str] | None = None, cost_basis: str = AVERAGE
) -> Iterator[WalletStatus]:
    """The wallets that trade, by name, as of what is committed and the closes known at `now`.

    Args:
        names: only these; None for all.
        cost_basis: as in `wallet_status`.
    """
    for (name,) in connection.execute(TRADING).fetchall():
        if names is None or name in names:
            yield wallet_status(connection, load_wallet(connection, name), now=now, cost_basis=cost_basis)


def wallet_status(connection: Connection, wallet: Wallet, *, now: datetime, cost_basis: str = AVERAGE) -> WalletStatus:
    """Where one wallet stands.

    Args:
        cost_basis: average is kept with each fill; fifo is worked out from all of them.
    """
    books = load_books(connection, wallet)
    prices = last_closes(connection, wallet.listings, interval=wallet.interval, known_at=now)
    rates = known_rates(connection, wallet.currency, books.foreign, at=now) if books.foreign else {}
    foreign_value, unvalued = books.foreign_value(rates)
    owned = _owned_positions(connection, wallet, cost_basis) if wallet.sleeves else {}
    if wallet.sleeves and cost_basis != AVERAGE:
        known = Owned(owned, {}).by_listing()
    else:
        known = books.positions if cost_basis == AVERAGE else _positions_by(connection, wallet, books, cost_basis)
    positions = _open_positions(wallet, known, prices)
    orders = [WorkingOrder(*row) for row in connection.execute(OPEN_ORDERS, [wallet.name])]
    row = connection.execute(
        "SELECT max(decided_at) FROM signals.decisions WHERE wallet = %s", [wallet.name]
    ).fetchone()
    return WalletStatus(
        wallet=wallet,
        cash=books.cash,
        foreign_cash=books.foreign,
        equity=books.equity(prices) + foreign_value,
        unvalued=unvalued,
        realised=sum_exact(position.realised for position in known.values()),
        positions=positions,
        orders=orders,
        last_decision_at=row[0] if row else None,
        owners=list(_owner_statuses(wallet, owned, prices)),
    )


def _owner_statuses(
    wallet: Wallet, owned: Mapping[Key, Position], prices: Mapping[int, Decimal]
) -> Iterator[OwnerStatus]:
    for sleeve in (*wallet.sleeves, None) if wallet.sleeves else ():
        name = sleeve.name if sleeve else UNATTRIBUTED
        own = {listing_id: position for (owner, listing_id), position in owned.items() if owner == name}
        realised = sum_exact(position.realised for position in own.values())
        positions = _open_positions(wallet, own, prices)
        if sleeve is None:
            yield OwnerStatus(name, None, None, None, None, None, realised, positions)
        else:
            capital = sleeve.part_of(wallet.opening_cash)
            # The wallet's own reason is told with the wallet.
            reason = sleeve.state_reason if sleeve.state != wallet.state else None
            yield OwnerStatus(
                name, sleeve.strategy, sleeve.parameters, capital, sleeve.state, reason, realised, positions
            )


def _owned_positions(connection: Connection, wallet: Wallet, method: str) -> dict[Key, Position]:
    """The positions by owner, with their cost and profit by a cost basis."""
    stored = read_owner_positions(connection, wallet.name)
    if method == AVERAGE:
        return stored
    owners = fill_owners(connection, wallet.name)
    fills = load_fills(connection, wallet)
    found = {}
    for owner in dict.fromkeys(owner for owner, _ in stored):
        own = [fill for fill in fills if owners[fill.content_id] == owner]
        for listing_id, basis in _bases(own, method, wallet.splits_of(owner)).items():
            found[owner, listing_id] = replace(stored[owner, listing_id], cost=basis[0], realised=basis[1])
    return found


def _open_positions(wallet: Wallet, known: Mapping[int, Position], prices: Mapping[int, Decimal]) -> list[HeldPosition]:
    return [
        _held(listing, held, prices.get(listing.listing_id))
        for listing in wallet.listings
        if (held := known.get(listing.listing_id)) is not None and held.quantity
    ]


def _held(listing: Listing, held: Position, price: Decimal | None) -> HeldPosition:
    unrealised = None if price is None else held.unrealised(price)
    return HeldPosition(listing.name, held.quantity, held.average_price, price, held.cost, held.realised, unrealised)


def _positions_by(connection: Connection, wallet: Wallet, books: Books, method: str) -> dict[int, Position]:
    """The positions with their cost and profit by another cost basis, which is worked out from all fills."""
    return {
        listing_id: replace(books.positions[listing_id], cost=cost, realised=realised)
        for listing_id, (cost, realised) in _bases(load_fills(connection, wallet), method, wallet.splits).items()
    }


def _bases(fills: Sequence[Fill], method: str, splits: Sequence[Split]) -> dict[int, tuple[Decimal, Decimal]]:
    """The cost of what is held and the profit of what was sold, by listing."""
    return {
        listing_id: (basis.cost, sum_exact(disposal.profit for disposal in disposals))
        for listing_id, (basis, disposals) in take_fills(fills, method, splits).items()
    }
