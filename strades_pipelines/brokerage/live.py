"""The live edge: the same stepping up to now, with what was really filled; only new decisions are kept."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from strades_pipelines.brokerage.decision_store import store_decisions
from strades_pipelines.brokerage.decisions import DecisionJournal
from strades_pipelines.brokerage.feed import StoredFeed, fills_in_order, read_feed
from strades_pipelines.brokerage.movements import CashFlow, cash_flows
from strades_pipelines.brokerage.order_book import cancellable, request_cancel
from strades_pipelines.brokerage.portfolio import Wallet, load_fills, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.results import KEYS, curve_of, last_closes_at, result_rows
from strades_pipelines.brokerage.rows import frame, insert, refusal_row
from strades_pipelines.brokerage.standings import check_models
from strades_pipelines.database.bulk import NOTHING, Loaded, load
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.events import Fill
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.orders import Refusal, TradingDecision
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.broker import RECORDED, SimulatedBroker
from strades_pipelines.strategy.engine import Engine
from strades_pipelines.strategy.events import RecordedFill, microseconds, moment
from strades_pipelines.strategy.gate import Gate
from strades_pipelines.strategy.orders import ACCEPTED, BY_VENUE, CANCELLED, EXPIRED, OPEN, OUTCOMES, REJECTED
from strades_pipelines.strategy.session import Progress, Session

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

Result = TypeVar("Result")
INSTANT = timedelta(microseconds=1)
ENGINE_STATES = {
    OrderState.CANCELLED: CANCELLED,
    OrderState.REPLACED: CANCELLED,
    OrderState.REJECTED: REJECTED,
    OrderState.EXPIRED: EXPIRED,
}
# Orders of the strategies' own that ended unfilled, or were refused by the exact gate.
ENDS = """
    SELECT o.updated_at AS at, i.decision_id, o.state, o.reason
    FROM trading.orders AS o
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE o.wallet = %(wallet)s AND o.state IN ('cancelled', 'replaced', 'rejected', 'expired')
        AND d.order_request IS NOT NULL
    UNION ALL
    SELECT r.recorded_at, r.decision_id, 'rejected', r.code
    FROM trading.refusals AS r INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE r.wallet = %(wallet)s AND d.order_request IS NOT NULL
    ORDER BY at, decision_id
"""


class Transactional(Protocol):
    """A connection of any driver."""

    def rollback(self) -> object:
        """Undo what was not committed."""
        ...


class OrderEnd(NamedTuple):
    """An order of the strategy's own that ended without being filled whole: when we heard of it, and how.

    `at` is in microseconds UTC.
    """

    at: int
    decision_id: str
    state: OrderState
    reason: str | None


class LiveEngine(Engine):
    """An engine whose orders others send: it keeps what is decided, and fills and ends come back from them.

    Args:
        journal: it knows which intent an order of the strategy's own has become.
        fill_intents: the intent of each recorded fill, in the order of the fills' numbers.
        ends: oldest first.
        flows: cash that came or went otherwise than by a fill, oldest first: the account has it from then on.
    """

    journal: DecisionJournal
    fill_intents: Sequence[str] = ()
    ends: Sequence[OrderEnd] = ()
    ends_seen = 0
    flows: Sequence[CashFlow] = ()
    flows_seen = 0

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

    def on_recorded_fill(self, fill: RecordedFill) -> None:
        """A fill under the number that its order has in this session; one for a target keeps its own."""
        intent_id = self.fill_intents[int(fill.order) - 1]
        fill.order = self.journal.numbers.get(intent_id, -int(fill.order))
        super().on_recorded_fill(fill)

    def advance(self, time: int) -> None:
        """Let the clock go on; orders that ended before `time` end here too, and cash that flowed by then is there."""
        super().advance(time)
        while self.flows_seen < len(self.flows) and self.flows[self.flows_seen].at <= time:
            self.account.cash += float(self.flows[self.flows_seen].amount)
            self.flows_seen += 1
        while self.ends_seen < len(self.ends) and self.ends[self.ends_seen].at < time:
            self._end_order(self.ends[self.ends_seen])
            self.ends_seen += 1

    def _end_order(self, ended: OrderEnd) -> None:
        account, number = self.account, self.journal.numbers_by_decision.get(ended.decision_id)
        for place in range(account.count):
            order = account.orders[account.queue[place]]
            if order.number == number and order.state <= OPEN:
                reason = OUTCOMES.index(ended.reason) if ended.reason in OUTCOMES else BY_VENUE
                self.end(order, ENGINE_STATES[ended.state], reason)
        self.compact()


@dataclass(frozen=True)
class Stepped:
    """A wallet stepped from its opening: what it saw, decided, and was worth."""

    wallet: Wallet
    feed: StoredFeed
    fills: list[Fill]
    progress: Progress
    decisions: list[TradingDecision]
    targets: list[float]
    refused: dict[str, str]
    cancelled: dict[str, int]


def decide(connection: Connection, adbc: "AdbcConnection", name: str, *, now: datetime) -> list[TradingDecision]:
    """Step a wallet up to and with `now` and keep the decisions that are new; returns those. Commits.

    Raises:
        StrategyError: when the strategy raises; nothing is written then.
    """
    stepped = step(connection, adbc, load_wallet(connection, name), now=now)
    new = store_decisions(connection, stepped.decisions, stepped.targets, stepped.wallet, now=now)
    for made in new:
        if made.decision_id in stepped.refused:
            code = stepped.refused[made.decision_id]
            refusal = Refusal(made.decision_id, code, f"the strategy's own order: {code}")
            insert(connection, "trading.refusals", refusal_row(refusal, name, now))
    for decision_id in cancellable(connection, list(stepped.cancelled)):
        request_cancel(connection, decision_id, by="the strategy", at=moment(stepped.cancelled[decision_id]), now=now)
    crash_point("signals.decisions_written")
    connection.commit()
    crash_point("signals.decisions_committed")
    return new


def measure(connection: Connection, adbc: "AdbcConnection", name: str, *, now: datetime) -> Loaded:
    """Bring the wallet's rows in results up to `now`. Commits."""
    stepped = step(connection, adbc, load_wallet(connection, name), now=now)
    wallet, fills = stepped.wallet, stepped.fills
    flows = cash_flows(connection, wallet)
    curve = curve_of(stepped.progress, microseconds(wallet.opened_at), wallet.opening_cash, fills, flows)
    if not len(curve.times):  # opened just now: no bar has closed since
        return NOTHING
    prices = last_closes_at(stepped.feed.columns, len(wallet.listings), curve.times)
    rows = result_rows(name, wallet.listings, curve, prices, float(wallet.opening_cash), fills, flows)
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
    fills = fills_in_order(load_fills(connection, wallet))
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
    gate = Gate(size)  # the exact gate of `execute_pending` has the say
    for i, listing in enumerate(wallet.listings):
        gate.lot[i], gate.tick[i] = float(listing.lot), float(listing.tick)
    engine = LiveEngine(strategy, account, SimulatedBroker(fill=RECORDED), gate, opened_at=opened_at)
    engine.fill_intents = [fill.intent_id for fill in fills]
    engine.ends = order_ends(connection, wallet.name)
    engine.flows = cash_flows(connection, wallet)
    journal = DecisionJournal(
        engine, wallet.listings, wallet=wallet.name, interval=wallet.interval, prediction_ids=feed.prediction_ids
    )
    engine.journal = journal
    [progress] = Session(feed, microseconds(now + INSTANT), [engine], observer=journal.see).run()
    if progress.error:
        raise progress.error
    return Stepped(
        wallet, feed, fills, progress, journal.made, list(account.decided), journal.refused, journal.cancelled
    )


def order_ends(connection: Connection, wallet: str) -> list[OrderEnd]:
    """The ends of a wallet's orders with terms, oldest first."""
    return [
        OrderEnd(microseconds(at), decision_id, OrderState(state), reason)
        for at, decision_id, state, reason in connection.execute(ENDS, {"wallet": wallet})
    ]


def for_each(
    wallets: Iterable[str], work: Callable[[str], Result], connections: Sequence[Transactional]
) -> tuple[dict[str, Result], dict[str, str]]:
    """Do the work for each wallet; what one of them raises stops that one alone.

    Args:
        connections: all that the work uses: a transaction that failed on any of them would fail the next wallet too.

    Returns:
        The results by wallet, and the errors by wallet, in one line each.
    """
    results: dict[str, Result] = {}
    errors: dict[str, str] = {}
    for name in wallets:
        try:
            results[name] = work(name)
        except Exception as error:
            errors[name] = (str(error) or repr(error)).splitlines()[0]
            for connection in connections:
                with suppress(Exception):  # one that is broken is told by the next wallet's own work
                    connection.rollback()
    return results, errors
