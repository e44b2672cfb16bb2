"""What a wallet's daily loss and drawdown count from: its equity at the bars and fills, one by one as they are new."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby

from strades_pipelines.brokerage.holdings import load_books
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection, bar_table, last_closes, of_interval
from strades_pipelines.brokerage.trading_rows import insert
from strades_pipelines.market.books import ZERO, Books, Position
from strades_pipelines.market.rounding import exact, scaled
from strades_pipelines.market.split_arithmetic import ratio_since

MARK = "SELECT sequence, marked_at, equity, peak, day, day_equity FROM trading.equity_marks WHERE wallet = %s"
# A fill and its fee count from when we knew of them, as they do in the engine.
LINES = """
    SELECT l.sequence, coalesce(f.known_at, l.occurred_at), l.amount,
        l.kind NOT IN ('deposit', 'withdrawal', 'transfer'), f.listing_id,
        CASE WHEN l.kind <> 'fill' THEN 0 WHEN f.side = 'buy' THEN f.quantity ELSE -f.quantity END
            - CASE WHEN l.kind = 'fill' AND f.fee_in_units THEN f.fee ELSE 0 END,
        f.filled_at, l.reference
    FROM trading.ledger AS l LEFT JOIN trading.fills AS f ON l.reference = f.fill_id AND l.kind IN ('fill', 'fee')
    WHERE l.wallet = %s AND l.currency = %s AND l.sequence > %s ORDER BY l.sequence
"""


@dataclass(frozen=True, slots=True)
class EquityMark:
    """A wallet's equity at `marked_at`, the highest so far, and that before the first event of the day (UTC)."""

    sequence: int
    marked_at: datetime
    equity: Decimal
    peak: Decimal
    day: date
    day_equity: Decimal

    def with_equity(self, equity: Decimal, at: datetime) -> "EquityMark":
        """The mark once the wallet is worth `equity` at a time that is not before it."""
        opening = self.day_equity if at.date() == self.day else self.equity
        return EquityMark(self.sequence, at, equity, max(self.peak, equity), at.date(), opening)

    def shifted_by(self, paid_in: Decimal) -> "EquityMark":
        """The mark as if so much more money had always been there."""
        return replace(
            self, equity=self.equity + paid_in, peak=self.peak + paid_in, day_equity=self.day_equity + paid_in
        )


@dataclass(frozen=True, slots=True)
class Change:
    """At a time: cash and units that moved, or a new price. What was paid in or out is no profit and no loss."""

    at: datetime
    cash: Decimal = ZERO
    paid_in: Decimal = ZERO
    listing_id: int | None = None
    units: Decimal = ZERO
    price: Decimal | None = None


def bring_up_to_date(
    connection: Connection, wallet: Wallet, prices: Mapping[int, Decimal], *, now: datetime
) -> EquityMark:
    """The mark as of `now`, whose prices are given. Reads what is new since the last time; commits nothing.

    The last prices count too, though they may have come late: they do not move the time up to which bars are read.
    """
    mark = _load(connection, wallet)
    books = load_books(connection, wallet)
    lines = list(_lines(connection, wallet, mark.sequence))
    before = _before(books, [change for _, change in lines])
    moved = {*before.positions, *(change.listing_id for _, change in lines if change.listing_id is not None)}
    known = last_closes(connection, wallet.listings, interval=wallet.interval, known_at=mark.marked_at)
    bars = list(_bars(connection, wallet, moved, mark.marked_at, now)) if moved else []
    mark = walk(mark, before, known, [*(change for _, change in lines), *bars])
    if lines:
        mark = replace(mark, sequence=lines[-1][0])
    latest = mark.with_equity(books.equity(prices), now)
    mark = replace(mark, peak=latest.peak)
    row = {"wallet": wallet.name, **{name: getattr(mark, name) for name in EquityMark.__slots__}}
    insert(connection, "trading.equity_marks", row, replace=["wallet"])
    return latest


def walk(mark: EquityMark, books: Books, prices: Mapping[int, Decimal], changes: Iterable[Change]) -> EquityMark:
    """The mark after the changes, taken in the order of their times; those of one instant count together.

    Args:
        books: as they were at the mark.
        prices: by listing id, as they were at the mark.
    """
    known, start = dict(prices), mark.marked_at
    # What comes late counts at the mark, in its own order.
    ordered = sorted(changes, key=lambda change: change.at)
    for at, group in groupby(ordered, key=lambda change: max(change.at, start)):
        paid_in = ZERO
        for change in group:
            books.cash += change.cash
            paid_in += change.paid_in
            if change.listing_id is not None and change.price is not None:
                known[change.listing_id] = change.price
            elif change.listing_id is not None:
                held = books.positions.get(change.listing_id, Position())
                books.positions[change.listing_id] = Position(held.quantity + change.units, held.average_price)
        # Valued without what was paid in, then shifted by it: a deposit makes no new peak, a withdrawal no drawdown.
        mark = mark.with_equity(books.equity(known) - paid_in, at).shifted_by(paid_in)
    return mark


def _load(connection: Connection, wallet: Wallet) -> EquityMark:
    row = connection.execute(MARK, [wallet.name]).fetchone()
    if row is not None:
        return EquityMark(*row)
    cash = wallet.opening_cash
    return EquityMark(0, wallet.opened_at, cash, cash, wallet.opened_at.date(), cash)


def _lines(connection: Connection, wallet: Wallet, after: int) -> Iterator[tuple[int, Change]]:
    """The lines after one, each with what it changed; units are those that the bars are in."""
    rows = connection.execute(LINES, [wallet.name, wallet.currency, after]).fetchall()
    restating = [split for split in wallet.splits if split.restates]
    splits = {split.movement_id: split for split in wallet.splits}
    for sequence, at, amount, is_earned, listing_id, units, filled_at, reference in rows:
        if reference in splits:
            listing_id, filled_at = splits[reference].listing_id, splits[reference].at
            units = -splits[reference].taken
        if listing_id is not None:
            units = scaled(Decimal(units), ratio_since(restating, listing_id, filled_at))
        yield sequence, Change(at, amount, ZERO if is_earned else amount, listing_id, Decimal(units))


def _before(books: Books, changes: Sequence[Change]) -> Books:
    """The books as they were before the changes."""
    moved: dict[int, Decimal] = defaultdict(Decimal)
    for change in changes:
        if change.listing_id is not None:
            moved[change.listing_id] += change.units
    positions = {
        listing_id: Position(books.held(listing_id) - moved[listing_id], books.average_price(listing_id))
        for listing_id in {*books.positions, *moved}
    }
    held = {listing_id: position for listing_id, position in positions.items() if position.quantity}
    return Books(books.cash - sum((change.cash for change in changes), ZERO), held)


def _bars(
    connection: Connection, wallet: Wallet, listings: Iterable[int], after: datetime, now: datetime
) -> Iterator[Change]:
    rows = connection.execute(
        f"""
        SELECT knowledge_time, listing_id, close FROM {bar_table(wallet.interval)}
        WHERE listing_id = ANY(%s) AND {of_interval(wallet.interval)} AND knowledge_time > %s AND knowledge_time <= %s
        """,
        [list(listings), after, now],
    )
    for at, listing_id, close in rows:
        yield Change(at, listing_id=listing_id, price=exact(close))
