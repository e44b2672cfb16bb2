"""Splits of what a wallet trades, booked once each: units, cost, orders under way and the fraction that is no lot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product

from strades_pipelines.brokerage.brokers.paper.accounts import split_account
from strades_pipelines.brokerage.ledger import post_entries, rework_position
from strades_pipelines.brokerage.order_book import open_orders, request_cancel
from strades_pipelines.brokerage.portfolio import Wallet, load_fills
from strades_pipelines.brokerage.prices import Connection, last_closes
from strades_pipelines.brokerage.rows import Row, insert
from strades_pipelines.brokerage.sleeves import fill_owners
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.cost_basis import sum_exact
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger import Entry, plain
from strades_pipelines.market.owners import owned_positions
from strades_pipelines.market.rounding import EXACT, scaled, to_lots, to_ticks
from strades_pipelines.market.splits import Split, ratio_of, ratio_since

# A split is stated once by each venue of a market, and known at the opening of its session.
STATED = """
    SELECT listing_id, ex_date, knowledge_time, ratio FROM records.market_splits
    WHERE listing_id = ANY(%(listings)s) AND knowledge_time <= %(now)s AND ratio <> 1 AND ratio < 'Infinity'
    ORDER BY knowledge_time, listing_id
"""
# Clean bars that were made before their split was known: `cleaned` has yet to be built.
STALE = """
    SELECT FROM records.split_adjustments AS a
    INNER JOIN cleaned.daily_bars AS d ON a.fetch_id = d.fetch_id AND d.open_time BETWEEN a.from_time AND a.to_time
    WHERE d.listing_id = %s AND a.recorded_at > d.recorded_at LIMIT 1
"""


SAME_SPLIT = timedelta(days=45)  # a provider that corrects the day of a split moves it by less
TOO_NEAR = timedelta(days=14)  # no listing splits twice within


class SplitError(ValueError):
    """A split stands in the way of a wallet; one line."""


@dataclass(frozen=True, slots=True)
class DueSplit:
    """A split that a wallet has yet to book; `at` is the first instant in new units, UTC."""

    listing_id: int
    ex_date: date
    at: datetime
    ratio: Fraction


def due_splits(connection: Connection, wallet: Wallet, *, now: datetime) -> list[DueSplit]:
    """The splits since a wallet was opened that are known at `now` and not booked, oldest first. Writes nothing.

    A split that was booked under another day, which its source has corrected since, is booked.

    Raises:
        SplitError: one that is booked has another ratio now, or another day, with fills in between; or two are stated
            so near each other that one is a correction of the other.
    """
    values = {"listings": [listing.listing_id for listing in wallet.listings], "now": now}
    found = connection.execute(STATED, values).fetchall()
    stated = [DueSplit(listing_id, day, at, ratio_of(ratio)) for listing_id, day, at, ratio in found if ratio > 0]
    unbooked = [one for one in stated if _booked_as(connection, wallet, one, stated) is None]
    due = [one for one in unbooked if one.at >= wallet.opened_at]
    for one, other in product(due, stated):
        if one != other and one.listing_id == other.listing_id and abs(one.ex_date - other.ex_date) <= TOO_NEAR:
            raise SplitError(
                f"wallet {wallet.name}: {_listing(wallet, one.listing_id).name}: expected one split in two weeks, was "
                f"{one.ratio} on {one.ex_date} and {other.ratio} on {other.ex_date}; correct the source"
            )
    return due


def _booked_as(connection: Connection, wallet: Wallet, one: DueSplit, stated: Sequence[DueSplit]) -> Split | None:
    """The booked split that a stated one is, or None."""
    own = [split for split in wallet.splits if split.listing_id == one.listing_id]
    days = {other.ex_date for other in stated if other.listing_id == one.listing_id}
    same = [split for split in own if split.ex_date == one.ex_date]
    moved = [
        split
        for split in own
        if split.ex_date not in days and split.ratio == one.ratio and abs(split.ex_date - one.ex_date) <= SAME_SPLIT
    ]
    if not same and not moved:
        return None
    booked = (same or moved)[0]
    first, last = sorted((booked.at, one.at))
    # All fills are read for a day that was corrected alone: every pass comes here for every split that is booked.
    between = first < last and any(
        fill.listing_id == one.listing_id and first <= fill.filled_at < last for fill in load_fills(connection, wallet)
    )
    if booked.ratio != one.ratio or between:
        raise SplitError(
            f"wallet {wallet.name}: split of {_listing(wallet, one.listing_id).name} on {booked.ex_date}: expected the "
            f"ratio {booked.ratio}, as it was booked, was {one.ratio} on {one.ex_date}; correct the source, or go on "
            "with a new wallet"
        )
    return booked


def book_splits(connection: Connection, wallet: Wallet, *, now: datetime) -> Wallet:
    """Book the splits that are due, all in one transaction; returns the wallet as it is then. Commits what it books.

    Args:
        connection: it holds the wallet's lock.

    Raises:
        SplitError: bars are still in old shares, or a split that is booked has another ratio now.
    """
    due = due_splits(connection, wallet, now=now)
    if not due:
        return wallet
    for split in due:
        _check_bars(connection, wallet, split)
    for place, split in enumerate(due):
        wallet = _book(connection, wallet, split, later=due[place + 1 :], now=now)
    crash_point("trading.split_written")
    connection.commit()
    crash_point("trading.split_committed")
    return wallet


def _check_bars(connection: Connection, wallet: Wallet, due: DueSplit) -> None:
    if wallet.interval == "1d" and connection.execute(STALE, [due.listing_id]).fetchone() is not None:
        raise SplitError(
            f"wallet {wallet.name}: split of {_listing(wallet, due.listing_id).name} on {due.ex_date}: daily bars are "
            "still in the shares of before it; nothing is traded until `cleaned` is built (`strades run`)"
        )


def _book(connection: Connection, wallet: Wallet, due: DueSplit, *, later: list[DueSplit], now: datetime) -> Wallet:
    """Book one split; returns the wallet with it."""
    listing = _listing(wallet, due.listing_id)
    [(restates,)] = connection.execute(
        "SELECT adjustment <> 'raw' FROM records.listings WHERE listing_id = %s", [due.listing_id]
    ).fetchall()
    none = Decimal(0)
    split = Split(wallet.name, due.listing_id, due.ex_date, due.at, due.ratio, none, none, restates, now)
    units = sum_exact(scaled(held, due.ratio) for held in _held_before(connection, wallet, split))
    taken = EXACT.subtract(units, to_lots(units, listing.lot))
    if taken:
        cash = EXACT.multiply(taken, _price_after(connection, wallet, split, later))
        split = replace(split, taken=taken, cash=cash)
    insert(connection, "trading.movements", _row(wallet, listing, split))
    entry = Entry("split", split.movement_id, split.at, wallet.currency, split.cash)
    post_entries(connection, wallet.name, [entry], at=now)
    wallet = replace(wallet, splits=tuple(sorted((*wallet.splits, split), key=lambda one: (one.at, one.listing_id))))
    rework_position(connection, wallet, split.listing_id, at=now)
    split_account(connection, wallet, split, lot=listing.lot)
    for known in open_orders(connection, wallet):
        if known.order.listing_id == split.listing_id and known.order.decided_at < split.at:
            request_cancel(connection, known.order.decision_id, by=f"the {split.title}", at=split.at, now=now)
    return wallet


def _held_before(connection: Connection, wallet: Wallet, split: Split) -> list[Decimal]:
    """The units that each owner held when the listing began to trade in new ones, in old ones."""
    fills = [
        fill
        for fill in load_fills(connection, wallet)
        if fill.listing_id == split.listing_id and fill.filled_at < split.at
    ]
    before = [one for one in wallet.splits if one.at < split.at]
    owned = owned_positions(fills, fill_owners(connection, wallet.name), before)
    return [
        position.quantity for (_, listing_id), position in owned.positions.items() if listing_id == split.listing_id
    ]


def _price_after(connection: Connection, wallet: Wallet, split: Split, later: list[DueSplit]) -> Decimal:
    """The last price before the split, in new units: what a fraction is paid out at."""
    listing = _listing(wallet, split.listing_id)
    close = last_closes(connection, [listing], interval=wallet.interval, known_at=split.at).get(listing.listing_id)
    if close is None:
        return Decimal(0)
    ratio = 1 / split.ratio
    if split.restates:  # the bar is in the units of now
        ratio = ratio_since(wallet.splits, listing.listing_id, split.at)
        for one in later:
            ratio *= one.ratio if one.listing_id == listing.listing_id else 1
    return to_ticks(float(scaled(close, ratio)), listing.tick)


def _row(wallet: Wallet, listing: Listing, split: Split) -> Row:
    return {
        "wallet": wallet.name,
        "movement_id": split.movement_id,
        "kind": "split",
        "currency": wallet.currency,
        "amount": plain(split.cash),
        "occurred_at": split.at,
        "reason": f"{split.title} of {listing.name}",
        "recorded_at": split.recorded_at,
        "listing_id": split.listing_id,
        "ex_date": split.ex_date,
        "ratio": str(split.ratio),
        "units_taken": plain(split.taken),
    }


def _listing(wallet: Wallet, listing_id: int) -> Listing:
    return next(listing for listing in wallet.listings if listing.listing_id == listing_id)
