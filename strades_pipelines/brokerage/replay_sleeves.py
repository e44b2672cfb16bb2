"""A wallet of several strategies stepped through the past: each by itself, and all in the wallet's one account.

A sleeve trades from its own position with its own part of the cash, and those parts come to no more than the wallet
has. So, where no limit measures the whole wallet, what one of them may do never depends on another: each is stepped
alone, and their fills are one ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from strades_pipelines.brokerage.equity_curve import Curve
from strades_pipelines.brokerage.feed import StoredFeed
from strades_pipelines.brokerage.prices import find_listings
from strades_pipelines.brokerage.replay import read_replay_feed, replay_name, step_replay, write_replay
from strades_pipelines.brokerage.replay_orders import ReplayOrders
from strades_pipelines.brokerage.results import last_closes_at, result_rows
from strades_pipelines.brokerage.trading_rows import (
    Row,
    cash_row,
    decision_row,
    fill_row,
    intent_row,
    line_row,
    position_row,
    refusal_row,
)
from strades_pipelines.brokerage.wallet_rows import sleeve_row, wallet_row
from strades_pipelines.brokerage.wallets import WalletsError, WalletTemplate
from strades_pipelines.engine.columns import Floats, Integers
from strades_pipelines.market.attribution import contribution
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Books
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import chain, deposit, entries, plain
from strades_pipelines.market.owners import owned_positions
from strades_pipelines.strategy.events import microseconds

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

    from strades_pipelines.brokerage.replay import Replayed

# Limits that measure one order, or are the same for a part: all others are of the whole wallet at one moment.
OF_AN_ORDER = frozenset(
    {"long_only", "restricted", "open_market_only", "price_collar_percent", "max_order_units", "max_order_notional"}
    | {"max_price_age_seconds"}
)


@dataclass(frozen=True)
class Part:
    """A sleeve's template as a wallet of its own, its listings, and what it is fed with."""

    sleeve: str
    template: WalletTemplate
    listings: Sequence[Listing]
    feed: StoredFeed


def replay_several(
    adbc: "AdbcConnection", template: WalletTemplate, *, start: datetime, end: datetime, now: datetime
) -> "Replayed":
    """Step a fresh wallet of several strategies through `[start, end)`, as `replay` does.

    Raises:
        WalletsError: for a limit that measures the whole wallet, and for a strategy whose orders need a position of the
            wallet's own.
        StrategyError: when a strategy raises; nothing is written then.
    """
    template.check()
    if wide := sorted(template.limits.written.keys() - OF_AN_ORDER):
        raise WalletsError(
            f"limits: {', '.join(wide)}: a replay steps each of several strategies by itself, and measures no limit of "
            "the whole wallet; leave it out, or replay each strategy in a wallet of its own"
        )
    try:
        with adbc.cursor() as cursor:
            parts = []
            for one in template.sleeves:
                view = template.view_of(one)
                listings = find_listings(cursor, view.instruments)
                parts.append(Part(one.name, view, listings, read_replay_feed(cursor, view, listings, start, end)))
            listings = find_listings(cursor, template.instruments)
        names = [_name(part, start, end) for part in parts if part.feed.as_of is not None]
        name = f"{template.name}@{base32_id(*names, plain(template.cash))[:12]}"
        return write_replay(
            adbc,
            template,
            name if names else None,
            lambda: simulate_several(template, name, listings, parts, start=start, end=end, now=now),
            bars=sum(part.feed.bars for part in parts),
            start=start,
            end=end,
            now=now,
        )
    finally:
        adbc.rollback()


def _name(part: Part, start: datetime, end: datetime) -> str:
    return f"{part.sleeve}:{replay_name(part.template, start, end, part.feed)}"


def simulate_several(
    template: WalletTemplate,
    wallet: str,
    listings: Sequence[Listing],
    parts: Sequence[Part],
    *,
    start: datetime,
    end: datetime,
    now: datetime,
) -> dict[str, list[Row]]:
    """Step the strategies and return the rows of every table, in the order in which they refer to each other.

    Raises:
        StrategyError, WalletsError: as `replay_several`.
    """
    done, instants = _step_parts(wallet, parts, start=start, end=end)
    owners = {fill.content_id: sleeve for sleeve, one in done.items() for fill in one.fills}
    fills = sorted(
        (fill for one in done.values() for fill in one.fills), key=lambda fill: (fill.knowledge_time, fill.filled_at)
    )
    books = Books(template.cash)
    for fill in fills:
        books.apply(fill)
    owned = owned_positions(fills, owners, ())
    last = {fill.listing_id: fill.knowledge_time for fill in fills}
    curve, prices = _curve(template, listings, parts, fills, np.unique(np.concatenate(instants)), start)
    lines = [deposit(wallet, template.cash, template.currency, start), *(e for fill in fills for e in entries(fill))]
    made_by = [(part, done[part.sleeve]) for part in parts]
    as_of = max(part.feed.as_of for part in parts if part.feed.as_of is not None)
    return {
        "trading.wallets": [wallet_row(template, wallet, opened_at=start, window_end=end, as_of=as_of)],
        "trading.sleeves": [sleeve_row(wallet, one, opened_at=start) for one in template.sleeves],
        "signals.decisions": [decision_row(made, now) for _, one in made_by for made in one.decisions],
        "trading.refusals": [refusal_row(refusal, wallet, now) for _, one in made_by for refusal in one.refusals],
        "trading.intents": [
            intent_row(order, wallet, "replay", now) for _, one in made_by for order in one.orders.values()
        ],
        "trading.order_events": [row for _, one in made_by for row in one.event_rows()],
        "trading.fills": [fill_row(fill, wallet, now) for fill in fills],
        "trading.positions": [
            position_row(wallet, listing, position, last[listing]) for listing, position in owned.by_listing().items()
        ],
        "trading.owner_positions": [
            position_row(wallet, listing, position, last[listing]) | {"owner": owner}
            for (owner, listing), position in owned.positions.items()
        ],
        "trading.cash": [cash_row(wallet, template.currency, books.cash, max(last.values(), default=start))],
        "trading.ledger": [line_row(line, wallet) for line in chain(wallet, lines)],
        **result_rows(wallet, listings, curve, prices, float(template.cash), fills),
    }


def _step_parts(
    wallet: str, parts: Sequence[Part], *, start: datetime, end: datetime
) -> tuple[dict[str, ReplayOrders], list[Integers]]:
    """The orders of each strategy, by its name, and the instants at which any of them had an event."""
    orders: dict[str, ReplayOrders] = {}
    instants: list[Integers] = []
    for part in parts:
        journal, progress = step_replay(
            part.template, wallet, part.listings, part.feed, start=start, end=end, strategy=part.sleeve
        )
        for decision in journal.made:
            if decision.request and (decision.request.terms.reduce_only or decision.request.terms.parent_id):
                raise WalletsError(
                    f"strategy {part.sleeve}: orders that only reduce, and brackets, need a wallet alone"
                )
        orders[part.sleeve] = ReplayOrders(part.template, part.listings, journal, part.feed.standings)
        instants += progress.instants
    return orders, instants


def _curve(
    template: WalletTemplate,
    listings: Sequence[Listing],
    parts: Sequence[Part],
    fills: Sequence[Fill],
    times: np.ndarray[tuple[int], np.dtype[np.int64]],
    start: datetime,
) -> tuple[Curve, Floats]:
    """The wallet's values at each instant, and the last closes of its listings at them."""
    times = times[times >= microseconds(start)]
    prices = np.full((len(times), len(listings)), np.nan)
    for part in parts:
        own = last_closes_at(part.feed.columns, len(part.listings), times)
        for i, listing in enumerate(part.listings):
            prices[:, _place(listings, listing)] = own[:, i]
    known = np.array([microseconds(fill.knowledge_time) for fill in fills], np.int64)
    spent = np.cumsum([0.0, *(float(fill.cash) for fill in fills)])
    cash = float(template.cash) + spent[np.searchsorted(known, times, side="right")]
    equity = cash.copy()
    for i, listing in enumerate(listings):
        traded = [fill for fill in fills if fill.listing_id == listing.listing_id]
        traded_at = np.array([microseconds(fill.knowledge_time) for fill in traded], np.int64)
        equity += contribution(traded, traded_at, times, prices[:, i]).value
    return Curve(times, cash, equity), prices


def _place(listings: Sequence[Listing], listing: Listing) -> int:
    return next(i for i, one in enumerate(listings) if one.listing_id == listing.listing_id)
