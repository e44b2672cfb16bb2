"""The live edge: the same stepping up to now, with what was really filled; only new decisions are kept."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from strades_pipelines.brokerage.feed import read_feed
from strades_pipelines.brokerage.portfolio import Wallet, load_fills, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.results import equity_rows, performance_row
from strades_pipelines.brokerage.rows import decision_row, frame, insert
from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.books import Books
from strades_pipelines.market.events import Event, Fill
from strades_pipelines.market.orders import TradingDecision
from strades_pipelines.strategy.session import Session
from strades_pipelines.strategy.simulation import Journal, WindowClock

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

Result = TypeVar("Result")
INSTANT = timedelta(microseconds=1)


@dataclass
class LedgerBroker:
    """Tells a session what was really filled; sends nothing, since `execute_pending` does."""

    books: Books

    def report(self, event: Event) -> Iterator[Fill]:
        """The recorded fill, when its turn comes."""
        if isinstance(event, Fill):
            self.books.apply(event)
            yield event

    def pursue(self, decision: TradingDecision, prices: Sequence[float]) -> None:
        """Nothing: the decision is recorded, and executed from there."""


def decide(connection: Connection, adbc: "AdbcConnection", name: str, *, now: datetime) -> list[TradingDecision]:
    """Step a wallet up to and with `now` and keep the decisions that are new; returns those. Commits.

    Raises:
        StrategyError: when the strategy raises; nothing is written then.
    """
    journal = step(connection, adbc, load_wallet(connection, name), now=now)
    new = [made for made in journal.decisions if insert(connection, "signals.decisions", decision_row(made, now))]
    connection.commit()
    crash_point("signals.decisions_committed")
    return new


def measure(connection: Connection, adbc: "AdbcConnection", name: str, *, now: datetime) -> Loaded:
    """Bring the wallet's rows in results up to `now`. Commits."""
    wallet = load_wallet(connection, name)
    journal = step(connection, adbc, wallet, now=now)
    if not journal.times:  # opened just now: no bar has closed since
        return NOTHING
    curves = equity_rows(journal, float(wallet.opening_cash))
    try:
        with adbc.cursor() as cursor:
            loaded = load(cursor, "results.equity", frame(curves), key=["wallet", "time"], now=now)
            row = performance_row(name, curves, journal.fills)
            loaded += load(cursor, "results.performance", frame([row]), key=["wallet"], now=now)
        crash_point("results.written")
        adbc.commit()
    finally:
        adbc.rollback()
    return loaded


def step(connection: Connection, adbc: "AdbcConnection", wallet: Wallet, *, now: datetime) -> Journal:
    """What the strategy saw and decided from the wallet's opening up to and with `now`. Writes nothing."""
    journal = Journal(wallet.name, wallet.opened_at, wallet.new_strategy())
    fills = load_fills(connection, wallet)
    try:
        with adbc.cursor() as cursor:
            feed = read_feed(
                cursor,
                wallet.listings,
                interval=wallet.interval,
                opened_at=wallet.opened_at,
                end=now + INSTANT,
                lookback=journal.strategy.lookback,
                models=journal.strategy.models,
                fills=fills,
            )
    finally:
        adbc.rollback()
    Session(feed, WindowClock(now + INSTANT), LedgerBroker(Books(wallet.opening_cash)), journal).run()
    return journal


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
