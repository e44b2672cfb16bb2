"""What of a statement is booked already: each trade and movement of an account once, in whichever wallet of it.

Wallets of one broker and mode trade one account, whose statement has the trades of all of them. A wallet on paper has
an account of its own.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple, TypeVar

from strades_pipelines.brokerage.movements import Movement
from strades_pipelines.brokerage.order_book import ENDED
from strades_pipelines.brokerage.person_orders import find_instrument
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.statement_formats import StatementCash, StatementError, StatementTrade
from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import plain

T = TypeVar("T")
STATEMENT = "statement"  # whom its orders were sent to
# By how much a trade of an order may be dated before the order: files have whole seconds or minutes, and clocks differ.
CLOCKS = timedelta(minutes=1)
# What is booked already: by the venue's id of it, whoever ordered it, or by the id that a statement's row gave it.
BOOKED = """
    SELECT f.wallet, f.listing_id, l.symbol, f.venue_fill_id, f.fill_id, f.side, f.quantity, f.price
    FROM trading.fills AS f INNER JOIN records.listings AS l USING (listing_id)
    WHERE f.wallet = ANY(%(wallets)s) AND (f.venue_fill_id = ANY(%(venue_ids)s) OR f.fill_id = ANY(%(fill_ids)s))
"""
# What stands in place of a trade that was corrected (`trade_corrections`).
STANDING = """
    WITH RECURSIVE versions AS (
        SELECT fill_id AS first_id, fill_id, wallet, listing_id, venue_fill_id AS trade_id, side, quantity, price
        FROM trading.fills
        WHERE wallet = ANY(%(wallets)s) AND (venue_fill_id = ANY(%(venue_ids)s) OR fill_id = ANY(%(fill_ids)s))
        UNION ALL
        SELECT v.first_id, f.fill_id, f.wallet, f.listing_id, v.trade_id, f.side, f.quantity, f.price
        FROM versions AS v
        INNER JOIN trading.fills AS f
            ON f.wallet = v.wallet AND f.listing_id = v.listing_id
            AND f.venue_fill_id IN ('correction of ' || v.fill_id, 'restoration of ' || v.fill_id)
    )
    SELECT v.wallet, v.listing_id, l.symbol, v.trade_id, v.first_id, v.side, v.quantity, v.price
    FROM versions AS v INNER JOIN records.listings AS l USING (listing_id)
    WHERE NOT EXISTS (
        SELECT FROM trading.fills AS f
        WHERE f.wallet = v.wallet AND f.listing_id = v.listing_id AND f.venue_fill_id = 'reversal of ' || v.fill_id
    )
"""
MOVEMENTS = """
    SELECT movement_id, wallet, kind, amount, currency, occurred_at FROM trading.movements
    WHERE wallet = ANY(%s) AND movement_id = ANY(%s)
"""
# Orders that a venue may fill, or has filled without our knowing it yet.
OPEN = f"""
    SELECT o.intent_id, o.wallet, l.symbol, i.side, i.quantity - o.filled, i.intended_at
    FROM trading.orders AS o
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN records.listings AS l USING (listing_id)
    WHERE o.wallet = ANY(%s) AND o.state NOT IN {ENDED} AND o.state <> 'planned'
    ORDER BY o.intent_id
"""


class Terms(NamedTuple):
    """By what two reports of a trade are the same."""

    side: str
    quantity: Decimal
    price: Decimal

    def __str__(self) -> str:
        return f"{self.side} {plain(self.quantity)} at {plain(self.price)}"


@dataclass(frozen=True, slots=True)
class StatedTrade:
    """A trade of a statement.

    Args:
        fill_id: under which it is booked in the wallet, whatever file it stands in.
        fill_ids: that one, and those under which other wallets of the account would have it.
    """

    fill_id: str
    fill_ids: tuple[str, ...]
    listing: Listing
    trade: StatementTrade

    @property
    def terms(self) -> Terms:
        """Side, quantity and price."""
        return Terms(self.trade.side, self.trade.quantity, self.trade.price)

    @property
    def keys(self) -> tuple[str, ...]:
        """What it may be booked under."""
        names = self.listing.listing_id, self.listing.symbol
        return (*self.fill_ids, *(f"{name} {self.trade.trade_id}" for name in names))


@dataclass(frozen=True)
class Account:
    """The wallets of an account, of which a statement is imported into one."""

    connection: Connection
    wallet: Wallet
    wallets: Sequence[Wallet]

    @cached_property
    def names(self) -> list[str]:
        """Of its wallets."""
        return [wallet.name for wallet in self.wallets]

    def new_trades(
        self, rows: Sequence[StatementTrade | StatementCash], now: datetime, *, ours: bool = False
    ) -> list[StatedTrade]:
        """The trades that no wallet of the account has yet, in the order of their times.

        Args:
            ours: the rows are corrections that we wrote ourselves, so that no order made them.

        Raises:
            StatementError: a row is of another wallet's instrument or time, an id is booked as another trade, or an
                order that is under way may have made the trade.
        """
        faults = list(_faults(self.wallet, rows, now))
        if faults:
            raise StatementError(faults)
        found = list(self._identified([row for row in rows if isinstance(row, StatementTrade)]))
        booked = self._booked(found)
        new: dict[str, StatedTrade] = {}
        differing: list[tuple[StatedTrade, Terms]] = []
        for one in found:
            known = _first(booked, one.keys)
            if known is None and one.fill_id in new:
                known = new[one.fill_id].terms
            if known is None:
                new[one.fill_id] = one
            elif known != one.terms:
                differing.append((one, known))
        corrected = self._booked([one for one, _ in differing], STANDING) if differing else {}
        faults = [
            f"row {one.trade.row}: id: expected the trade that is booked under it, {known}, was {one.terms}"
            for one, known in differing
            if one.terms not in (corrected.get(key) for key in one.keys)
        ]
        faults += [] if ours else self._of_open_orders(new.values())
        if faults:
            raise StatementError(faults)
        return sorted(new.values(), key=lambda one: (one.trade.at, one.trade.row))

    def new_movements(self, rows: Sequence[StatementCash]) -> list[Movement]:
        """The movements that no wallet of the account has yet.

        Raises:
            StatementError: an id is booked as another movement.
        """
        found = list(self._identified_cash(rows))
        ids = [movement_id for _, _, movement_ids in found for movement_id in movement_ids]
        known_rows = self.connection.execute(MOVEMENTS, [self.names, ids]).fetchall()
        booked = {movement_id: (wallet, *said) for movement_id, wallet, *said in known_rows}
        new, faults = [], []
        for row, movement, movement_ids in found:
            known = _first(booked, movement_ids)
            said = movement.kind, movement.amount, movement.currency, movement.occurred_at
            if known is None:
                new.append(movement)
            elif known[1:] != said:
                was, expected = (
                    f"{one[0]} of {plain(one[1])} {one[2]} at {stamp(one[3])}" for one in (said, known[1:])
                )
                faults.append(f"row {row.row}: id: expected what wallet {known[0]} has under it, {expected}, was {was}")
        if faults:
            raise StatementError(faults)
        return new

    def _identified(self, trades: Sequence[StatementTrade]) -> Iterator[StatedTrade]:
        holders: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for wallet in self.wallets:
            for listing in wallet.listings:
                holders[listing.symbol].append((wallet.name, listing.listing_id))
        seen: Counter[str] = Counter()
        for trade in trades:
            listing = find_instrument(self.wallet, trade.instrument)
            own = self.wallet.name, listing.listing_id
            content = _trade_id(*own, trade, 0)
            others = (one for one in holders[listing.symbol] if one[0] != self.wallet.name)
            ids = tuple(_trade_id(*one, trade, seen[content]) for one in (own, *others))
            yield StatedTrade(ids[0], ids, listing, trade)
            seen[content] += trade.trade_id is None

    def _identified_cash(self, rows: Sequence[StatementCash]) -> Iterator[tuple[StatementCash, Movement, list[str]]]:
        """Each row as a movement of the wallet, and the ids under which wallets of the account would have it."""
        others = [name for name in self.names if name != self.wallet.name]
        seen: Counter[str] = Counter()
        for row in rows:
            currency = row.currency or self.wallet.currency
            content = _movement_id(self.wallet.name, row, currency, 0)
            ids = [_movement_id(name, row, currency, seen[content]) for name in (self.wallet.name, *others)]
            yield row, Movement(ids[0], row.kind, currency, row.amount, row.at), ids
            seen[content] += row.movement_id is None

    def _booked(self, found: Sequence[StatedTrade], query: str = BOOKED) -> dict[str, Terms]:
        """What is booked (or STANDING), by the fill's id, and by the venue's with the listing.

        Other wallets may trade a symbol by another listing: theirs is by the venue's id with the symbol.
        """
        values = {
            "wallets": self.names,
            "venue_ids": [one.trade.trade_id for one in found if one.trade.trade_id is not None],
            "fill_ids": [fill_id for one in found for fill_id in one.fill_ids],
        }
        booked = {}
        rows = self.connection.execute(query, values).fetchall()
        for wallet, listing_id, symbol, venue_id, fill_id, *terms in rows:
            booked[fill_id] = Terms(*terms)
            if venue_id is not None:
                name = listing_id if wallet == self.wallet.name else symbol
                booked[f"{name} {venue_id}"] = booked[fill_id]
        return booked

    def _of_open_orders(self, trades: Iterable[StatedTrade]) -> Iterator[str]:
        """A fault for each trade that the venue may tell us of later, as the fill of an order."""
        if self.wallet.broker == "paper":
            return  # what it fills stands in nobody's statement
        orders = self.connection.execute(OPEN, [self.names]).fetchall()
        for one in trades:
            trade = one.trade
            for intent_id, wallet, symbol, side, quantity, intended_at in orders:
                is_its = (symbol, side) == (one.listing.symbol, trade.side)
                if is_its and trade.quantity <= quantity and trade.at >= intended_at - CLOCKS:
                    yield (
                        f"row {trade.row}: expected a trade of no order that is under way, was one that order "
                        f"{intent_id} of wallet {wallet} may have made; import it when that order is over"
                    )
                    break


def _first(booked: Mapping[str, T], keys: Iterable[str]) -> T | None:
    return next((booked[key] for key in keys if key in booked), None)


def _trade_id(wallet: str, listing_id: int, trade: StatementTrade, place: int) -> str:
    """The id of a trade in a wallet: by the venue's, else by what the row says and the equal rows before it."""
    scope = STATEMENT, wallet, listing_id
    if trade.trade_id is not None:
        return base32_id(*scope, "id", trade.trade_id)
    amounts = plain(trade.quantity), plain(trade.price), plain(trade.fee)
    return base32_id(base32_id(*scope, "row", trade.at, trade.side, *amounts, trade.fee_currency), place)


def _movement_id(wallet: str, row: StatementCash, currency: str, place: int) -> str:
    if row.movement_id is not None:
        return base32_id(STATEMENT, wallet, "id", row.movement_id)
    return base32_id(base32_id(STATEMENT, wallet, "row", row.at, row.kind, currency, plain(row.amount)), place)


def _faults(wallet: Wallet, rows: Sequence[StatementTrade | StatementCash], now: datetime) -> Iterator[str]:
    if wallet.mode == "replay":
        yield f"wallet {wallet.name}: expected one that trades, was a replay, which is over"
    for row in rows:
        if not wallet.opened_at <= row.at <= now:
            yield (
                f"row {row.row}: time: expected {stamp(wallet.opened_at)}, when wallet {wallet.name} was opened, "
                f"to now, was {stamp(row.at)}"
            )
        if isinstance(row, StatementTrade):
            try:
                find_instrument(wallet, row.instrument)
            except LookupError as error:
                yield f"row {row.row}: {error}"
