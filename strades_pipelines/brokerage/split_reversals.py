"""Take a booked split back: its inverse at the same instant, a line of its own. Nothing that is booked is changed."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.brokers.paper.accounts import split_account
from strades_pipelines.brokerage.order_book import open_orders, request_cancel
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.splits import held_before, post_split
from strades_pipelines.market.cost_basis import sum_exact
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.rounding import EXACT, scaled
from strades_pipelines.market.split_arithmetic import Split


def take_back_split(connection: Connection, wallet: Wallet, listing: Listing, split: Split, *, now: datetime) -> Wallet:
    """Book the inverse of a split; returns the wallet with it. Commits nothing.

    What was held before it is held again, to the last digit: a fraction that was paid out is bought back at what it
    brought. What was filled since stays as it was filled. Orders of the listing are cancelled: their sizes rest on
    units that were never there.

    Args:
        connection: it holds the wallet's lock.
        split: one that the wallet has booked, and not taken back.
    """
    until = [one for one in wallet.splits if one.at < split.at or one == split]
    before = sum_exact(held_before(connection, wallet, split, [one for one in until if one != split]))
    units = sum_exact(scaled(held, 1 / split.ratio) for held in held_before(connection, wallet, split, until))
    taken = EXACT.subtract(units, before)
    cash = EXACT.subtract(Decimal(0), split.cash)
    inverse = replace(split, ratio=1 / split.ratio, taken=taken, cash=cash, recorded_at=now)
    reason = f"{split.title} of {listing.name}, taken back"
    wallet = post_split(connection, wallet, listing, inverse, reason=reason, now=now)
    split_account(connection, wallet, inverse, lot=listing.lot, returned=EXACT.subtract(Decimal(0), taken))
    for known in open_orders(connection, wallet):
        if known.order.listing_id == split.listing_id:
            request_cancel(connection, known.order.decision_id, by=f"the {reason}", at=now, now=now)
    return wallet
