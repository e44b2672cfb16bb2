"""The live edge: the same stepping up to now, with what was really filled; only new decisions are kept."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from strades_pipelines.brokerage.decisions import DecisionJournal
from strades_pipelines.brokerage.feed import StoredFeed, read_feed
from strades_pipelines.brokerage.portfolio import Wallet, load_fills, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.results import KEYS, curve_of, last_closes_at, result_rows
from strades_pipelines.brokerage.rows import decision_row, frame, insert
from strades_pipelines.brokerage.standings import check_models
from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.events import Fill
from strades_pipelines.market.orders import TradingDecision
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.broker import SimulatedBroker
from strades_pipelines.strategy.engine import Engine
from strades_pipelines.strategy.events import microseconds
from strades_pipelines.strategy.gate import Gate
from strades_pipelines.strategy.orders import ACCEPTED
from strades_pipelines.strategy.session import Progress, Session

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

Result = TypeVar("Result")
INSTANT = timedelta(microseconds=1)


class LiveEngine(Engine):
    """An engine whose orders others send: it keeps what is decided, and its fills come back as events."""

    def decide(self, i: int, target: float, trigger: int) -> None:
        """Keep the decision; `execute_pending` makes of it what the gate allows."""
        account = self.account
        previous = account.decided[i]
        if target != target and previous != previous:
            return
        if account.now < self.opened_at:
            account.target[i] = previous
            return
        account.decided[i] = target
        self.journal.decision(account.now, i, previous, target, 0, ACCEPTED, trigger)


@dataclass(frozen=True)
class Stepped:
    """A wallet stepped from its opening: what it saw, decided, and was worth."""

    wallet: Wallet
    feed: StoredFeed
    fills: list[Fill]
    progress: Progress
    decisions: list[TradingDecision]


def decide(connection: Connection, adbc: "AdbcConnection", name: str, *, now: datetime) -> list[TradingDecision]:
    """Step a wallet up to and with `now` and keep the decisions that are new; returns those. Commits.

    Raises:
        StrategyError: when the strategy raises; nothing is written then.
    """
    stepped = step(connection, adbc, load_wallet(connection, name), now=now)
    new = [made for made in stepped.decisions if insert(connection, "signals.decisions", decision_row(made, now))]
    crash_point("signals.decisions_written")
    connection.commit()
    crash_point("signals.decisions_committed")
    return new


def measure(connection: Connection, adbc: "AdbcConnection", name: str, *, now: datetime) -> Loaded:
    """Bring the wallet's rows in results up to `now`. Commits."""
    stepped = step(connection, adbc, load_wallet(connection, name), now=now)
    wallet, fills = stepped.wallet, stepped.fills
    curve = curve_of(stepped.progress, microseconds(wallet.opened_at), wallet.opening_cash, fills)
    if not len(curve.times):  # opened just now: no bar has closed since
        return NOTHING
    prices = last_closes_at(stepped.feed.columns, len(wallet.listings), curve.times)
    rows = result_rows(name, wallet.listings, curve, prices, float(wallet.opening_cash), fills)
    try:
        with adbc.cursor() as cursor:
            loaded = NOTHING
            for table, measured in rows.items():
                loaded += load(cursor, table, frame(measured), key=KEYS[table], now=now)
        crash_point("results.written")
        adbc.commit()
    finally:
        adbc.rollback()
    return loaded


def step(connection: Connection, adbc: "AdbcConnection", wallet: Wallet, *, now: datetime) -> Stepped:
    """What the strategy saw and decided from the wallet's opening up to and with `now`. Writes nothing.

    Raises:
        StrategyError: when the strategy raises.
        LookupError: for a model that the database does not know.
    """
    strategy = wallet.new_strategy()
    fills = sorted(load_fills(connection, wallet), key=lambda fill: (fill.knowledge_time, fill.content_id))
    try:
        with adbc.cursor() as cursor:
            check_models(cursor, strategy.models)
            feed = read_feed(
                cursor,
                wallet.listings,
                interval=wallet.interval,
                opened_at=wallet.opened_at,
                end=now + INSTANT,
                lookback=strategy.lookback,
                models=strategy.models,
                fills=fills,
            )
    finally:
        adbc.rollback()
    size = len(wallet.listings)
    account = Account(size, float(wallet.opening_cash))
    opened_at = microseconds(wallet.opened_at)
    engine = LiveEngine(strategy, account, SimulatedBroker(), Gate(size), opened_at=opened_at)
    journal = DecisionJournal(
        engine, wallet.listings, wallet=wallet.name, interval=wallet.interval, prediction_ids=feed.prediction_ids
    )
    engine.journal = journal
    [progress] = Session(feed, microseconds(now + INSTANT), [engine], observer=journal.see).run()
    if progress.error:
        raise progress.error
    return Stepped(wallet, feed, fills, progress, journal.made)


def for_each(
    wallets: Iterable[str], work: Callable[[str], Result], connection: Connection
) -> tuple[dict[str, Result], dict[str, str]]:
    """Do the work for each wallet; what one of them raises stops that one alone.

    Returns:
        The results by wallet, and the errors by wallet, in one line each.
    """
    results: dict[str, Result] = {}
    errors: dict[str, str] = {}
    for name in wallets:
        try:
            results[name] = work(name)
        except Exception as error:
            connection.rollback()
            errors[name] = (str(error) or repr(error)).splitlines()[0]
    return results, errors
