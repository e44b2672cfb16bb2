"""Splits of what a wallet trades, booked once each: units, cost, orders under way and the fraction that is no lot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from typing import Any

import psycopg

from strades_pipelines.brokerage.brokers.paper.accounts import split_account
from strades_pipelines.brokerage.brokers.venue import account_of
from strades_pipelines.brokerage.findings import Code, Finding, halt_for_finding
from strades_pipelines.brokerage.ledger import post_entries, rework_position
from strades_pipelines.brokerage.order_book import open_orders, request_cancel
from strades_pipelines.brokerage.portfolio import Wallet, load_fills, load_wallet
from strades_pipelines.brokerage.prices import Connection, last_closes
from strades_pipelines.brokerage.sleeves import fill_owners
from strades_pipelines.brokerage.trading_rows import Row, insert
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.cost_basis import sum_exact
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import Entry, plain
from strades_pipelines.market.owners import owned_positions
from strades_pipelines.market.rounding import EXACT, scaled, to_lots, to_ticks
from strades_pipelines.market.split_arithmetic import Split, ratio_of, ratio_since, standing

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
    return _due(connection, wallet, _read_stated(connection, wallet, now=now))


def withdrawn_splits(connection: Connection, wallet: Wallet, *, now: datetime) -> list[Finding]:
    """The booked splits that no source states any more at `now`: left out, or corrected to 1:1. Writes nothing."""
    return [_withdrawal(wallet, split) for split in _withdrawn(wallet, _read_stated(connection, wallet, now=now))]


def ask_stated(connection: Connection, wallet: Wallet, *, now: datetime) -> psycopg.Cursor[Any]:
    """Ask for the splits that `book_splits` goes by: within a pipeline that costs no wait of its own."""
    return connection.execute(STATED, {"listings": [listing.listing_id for listing in wallet.listings], "now": now})


def _read_stated(
    connection: Connection, wallet: Wallet, *, now: datetime, asked: psycopg.Cursor[Any] | None = None
) -> list[DueSplit]:
    found = (asked or ask_stated(connection, wallet, now=now)).fetchall()
    return [DueSplit(listing_id, day, at, ratio_of(ratio)) for listing_id, day, at, ratio in found if ratio > 0]


def _due(connection: Connection, wallet: Wallet, stated: Sequence[DueSplit]) -> list[DueSplit]:
    unbooked = [one for one in stated if _booked_as(connection, wallet, one, stated) is None]
    due = [one for one in unbooked if one.at >= wallet.opened_at]
    for one, other in product(due, stated):
        if one != other and one.listing_id == other.listing_id and abs(one.ex_date - other.ex_date) <= TOO_NEAR:
            raise SplitError(
                f"wallet {wallet.name}: {_listing(wallet, one.listing_id).name}: expected one split in two weeks, was "
                f"{one.ratio} on {one.ex_date} and {other.ratio} on {other.ex_date}; correct the source"
            )
    return due


def _withdrawn(wallet: Wallet, stated: Sequence[DueSplit]) -> list[Split]:
    # What is stated under the day of another booked one is that one: no split was moved there.
    days = {(split.listing_id, split.ex_date) for split in wallet.splits}
    free = [one for one in stated if (one.listing_id, one.ex_date) not in days]
    return [
        split
        for split in standing(wallet.splits)
        if not any(_is_same(split, one) for one in stated) and not any(_is_moved(split, one, stated) for one in free)
    ]


def _is_same(split: Split, one: DueSplit) -> bool:
    return (split.listing_id, split.ex_date) == (one.listing_id, one.ex_date)


def _is_moved(split: Split, one: DueSplit, stated: Sequence[DueSplit]) -> bool:
    """Whether a booked split is this one, whose day its source has corrected since."""
    return (
        (split.listing_id, split.ratio) == (one.listing_id, one.ratio)
        and abs(split.ex_date - one.ex_date) <= SAME_SPLIT
        and not any(_is_same(split, other) for other in stated)
    )


def _withdrawal(wallet: Wallet, split: Split) -> Finding:
    listing = _listing(wallet, split.listing_id)
    return Finding(
        account_of(wallet),
        (wallet.name,),
        Code.SPLIT_WITHDRAWN,
        split.movement_id,
        f"{listing.name}: the {split.title} is booked, and no source states it any more",
        split.at,
        symbol=listing.symbol,
        listing_id=split.listing_id,
        evidence={"ex_date": str(split.ex_date), "ratio": str(split.ratio)},
    )


def _booked_as(connection: Connection, wallet: Wallet, one: DueSplit, stated: Sequence[DueSplit]) -> Split | None:
    """The booked split that a stated one is, or None."""
    own = standing(wallet.splits)
    same = [split for split in own if _is_same(split, one)]
    moved = [split for split in own if _is_moved(split, one, stated)]
    if not same and not moved:
        if any(_is_same(split, one) for split in wallet.splits):
            raise SplitError(
                f"wallet {wallet.name}: split of {_listing(wallet, one.listing_id).name} on {one.ex_date}: expected "
                "none, as it was taken back, was stated again; leave it out, or go on with a new wallet"
            )
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


def book_splits(
    connection: Connection, wallet: Wallet, *, now: datetime, asked: psycopg.Cursor[Any] | None = None
) -> Wallet:
    """Book the splits that are due, all in one transaction; returns the wallet as it is then. Commits what it books.

    One that is booked and that no source states any more becomes a finding, which halts the wallet. Where there is
    nothing to do, the wallet that is returned is the one that was given.

    Args:
        connection: it holds the wallet's lock.
        asked: what `ask_stated` returned in the same transaction.

    Raises:
        SplitError: bars are still in old shares, or a split that is booked has another ratio now.
    """
    stated = _read_stated(connection, wallet, now=now, asked=asked)
    withdrawn = _withdrawn(wallet, stated)
    for split in withdrawn:
        halt_for_finding(connection, _withdrawal(wallet, split), now=now)
    # Committed here: a SplitError below would take the finding back with the rest.
    if withdrawn:
        connection.commit()
        wallet = load_wallet(connection, wallet.name)
    due = _due(connection, wallet, stated)
    if not due:
        return wallet
    # All are checked before the first is booked.
    for one in due:
        _check_bars(connection, wallet, one)
    for place, one in enumerate(due):
        wallet = _book(connection, wallet, one, later=due[place + 1 :], now=now)
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
    before = [one for one in wallet.splits if one.at < split.at]
    units = sum_exact(scaled(held, due.ratio) for held in held_before(connection, wallet, split, before))
    taken = EXACT.subtract(units, to_lots(units, listing.lot))
    if taken:
        cash = EXACT.multiply(taken, _price_after(connection, wallet, split, later))
        split = replace(split, taken=taken, cash=cash)
    wallet = post_split(connection, wallet, listing, split, reason=f"{split.title} of {listing.name}", now=now)
    split_account(connection, wallet, split, lot=listing.lot)
    for known in open_orders(connection, wallet):
        if known.order.listing_id == split.listing_id and known.order.decided_at < split.at:
            request_cancel(connection, known.order.decision_id, by=f"the {split.title}", at=split.at, now=now)
    return wallet


def post_split(
    connection: Connection, wallet: Wallet, listing: Listing, split: Split, *, reason: str, now: datetime
) -> Wallet:
    """Book the movement of a split, its ledger line and its position; returns the wallet with it. Commits nothing."""
    insert(connection, "trading.movements", _row(wallet, split, reason))
    entry = Entry("split", split.movement_id, split.at, wallet.currency, split.cash)
    post_entries(connection, wallet.name, [entry], at=now)
    wallet = replace(wallet, splits=tuple(sorted((*wallet.splits, split), key=lambda one: (one.at, one.listing_id))))
    rework_position(connection, wallet, split.listing_id, at=now)
    return wallet


def held_before(connection: Connection, wallet: Wallet, split: Split, splits: Sequence[Split]) -> list[Decimal]:
    """The units of each owner that its fills from before a split come to, with `splits` taken in."""
    fills = [
        fill
        for fill in load_fills(connection, wallet)
        if fill.listing_id == split.listing_id and fill.filled_at < split.at
    ]
    owned = owned_positions(fills, fill_owners(connection, wallet.name), splits)
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


def _row(wallet: Wallet, split: Split, reason: str) -> Row:
    return {
        "wallet": wallet.name,
        "movement_id": split.movement_id,
        "kind": "split",
        "currency": wallet.currency,
        "amount": plain(split.cash),
        "occurred_at": split.at,
        "reason": reason,
        "recorded_at": split.recorded_at,
        "listing_id": split.listing_id,
        "ex_date": split.ex_date,
        "ratio": str(split.ratio),
        "units_taken": plain(split.taken),
    }


def _listing(wallet: Wallet, listing_id: int) -> Listing:
    return next(listing for listing in wallet.listings if listing.listing_id == listing_id)
