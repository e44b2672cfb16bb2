"""A wallet stepped through the past: signals, trading and results of a window come from one stepping, and at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from strades_pipelines.brokerage.feed import StoredFeed, read_feed
from strades_pipelines.brokerage.portfolio import wallet_row
from strades_pipelines.brokerage.prices import find_listings
from strades_pipelines.brokerage.results import equity_rows, performance_row
from strades_pipelines.brokerage.rows import (
    Row,
    cash_row,
    decision_row,
    fill_row,
    frame,
    intent_row,
    line_row,
    position_row,
    refusal_row,
)
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.bulk import load
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.books import Books
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger import chain, deposit, entries, plain
from strades_pipelines.market.risk import Limits
from strades_pipelines.strategy.registry import code_hash
from strades_pipelines.strategy.session import Session
from strades_pipelines.strategy.simulation import Journal, SimulatedBroker, WindowClock

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

KEYS = {
    "trading.wallets": ["wallet"],
    "signals.decisions": ["decision_id"],
    "trading.refusals": ["decision_id"],
    "trading.intents": ["intent_id"],
    "trading.orders": ["intent_id"],
    "trading.fills": ["fill_id"],
    "trading.positions": ["wallet", "listing_id"],
    "trading.cash": ["wallet", "currency"],
    "trading.ledger": ["wallet", "sequence"],
    "results.equity": ["wallet", "time"],
    "results.performance": ["wallet"],
}


@dataclass(frozen=True)
class Replayed:
    """What a replay came to, and whether it was new. `wallet` is None where there was nothing to step through."""

    wallet: str | None
    written: bool
    bars: int
    rows: dict[str, int]


def replay(
    adbc: "AdbcConnection", template: WalletTemplate, *, start: datetime, end: datetime, now: datetime
) -> Replayed:
    """Step a fresh wallet through `[start, end)` and write all that came of it in one transaction.

    The wallet's name is a function of template, code, window and inputs: with nothing changed it is there already, and
    nothing is done.

    Raises:
        StrategyError: when the strategy raises; nothing is written then.
        LookupError: for an instrument the database does not know.
    """
    try:
        with adbc.cursor() as cursor:
            listings = find_listings(cursor, template.instruments)
            strategy = template.new_strategy()
            feed = read_feed(
                cursor,
                listings,
                interval=template.interval,
                opened_at=start,
                end=end,
                lookback=strategy.lookback,
                models=strategy.models,
            )
            if feed.as_of is None:
                return Replayed(None, written=False, bars=0, rows={})
            wallet = replay_name(template, start, end, feed, code_hash(strategy))
            cursor.execute("SELECT wallet FROM trading.wallets WHERE wallet = $1", [wallet])
            if cursor.fetchone():
                return Replayed(wallet, written=False, bars=feed.bars, rows={})
            rows = simulate(template, wallet, listings, feed, start=start, end=end, now=now)
            for table, added in rows.items():
                if added:
                    load(cursor, table, frame(added), key=KEYS[table], now=now)
        crash_point("trading.replay_written")
        adbc.commit()
    finally:
        adbc.rollback()
    return Replayed(wallet, written=True, bars=feed.bars, rows={table: len(added) for table, added in rows.items()})


def replay_name(template: WalletTemplate, start: datetime, end: datetime, feed: StoredFeed, code: str) -> str:
    """`<template>@<12 characters>`: the same for the same question to the same code over the same inputs."""
    parameters = (f"{name}={value!r}" for name, value in template.new_strategy().parameters.items())
    setting = template.interval, template.currency, plain(template.cash), plain(template.fee_rate)
    cause = base32_id(
        template.strategy, *parameters, code, *template.instruments, *setting, start, end, feed.as_of, feed.inputs_hash
    )
    return f"{template.name}@{cause[:12]}"


def simulate(
    template: WalletTemplate,
    wallet: str,
    listings: Sequence[Listing],
    feed: StoredFeed,
    *,
    start: datetime,
    end: datetime,
    now: datetime,
) -> dict[str, list[Row]]:
    """Step the wallet and return the rows of every table, in the order in which they refer to each other."""
    journal = Journal(wallet, start, template.new_strategy())
    broker = SimulatedBroker(listings, Books(template.cash), Limits(start, template.max_age, template.fee_rate))
    Session(feed, WindowClock(end), broker, journal).run()
    opening = wallet_row(template, wallet, opened_at=start, window_end=end, as_of=feed.as_of)
    lines = [deposit(wallet, template.cash, template.currency, start)]
    lines += [entry for fill in journal.fills for entry in entries(fill)]
    last = {fill.listing_id: fill.knowledge_time for fill in journal.fills}
    curves = equity_rows(journal, float(template.cash))
    return {
        "trading.wallets": [opening],
        "signals.decisions": [decision_row(decision, now) for decision in journal.decisions],
        "trading.refusals": [refusal_row(refusal, wallet, now) for refusal in broker.refusals],
        "trading.intents": [intent_row(order, wallet, now) for order in broker.orders.values()],
        "trading.orders": _orders(wallet, broker, journal),
        "trading.fills": [fill_row(fill, wallet, now) for fill in journal.fills],
        "trading.positions": [position_row(broker.books, listing, wallet, at) for listing, at in last.items()],
        "trading.cash": [cash_row(broker.books, wallet, template.currency, max(last.values(), default=start))],
        "trading.ledger": [line_row(line, wallet) for line in chain(wallet, lines)],
        "results.equity": curves,
        "results.performance": [performance_row(wallet, curves, journal.fills)],
    }


def _orders(wallet: str, broker: SimulatedBroker, journal: Journal) -> list[Row]:
    filled = {fill.intent_id: fill.knowledge_time for fill in journal.fills}
    rows = []
    for order in broker.orders.values():
        state, reason, updated_at = "open", None, order.decided_at
        if order.intent_id in filled:
            state, updated_at = "filled", filled[order.intent_id]
        elif order.intent_id in broker.rejected:
            reason, updated_at = broker.rejected[order.intent_id]
            state = "rejected"
        rows.append(
            {
                "intent_id": order.intent_id,
                "wallet": wallet,
                "broker": "replay",
                "state": state,
                "reason": reason,
                "submitted_at": order.decided_at,
                "updated_at": updated_at,
            }
        )
    return rows
