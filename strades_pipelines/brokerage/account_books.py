"""What our books say of an account at a venue: all wallets that trade it, and what is known to be external."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.brokers.venue import VenueAccount
from strades_pipelines.brokerage.findings import AMOUNTS, Code
from strades_pipelines.brokerage.order_book import ENDED
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.order_states import OrderState

# Each part by an index (OFFSET 0: each order by its key): it costs what is new, not what was ever traded.
ORDERS = f"""
    SELECT intent_id, wallet, venue_order_id, state, reason, updated_at FROM trading.orders
    WHERE wallet = ANY(%(wallets)s) AND state NOT IN {ENDED}
    UNION
    SELECT intent_id, wallet, venue_order_id, state, reason, updated_at FROM trading.orders
    WHERE intent_id = ANY(%(client_ids)s) AND wallet = ANY(%(wallets)s)
    UNION
    SELECT intent_id, wallet, venue_order_id, state, reason, updated_at FROM trading.orders
    WHERE venue_order_id = ANY(%(venue_ids)s) AND wallet = ANY(%(wallets)s)
"""
FILLS = """
    SELECT f.fill_id, f.wallet, f.listing_id, f.quantity, f.price, f.filled_at, o.is_of_venue, f.venue_fill_id
    FROM (
        SELECT * FROM trading.fills WHERE wallet = ANY(%(wallets)s) AND filled_at > %(since)s
        UNION
        SELECT * FROM trading.fills WHERE intent_id = ANY(%(intents)s) AND wallet = ANY(%(wallets)s)
    ) AS f
    CROSS JOIN LATERAL (
        SELECT o.venue_order_id IS NOT NULL AND i.broker <> 'statement' AS is_of_venue
        FROM trading.orders AS o INNER JOIN trading.intents AS i USING (intent_id)
        WHERE o.intent_id = f.intent_id OFFSET 0
    ) AS o
"""
# Those that a person ignored, and those of fills that stand, say what the account holds beyond our books; those that
# were adopted are known as long as the venue tells of them.
FINDINGS = """
    SELECT finding_id, code, state, symbol, listing_id, quantity, amount, reference FROM trading.findings
    WHERE account = %(account)s AND state IN ('open', 'ignored')
    UNION ALL
    SELECT finding_id, code, state, symbol, listing_id, quantity, amount, reference FROM trading.findings
    WHERE account = %(account)s AND state = 'adopted'
        AND (occurred_at >= %(earliest)s OR code IN ('holding_differs', 'cash_short'))
"""


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """An order of ours as our books have it."""

    intent_id: str
    wallet: str
    venue_order_id: str | None
    state: OrderState
    reason: str | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class BookedFill:
    """A fill in our books.

    Args:
        is_of_venue: unless we made it up, for a fill that was adopted, or read it in a person's statement.
        venue_fill_id: the venue's own id of it, where we know one.
    """

    fill_id: str
    wallet: str
    symbol: str
    quantity: Decimal
    price: Decimal
    filled_at: datetime
    is_of_venue: bool
    venue_fill_id: str | None = None


@dataclass(frozen=True, slots=True)
class AccountBooks:
    """What our books say of an account, at one time.

    Args:
        listings: of all of its wallets, by id.
        orders: those that are not over, and those that the venue speaks of, by their client order id.
        fills: those that the venue speaks of, and all after the time since which it was asked, by id.
        holdings: by symbol, of all wallets together.
        cash: by currency, of all wallets together.
        external_units: by symbol, what findings that stand or were ignored say that the account holds beyond.
        external_cash: by currency, what such fills have moved.
        shortfalls: by currency, those that a person has ignored; below zero.
        known: ids of findings that are kept: of external fills, and of what was adopted or ignored.
        settled: how many findings about a holding, or about cash, a person has settled, by symbol or currency.
        ignored_symbols: instruments that no wallet trades, and that a person has ignored.
        ledger_faults: by wallet.
    """

    account: str
    wallets: tuple[str, ...]
    listings: Mapping[int, Listing]
    orders: Mapping[str, KnownOrder]
    fills: Mapping[str, BookedFill]
    holdings: Mapping[str, Decimal]
    cash: Mapping[str, Decimal]
    external_units: Mapping[str, Decimal] = field(default_factory=dict)
    external_cash: Mapping[str, Decimal] = field(default_factory=dict)
    shortfalls: Mapping[str, Decimal] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    settled: Mapping[str, int] = field(default_factory=dict)
    ignored_symbols: frozenset[str] = frozenset()
    ledger_faults: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def stated(self) -> frozenset[str | None]:
        """The venue's ids of the fills that a person's statement has listed."""
        return frozenset(one.venue_fill_id for one in self.fills.values() if not one.is_of_venue) - {None}

    def symbol(self, listing_id: int | None, symbol: str) -> str:
        """Our symbol of an instrument; the venue's where no wallet trades it."""
        listing = self.listings.get(listing_id) if listing_id is not None else None
        return listing.symbol if listing else symbol

    def currency(self, listing_id: int | None) -> str:
        """In what an instrument is paid."""
        listing = self.listings.get(listing_id) if listing_id is not None else None
        return listing.currency if listing and listing.currency in self.cash else next(iter(self.cash))


def read_books(
    connection: Connection, account: str, wallets: Sequence[Wallet], venue_account: VenueAccount, since: datetime
) -> AccountBooks:
    """The books to compare a venue's account with. Commits nothing.

    Args:
        wallets: all that trade the account, also those that are closed: what they hold stays there.
        since: the venue was asked for its fills after that time.
    """
    names = [wallet.name for wallet in wallets]
    listings = {listing.listing_id: listing for wallet in wallets for listing in wallet.listings}
    orders = _orders(connection, names, venue_account)
    fills = _fills(connection, names, listings, orders, since)
    books = AccountBooks(
        account, tuple(names), listings, orders, fills, _holdings(connection, names, listings), _cash(connection, names)
    )
    # A venue may list fills from before `since` (the paper venue's begin days earlier): what was adopted of them has to
    # be known here, or it would be a finding again.
    earliest = min([since, *(one.fill.filled_at for one in venue_account.fills)])
    rows = connection.execute(FINDINGS, {"account": account, "earliest": earliest}).fetchall()
    return _with_findings(books, rows)


def _with_findings(books: AccountBooks, rows: Sequence[Sequence[Any]]) -> AccountBooks:
    """The books with what is kept of earlier comparisons: rows of `FINDINGS`."""
    units: defaultdict[str, Decimal] = defaultdict(Decimal)
    cash: defaultdict[str, Decimal] = defaultdict(Decimal)
    shortfalls: defaultdict[str, Decimal] = defaultdict(Decimal)
    settled: Counter[str] = Counter()
    known, ignored_symbols = set(), set()
    for finding_id, code, state, symbol, listing_id, quantity, amount, reference in rows:
        if code in AMOUNTS and state != "open":
            settled[reference] += 1
        elif code not in AMOUNTS and (state != "open" or code == Code.EXTERNAL_FILL):
            known.add(finding_id)
        if code == Code.EXTERNAL_FILL and state != "adopted":
            units[symbol] += quantity
            cash[books.currency(listing_id)] += amount
        elif code == Code.HOLDING_DIFFERS and state == "ignored" and listing_id is not None:
            units[symbol] += quantity
        elif code == Code.HOLDING_DIFFERS and state == "ignored":
            ignored_symbols.add(symbol)
        elif code == Code.CASH_SHORT and state == "ignored":
            shortfalls[reference] += amount
    return replace(
        books,
        external_units=units,
        external_cash=cash,
        shortfalls=shortfalls,
        known=frozenset(known),
        settled=settled,
        ignored_symbols=frozenset(ignored_symbols),
    )


def _orders(connection: Connection, names: list[str], venue_account: VenueAccount) -> dict[str, KnownOrder]:
    client_ids = {one.order.client_order_id for one in venue_account.orders} | {
        one.client_order_id for one in venue_account.fills
    }
    venue_ids = {one.order.venue_order_id for one in venue_account.orders} | {
        one.venue_order_id for one in venue_account.fills
    }
    rows = connection.execute(
        ORDERS, {"wallets": names, "client_ids": list(client_ids - {None}), "venue_ids": list(venue_ids)}
    )
    return {
        intent_id: KnownOrder(intent_id, wallet, venue_id, OrderState(state), reason, updated_at)
        for intent_id, wallet, venue_id, state, reason, updated_at in rows
    }


def _fills(
    connection: Connection,
    names: list[str],
    listings: Mapping[int, Listing],
    orders: Collection[str],
    since: datetime,
) -> dict[str, BookedFill]:
    rows = connection.execute(FILLS, {"wallets": names, "since": since, "intents": list(orders)})
    return {
        fill_id: BookedFill(fill_id, wallet, listings[listing_id].symbol, *rest)
        for fill_id, wallet, listing_id, *rest in rows
    }


def _holdings(connection: Connection, names: list[str], listings: Mapping[int, Listing]) -> dict[str, Decimal]:
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for listing_id, quantity in connection.execute(
        "SELECT listing_id, quantity FROM trading.positions WHERE wallet = ANY(%s)", [names]
    ):
        held[listings[listing_id].symbol] += quantity
    return dict(held)


def _cash(connection: Connection, names: list[str]) -> dict[str, Decimal]:
    query = "SELECT currency, sum(balance) FROM trading.cash WHERE wallet = ANY(%s) GROUP BY currency ORDER BY currency"
    return dict(connection.execute(query, [names]).fetchall())
