"""A wallet stepped through the past: signals, trading and results of a window come from one stepping, and at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from strades_pipelines.brokerage.decisions import DecisionJournal
from strades_pipelines.brokerage.equity_curve import curve_of
from strades_pipelines.brokerage.feed import StoredFeed, read_feed
from strades_pipelines.brokerage.hearing import Hearing
from strades_pipelines.brokerage.model_trust import check_models
from strades_pipelines.brokerage.open_hours import read_open_hours
from strades_pipelines.brokerage.prices import find_listings
from strades_pipelines.brokerage.replay_engine import new_engine
from strades_pipelines.brokerage.replay_orders import ReplayOrders
from strades_pipelines.brokerage.results import KEYS as RESULT_KEYS
from strades_pipelines.brokerage.results import last_closes_at, result_rows
from strades_pipelines.brokerage.trade_bar_feed import TradeBars
from strades_pipelines.brokerage.trading_rows import (
    Row,
    cash_row,
    decision_row,
    fill_row,
    frame,
    intent_row,
    line_row,
    position_row,
    refusal_row,
    to_json,
)
from strades_pipelines.brokerage.wallet_rows import wallet_row
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.bulk import load
from strades_pipelines.database.crash import crash_point
from strades_pipelines.engine.session import Progress, Session
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import chain, deposit, entries, plain
from strades_pipelines.strategy.events import BAR, microseconds
from strades_pipelines.strategy.registry import code_hash

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection
    from adbc_driver_manager.dbapi import Cursor

KEYS = {
    "trading.wallets": ["wallet"],
    "trading.sleeves": ["wallet", "sleeve"],
    "signals.decisions": ["decision_id"],
    "trading.refusals": ["decision_id"],
    "trading.intents": ["intent_id"],
    "trading.order_events": ["intent_id", "sequence"],
    "trading.fills": ["fill_id"],
    "trading.positions": ["wallet", "listing_id"],
    "trading.owner_positions": ["wallet", "owner", "listing_id"],
    "trading.cash": ["wallet", "currency"],
    "trading.ledger": ["wallet", "sequence"],
    **RESULT_KEYS,
}
LAST = """
    INSERT INTO trading.replays AS r VALUES ($1, $2, $3, $4)
    ON CONFLICT (name, opened_at, window_end) DO UPDATE SET wallet = excluded.wallet WHERE r.wallet <> excluded.wallet
"""


@dataclass(frozen=True)
class Replayed:
    """The result of a replay, and whether it is new. `wallet` is None where there was nothing to step through."""

    wallet: str | None
    written: bool
    bars: int
    rows: dict[str, int]


def replay(
    adbc: "AdbcConnection", template: WalletTemplate, *, start: datetime, end: datetime, now: datetime
) -> Replayed:
    """Step a fresh wallet through `[start, end)` and write all that came of it in one transaction.

    The wallet's name is a function of template, code, window and inputs: with nothing changed it is there already, and
    nothing is done. `trading.replays` says which wallet the last replay over a window was.

    Raises:
        StrategyError: when the strategy raises; nothing is written then.
        LookupError: for an instrument or a model the database does not know.
        WalletsError: for a wallet that cannot trade.
    """
    try:
        with adbc.cursor() as cursor:
            listings = find_listings(cursor, template.instruments)
            template.check()
            feed = read_replay_feed(cursor, template, listings, start, end)
        name = replay_name(template, start, end, feed) if feed.as_of is not None else None
        return write_replay(
            adbc,
            template,
            name,
            lambda: simulate(template, str(name), listings, feed, start=start, end=end, now=now),
            bars=feed.bars,
            start=start,
            end=end,
            now=now,
        )
    finally:
        adbc.rollback()


def read_replay_feed(
    cursor: "Cursor", template: WalletTemplate, listings: Sequence[Listing], start: datetime, end: datetime
) -> StoredFeed:
    """What a template's one strategy is fed with in `[start, end)`.

    Raises:
        LookupError: for a model that makes no forecasts.
    """
    strategy = template.new_strategy()
    check_models(cursor, strategy.models)
    feed = read_feed(
        cursor,
        listings,
        interval=template.interval,
        opened_at=start,
        end=end,
        lookback=strategy.lookback,
        models=strategy.models,
        hearing=Hearing.of(strategy, template.every),
        by_arrival=False,
    )
    made = TradeBars(template.every, listings, hands_on_trades=strategy.hears_trades())
    columns = made.make(feed.columns, until=microseconds(end) - 1)
    feed = replace(feed, columns=columns, bars=int(np.count_nonzero(columns.kind == BAR)))
    if template.limits.open_market_only:
        feed = replace(feed, open_hours=read_open_hours(cursor, listings, start=start, end=end))
    return feed


def write_replay(
    adbc: "AdbcConnection",
    template: WalletTemplate,
    wallet: str | None,
    make_rows: Callable[[], dict[str, list[Row]]],
    *,
    bars: int,
    start: datetime,
    end: datetime,
    now: datetime,
) -> Replayed:
    """Write the rows of a replay, unless it is there already, and that it is the last over its window. Commits.

    Args:
        wallet: None where there was nothing to step through.
    """
    if wallet is None:
        return Replayed(None, written=False, bars=0, rows={})
    with adbc.cursor() as cursor:
        cursor.execute("SELECT wallet FROM trading.wallets WHERE wallet = $1", [wallet])
        known = cursor.fetchone() is not None
        # The name is a hash of all inputs: a wallet that is there already has these very rows.
        rows = {} if known else make_rows()
        for table, added in rows.items():
            if added:
                load(cursor, table, frame(added), key=KEYS[table], now=now)
        cursor.execute(LAST, [template.name, start, end, wallet])
    crash_point("trading.replay_written")
    adbc.commit()
    count = {table: len(added) for table, added in rows.items()}
    return Replayed(wallet, written=not known, bars=bars, rows=count)


def replay_name(template: WalletTemplate, start: datetime, end: datetime, feed: StoredFeed) -> str:
    """`<template>@<12 characters>`: the same for the same question to the same code over the same inputs."""
    code = code_hash(template.new_strategy())
    parameters = (f"{name}={value!r}" for name, value in template.new_strategy().parameters.items())
    setting = [template.interval, template.currency, plain(template.cash), plain(template.fee_rate)]
    # Only if stated, so that templates without them keep the names of their replays.
    if template.every:
        setting.append(template.every)
    if template.limits.written:
        setting.append(to_json(template.limits.written))
    if template.limits.open_market_only:
        setting.append(repr(feed.open_hours.sessions))
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
    """Step the wallet and return the rows of every table, in the order in which they refer to each other.

    Raises:
        StrategyError: when the strategy raises.
    """
    journal, progress = step_replay(template, wallet, listings, feed, start=start, end=end)
    done = ReplayOrders(template, listings, journal, feed.standings)
    opening = wallet_row(template, wallet, opened_at=start, window_end=end, as_of=feed.as_of)
    lines = [deposit(wallet, template.cash, template.currency, start)]
    lines += [entry for fill in done.fills for entry in entries(fill)]
    last = {fill.listing_id: fill.knowledge_time for fill in done.fills}
    curve = curve_of(progress, microseconds(start), template.cash, done.fills)
    prices = last_closes_at(feed.columns, len(listings), curve.times)
    return {
        "trading.wallets": [opening],
        "signals.decisions": [decision_row(decision, now) for decision in journal.made],
        "trading.refusals": [refusal_row(refusal, wallet, now) for refusal in done.refusals],
        "trading.intents": [intent_row(order, wallet, "replay", now) for order in done.orders.values()],
        "trading.order_events": done.event_rows(),
        "trading.fills": [fill_row(fill, wallet, now) for fill in done.fills],
        "trading.positions": [
            position_row(wallet, listing, done.books.positions[listing], at) for listing, at in last.items()
        ],
        "trading.cash": [cash_row(wallet, template.currency, done.books.cash, max(last.values(), default=start))],
        "trading.ledger": [line_row(line, wallet) for line in chain(wallet, lines)],
        **result_rows(wallet, listings, curve, prices, float(template.cash), done.fills),
    }


def step_replay(
    template: WalletTemplate,
    wallet: str,
    listings: Sequence[Listing],
    feed: StoredFeed,
    *,
    start: datetime,
    end: datetime,
    strategy: str | None = None,
) -> tuple[DecisionJournal, Progress]:
    """Step a template's one strategy through its feed.

    Args:
        strategy: what its decisions have as their strategy; None: its title.

    Raises:
        StrategyError: when the strategy raises.
    """
    engine = new_engine(template, listings, start, feed)
    journal = DecisionJournal(
        engine,
        listings,
        wallet=wallet,
        interval=template.interval,
        every=template.every,
        prediction_ids=feed.prediction_ids,
        strategy=strategy,
    )
    journal.article_ids = feed.article_ids
    engine.state.journal = journal
    [progress] = Session(feed, microseconds(end), [engine], observer=journal.see).run()
    if progress.error:
        raise progress.error
    return journal, progress
