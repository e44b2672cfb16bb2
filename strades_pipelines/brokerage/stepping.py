"""A trading wallet's strategy stepped up to now, with its recorded fills: from a checkpoint, or from the opening."""

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from strades_pipelines.brokerage.decisions import DecisionJournal, ForgottenOrder
from strades_pipelines.brokerage.feed import StoredFeed, fills_in_order, read_feed
from strades_pipelines.brokerage.live_engine import NO_STATE, LiveEngine, LiveTargets, order_ends
from strades_pipelines.brokerage.model_trust import check_models
from strades_pipelines.brokerage.movements import cash_flows
from strades_pipelines.brokerage.portfolio import Wallet, fills_of_session
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trade_feed import TradeRange
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.saved_state import NotRestorable, NotSavable, restore, save
from strades_pipelines.engine.session import Progress, Session
from strades_pipelines.engine.simulated_broker import RECORDED, SimulatedBroker
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.market.order_terms import TradingDecision
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import BAR, BEGINNING, RECORDED_FILL, microseconds, moment
from strades_pipelines.strategy.strategy import Strategy

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

LOGGER = logging.getLogger(__name__)
INSTANT = timedelta(microseconds=1)
# A listing whose newest bar is older by more than so many holds no checkpoint back.
LONGEST_LAG = 120
FORGOTTEN = """
    SELECT f.intent_id FROM trading.fills AS f
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE f.wallet = %(wallet)s AND f.known_at >= %(since)s AND d.decided_at < %(since)s
        AND d.order_request IS NOT NULL AND d.trigger_kind <> 'person'
        AND (%(sleeve)s::text IS NULL OR d.strategy = %(sleeve)s)
"""


@dataclass(frozen=True)
class Checkpoint:
    """The state before the first event known at `covers_to`, as plain data.

    `state` has the engine's (`saved_state`), the journal's memory, how many fills came before, and by listing the time
    of the last bar that any stepping saw, in microseconds UTC.
    """

    covers_to: datetime
    state: dict[str, Any]


@dataclass(frozen=True)
class Stepped:
    """What a wallet's strategy saw and decided since a checkpoint, or since the opening.

    Args:
        fills, decisions: those since.
        targets: what the strategy wants to hold at the end, by the listing's index.
        events: how many it was stepped through.
        resumed_at: the last instant before the checkpoint that was gone on from, microseconds UTC; its value is the
            first of the journal. None where the stepping began at the opening.
        checkpoint: to go on from; None where it would be no later than the one gone on from, or cannot be saved.
    """

    wallet: Wallet
    feed: StoredFeed
    fills: list[Fill]
    progress: Progress
    decisions: list[TradingDecision]
    targets: list[float]
    refused: dict[str, str]
    cancelled: dict[str, int]
    events: int
    resumed_at: int | None
    checkpoint: Checkpoint | None


def step(
    connection: Connection,
    adbc: "AdbcConnection",
    wallet: Wallet,
    *,
    now: datetime,
    base: Checkpoint | None = None,
    stored_by: datetime | None = None,
    hears_trades: bool = True,
) -> Stepped:
    """What the strategy saw and decided up to and with `now`. Writes nothing.

    Args:
        base: a checkpoint whose inputs are unchanged; None to step from the wallet's opening.
        stored_by: on the inputs as they were stored at this time; None: as they are. Not with a checkpoint.
        hears_trades: whether a strategy that hears trades is fed with them; what it holds is measured by bars.

    Raises:
        StrategyError: when the strategy raises.
        LookupError: for a model that the database does not know.
    """
    if base is not None:
        try:
            return _Stepping(connection, adbc, wallet, now, base, None, hears_trades).run()
        except (NotRestorable, ForgottenOrder) as error:
            LOGGER.info("wallet %s: stepped from its opening: %s", wallet.name, error)
    return _Stepping(connection, adbc, wallet, now, None, stored_by, hears_trades).run()


class _Stepping:
    def __init__(
        self,
        connection: Connection,
        adbc: "AdbcConnection",
        wallet: Wallet,
        now: datetime,
        base: Checkpoint | None,
        stored_by: datetime | None,
        hears_trades: bool,
    ) -> None:
        self._connection, self._wallet, self._now, self._base = connection, wallet, now, base
        since = None if base is None else base.covers_to
        strategy = wallet.new_strategy()
        self._fills = fills_in_order(fills_of_session(connection, wallet, since=since, stored_by=stored_by))
        try:
            with adbc.cursor() as cursor:
                check_models(cursor, strategy.models)
                self._feed = read_feed(
                    cursor,
                    wallet.listings,
                    interval=wallet.interval,
                    opened_at=wallet.opened_at,
                    end=now + INSTANT,
                    lookback=strategy.lookback,
                    models=strategy.models,
                    fills=self._fills,
                    since=since,
                    stored_by=stored_by,
                    trades=self._trades(strategy, since) if hears_trades and strategy.hears_trades() else None,
                )
        finally:
            adbc.rollback()
        self._engine = self._new_engine()
        self._last_bars = [BEGINNING] * len(wallet.listings)

    def _trades(self, strategy: Strategy, since: datetime | None) -> TradeRange:
        warm_up = self._wallet.opened_at - timedelta(seconds=strategy.trade_window)
        return TradeRange(warm_up if since is None else since, self._now + INSTANT)

    def run(self) -> Stepped:
        """Restore, step to the next checkpoint, save, and step on."""
        columns, engine = self._feed.columns, self._engine
        journal = engine.journal
        session = Session(self._feed, None, [engine], observer=journal.see)
        [progress] = session.progress
        session.start()
        _raise_error(progress)
        resumed_at = None if self._base is None else self._restore(self._base)
        end = int(np.searchsorted(columns.time, microseconds(self._now + INSTANT), side="left"))
        columns = columns.rows(0, end)
        covers_to = self._next_checkpoint(columns)
        place = 0 if covers_to is None else int(np.searchsorted(columns.time, covers_to, side="left"))
        session.step(columns.rows(0, place))
        _raise_error(progress)
        # Before the first event there is nothing to go on from.
        is_begun = engine.account.now > BEGINNING
        checkpoint = self._save(covers_to, columns.rows(0, place)) if covers_to is not None and is_begun else None
        session.step(columns.rows(place, end))
        session.finish()
        _raise_error(progress)
        return Stepped(
            self._wallet,
            self._feed,
            self._fills,
            progress,
            journal.made,
            list(engine.account.decided),
            journal.refused,
            journal.cancelled,
            end,
            resumed_at,
            checkpoint,
        )

    def _new_engine(self) -> LiveEngine:
        wallet, size = self._wallet, len(self._wallet.listings)
        gate = Gate(size)  # the exact gate of `execute_pending` has the say
        for i, listing in enumerate(wallet.listings):
            gate.lot[i], gate.tick[i] = float(listing.lot), float(listing.tick)
        account = Account(size, float(wallet.opening_cash))
        engine = LiveEngine(
            wallet.new_strategy(),
            account,
            SimulatedBroker(fill=RECORDED),
            gate,
            opened_at=microseconds(wallet.opened_at),
            targets=LiveTargets,
        )
        engine.fill_intents = [fill.intent_id for fill in self._fills]
        if self._base is None:
            engine.ends = order_ends(self._connection, wallet)
            engine.flows = cash_flows(self._connection, wallet)
        engine.state.journal = DecisionJournal(
            engine,
            wallet.listings,
            wallet=wallet.name,
            interval=wallet.interval,
            prediction_ids=self._feed.prediction_ids,
            splits=wallet.splits,
            strategy=wallet.sleeve_name,
        )
        return engine

    def _restore(self, base: Checkpoint) -> int:
        """Bring a started engine to the state of a checkpoint; returns the instant it stands at, microseconds UTC.

        Raises:
            NotRestorable: the state does not fit.
            ForgottenOrder: a fill is of an order that the checkpoint does not know any more.
        """
        engine, state = self._engine, base.state
        try:
            restore(engine, state["engine"], without=NO_STATE)
            engine.journal.recall(state["journal"])
            engine.fills_before = state["fills"]
            self._last_bars = list(state["last_bars"])
            resumed_at = moment(engine.account.now)
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise NotRestorable(f"{type(error).__name__}: {error}") from None
        engine.ends = order_ends(self._connection, self._wallet, since=resumed_at)
        engine.flows = [flow for flow in cash_flows(self._connection, self._wallet) if flow.at > engine.account.now]
        of_strategy = {
            "wallet": self._wallet.name,
            "since": base.covers_to,
            # Where nothing is decided, no order is anyone's to remember.
            "sleeve": "" if self._wallet.sleeves else self._wallet.sleeve_name,
        }
        for (intent_id,) in self._connection.execute(FORGOTTEN, of_strategy):
            if intent_id not in engine.journal.numbers:
                raise ForgottenOrder(f"order {intent_id}")
        return engine.account.now

    def _next_checkpoint(self, columns: Columns) -> int | None:
        """The time, microseconds UTC, that every listing has come to; None where there is no later one.

        What comes later, with the newest bars or after them, is behind no checkpoint then.
        """
        for i in range(len(self._last_bars)):
            own = columns.time[(columns.kind == BAR) & (columns.i == i)]
            if len(own):
                self._last_bars[i] = int(own[-1])
        lag = LONGEST_LAG * (interval_length(self._wallet.interval) // INSTANT)
        reached = min(time for time in self._last_bars if time >= max(self._last_bars) - lag)
        least = self._wallet.opened_at if self._base is None else self._base.covers_to + INSTANT
        return reached if reached >= microseconds(least) else None

    def _save(self, covers_to: int, columns: Columns) -> Checkpoint | None:
        """The state as it is, where a fresh engine can be brought to it; None where it cannot."""
        engine = self._engine
        fills = int(np.count_nonzero(columns.kind == RECORDED_FILL))
        try:
            state = json.loads(json.dumps(save(engine, without=NO_STATE)))
            fresh = self._new_engine()
            fresh.start()
            restore(fresh, state, without=NO_STATE)
            if json.dumps(save(fresh, without=NO_STATE)) != json.dumps(state):
                raise NotSavable("a restored engine is not as the saved one")
        except (NotSavable, NotRestorable) as error:
            LOGGER.debug("wallet %s: no checkpoint: %s", self._wallet.name, error)
            return None
        account = engine.account
        whole = {
            "engine": state,
            "under_way": [account.orders[account.queue[place]].number for place in range(account.count)],
            "journal": engine.journal.memory(),
            "fills": engine.fills_before + fills,
            "last_bars": self._last_bars,
        }
        return Checkpoint(moment(covers_to), whole)


def read_bars(adbc: "AdbcConnection", wallet: Wallet, *, now: datetime) -> StoredFeed:
    """The bars that a wallet has seen up to and with `now`, those of its warm-up too."""
    lookback = wallet.new_strategy().lookback
    try:
        with adbc.cursor() as cursor:
            return read_feed(
                cursor,
                wallet.listings,
                interval=wallet.interval,
                opened_at=wallet.opened_at,
                end=now + INSTANT,
                lookback=lookback,
            )
    finally:
        adbc.rollback()


def _raise_error(progress: Progress) -> None:
    if progress.error is not None:
        if isinstance(progress.error.__cause__, ForgottenOrder):
            raise progress.error.__cause__
        raise progress.error
