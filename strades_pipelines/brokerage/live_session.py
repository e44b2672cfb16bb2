"""A trading wallet's strategy in memory: stepped from a checkpoint or its opening, and on through what is stored since.

What is read is what is new, so that a step costs as much as came. Stepped at once or in any parts, it comes to the same
decisions, as long as nothing changes behind the instant that it stands at: `live_sessions` says whether that is so.
"""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from strades_pipelines.brokerage.decisions import DecisionJournal, ForgottenOrder
from strades_pipelines.brokerage.feed import StoredFeed
from strades_pipelines.brokerage.live_engine import NO_STATE, LiveEngine, LiveTargets
from strades_pipelines.brokerage.live_inputs import INSTANT, LiveInputs, WantedInputs, filled_before, read_inputs
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.record_feed import NOTHING_ELSE, Hearing
from strades_pipelines.engine.columns import Columns
from strades_pipelines.engine.event_chain import EventChain
from strades_pipelines.engine.gate import Gate
from strades_pipelines.engine.saved_state import NotRestorable, NotSavable, restore, save
from strades_pipelines.engine.session import Progress, Session
from strades_pipelines.engine.simulated_broker import RECORDED, SimulatedBroker
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.market.order_terms import TradingDecision
from strades_pipelines.strategy.account import Account
from strades_pipelines.strategy.events import BAR, BEGINNING, RECORDED_FILL, microseconds, moment

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

LOGGER = logging.getLogger(__name__)
# A listing whose newest bar is older by more than so many holds no checkpoint back.
LONGEST_LAG = 120


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
    """What a wallet's strategy saw and decided in a step.

    Args:
        fills, decisions: those of the step.
        targets: what the strategy wants to hold at the end, by the listing's index.
        events: how many it was stepped through.
        resumed_at: the last instant before the step, microseconds UTC; its value is the first of the journal. None
            where the step began at the opening.
        checkpoint: to go on from; None where it would be no later than the newest one, or cannot be saved.
        seen: PostgreSQL's snapshot that the feed was read in; fills, ends and cash flows were read after it was taken.
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
    seen: str


class LiveSession:
    """The session of one strategy of a trading wallet. After an exception it is of no use.

    Args:
        base: a checkpoint whose inputs are unchanged; None to step from the wallet's opening.
        stored_by: on the inputs as they were stored at this time; None: as they are. Not with a checkpoint.
        is_deciding: False: it is fed with bars and forecasts alone, by which what it holds is measured.
    """

    def __init__(
        self,
        wallet: Wallet,
        base: Checkpoint | None = None,
        *,
        stored_by: datetime | None = None,
        is_deciding: bool = True,
    ) -> None:
        self.wallet, self._base, self._stored_by = wallet, base, stored_by
        self._engine = self._new_engine()
        strategy = self._engine.state.strategy
        self._wanted = WantedInputs(
            strategy.models, strategy.lookback, Hearing.of(strategy) if is_deciding else NOTHING_ELSE
        )
        self._session = Session(EventChain([]), None, [self._engine], observer=self._engine.journal.see)
        self._is_started = False
        self._last_bars = [BEGINNING] * len(wallet.listings)
        self._read_from = None if base is None else base.covers_to
        self._covered_to = self._read_from

    @property
    def stands_at(self) -> int:
        """The instant of the last event that it was stepped through, microseconds UTC; BEGINNING before the first."""
        return self._engine.account.now

    @property
    def may_go_on(self) -> bool:
        """Whether a further step may be made: how far a warm-up goes back depends on all that is known before it."""
        return self._is_started and self.stands_at >= microseconds(self.wallet.opened_at)

    def step(self, connection: Connection, adbc: "AdbcConnection", *, now: datetime) -> Stepped:
        """Step on through everything known up to and with `now`, and end its last instant. Writes nothing.

        Raises:
            StrategyError: when the strategy raises.
            LookupError: for a model that the database does not know.
            NotRestorable: the checkpoint does not fit.
            ForgottenOrder: a fill is of an order that the checkpoint does not know any more.
        """
        resumed_at = self._start()
        inputs = self._read(connection, adbc, now)
        engine, journal, session = self._engine, self._engine.journal, self._session
        feed = inputs.feed
        end = int(np.searchsorted(feed.columns.time, microseconds(now + INSTANT), side="left"))
        columns = feed.columns.rows(0, end)
        covers_to = self._next_checkpoint(columns)
        place = 0 if covers_to is None else int(np.searchsorted(columns.time, covers_to, side="left"))
        session.step(columns.rows(0, place))
        self._raise_error()
        # Before the first event there is nothing to go on from.
        is_begun = self.stands_at > BEGINNING
        checkpoint = self._save(covers_to, columns.rows(0, place)) if covers_to is not None and is_begun else None
        session.step(columns.rows(place, end))
        session.end_instant()
        self._raise_error()
        engine.fills_before += int(np.count_nonzero(columns.kind == RECORDED_FILL))
        if end:
            self._read_from = moment(self.stands_at) + INSTANT
        return Stepped(
            wallet=self.wallet,
            feed=feed,
            fills=inputs.fills,
            progress=session.progress[0],
            decisions=list(journal.made),
            targets=list(engine.account.decided),
            refused=dict(journal.refused),
            cancelled=dict(journal.cancelled),
            events=end,
            resumed_at=resumed_at,
            checkpoint=checkpoint,
            seen=inputs.seen,
        )

    def finish(self) -> None:
        """End the session: no step follows.

        Raises:
            StrategyError: when the strategy's last hook raises.
        """
        self._session.finish()
        self._raise_error()

    def _start(self) -> int | None:
        """Make ready for a step; returns the instant that it goes on from, None where that is the opening."""
        if self._is_started:
            self._engine.journal.clear()
            self._session.progress[0].instants.clear()
            return self.stands_at if self._read_from is not None else None
        self._session.start()
        self._raise_error()
        if self._base is not None:
            self._restore(self._base)
        self._is_started = True
        return None if self._base is None else self.stands_at

    def _read(self, connection: Connection, adbc: "AdbcConnection", now: datetime) -> LiveInputs:
        """Read what is new up to and with `now`, and give the engine and its journal what is no event."""
        since = self._read_from
        inputs = read_inputs(
            connection,
            adbc,
            self.wallet,
            self._wanted,
            since=since,
            now=now,
            ended_since=None if since is None else moment(self.stands_at),
            stored_by=self._stored_by,
        )
        engine, journal = self._engine, self._engine.journal
        engine.fill_intents = [fill.intent_id for fill in inputs.fills]
        engine.ends = inputs.ends
        engine.flows = [flow for flow in inputs.flows if flow.at > self.stands_at]
        engine.ends_seen = engine.flows_seen = 0
        if self._base is not None and inputs.fills:
            for intent_id in filled_before(connection, self.wallet, self._base.covers_to):
                if intent_id not in journal.numbers:
                    raise ForgottenOrder(f"order {intent_id}")
        journal.prediction_ids, journal.article_ids = inputs.feed.prediction_ids, inputs.feed.article_ids
        return inputs

    def _new_engine(self) -> LiveEngine:
        wallet, size = self.wallet, len(self.wallet.listings)
        gate = Gate(size)  # the exact gate of `execute_pending` has the say
        for i, listing in enumerate(wallet.listings):
            gate.lot[i], gate.tick[i] = float(listing.lot), float(listing.tick)
        engine = LiveEngine(
            wallet.new_strategy(),
            Account(size, float(wallet.opening_cash)),
            SimulatedBroker(fill=RECORDED),
            gate,
            opened_at=microseconds(wallet.opened_at),
            targets=LiveTargets,
        )
        engine.state.journal = DecisionJournal(
            engine,
            wallet.listings,
            wallet=wallet.name,
            interval=wallet.interval,
            prediction_ids={},
            splits=wallet.splits,
            strategy=wallet.sleeve_name,
        )
        return engine

    def _restore(self, base: Checkpoint) -> None:
        """Bring the started engine to the state of a checkpoint."""
        engine, state = self._engine, base.state
        try:
            restore(engine, state["engine"], without=NO_STATE)
            engine.journal.recall(state["journal"])
            engine.fills_before = state["fills"]
            self._last_bars = list(state["last_bars"])
            moment(engine.account.now)
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise NotRestorable(f"{type(error).__name__}: {error}") from None

    def _next_checkpoint(self, columns: Columns) -> int | None:
        """The time, microseconds UTC, that every listing has come to; None where there is no later one, or it is past.

        What comes later, with the newest bars or after them, is behind no checkpoint then.
        """
        for i in range(len(self._last_bars)):
            own = columns.time[(columns.kind == BAR) & (columns.i == i)]
            if len(own):
                self._last_bars[i] = int(own[-1])
        lag = LONGEST_LAG * (interval_length(self.wallet.interval) // INSTANT)
        reached = min(time for time in self._last_bars if time >= max(self._last_bars) - lag)
        least = self.wallet.opened_at if self._covered_to is None else self._covered_to + INSTANT
        return reached if reached >= microseconds(least) and reached > self.stands_at else None

    def _save(self, covers_to: int, columns: Columns) -> Checkpoint | None:
        """The state as it is, where a fresh engine can be brought to it; None where it cannot."""
        engine = self._engine
        fills = int(np.count_nonzero(columns.kind == RECORDED_FILL))
        try:
            # As the database gives it back: tuples are lists then, and what JSON cannot hold fails here.
            state = json.loads(json.dumps(save(engine, without=NO_STATE)))
            fresh = self._new_engine()
            fresh.start()
            restore(fresh, state, without=NO_STATE)
            if json.dumps(save(fresh, without=NO_STATE)) != json.dumps(state):
                raise NotSavable("a restored engine is not as the saved one")
        except (NotSavable, NotRestorable) as error:
            LOGGER.debug("wallet %s: no checkpoint: %s", self.wallet.name, error)
            return None
        account = engine.account
        whole = {
            "engine": state,
            "under_way": [account.orders[account.queue[place]].number for place in range(account.count)],
            "journal": engine.journal.memory(),
            "fills": engine.fills_before + fills,
            "last_bars": list(self._last_bars),
        }
        self._covered_to = moment(covers_to)
        return Checkpoint(moment(covers_to), whole)

    def _raise_error(self) -> None:
        [progress] = self._session.progress
        if progress.error is not None:
            if isinstance(progress.error.__cause__, ForgottenOrder):
                raise progress.error.__cause__
            raise progress.error
