"""The engine of a wallet whose orders others send: fills and ends come back to it as they were recorded."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from strades_pipelines.brokerage.decisions import DecisionJournal
from strades_pipelines.brokerage.movements import CashFlow
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.engine.engine import Engine
from strades_pipelines.engine.targets import Targets
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.strategy.events import ACTION, BEGINNING, CorporateAction, RecordedFill, microseconds, moment
from strades_pipelines.strategy.orders import ACCEPTED, BY_VENUE, CANCELLED, EXPIRED, OPEN, OUTCOMES, REJECTED

# What of an engine is no state: it is made of the wallet's setting, or filled by each stepping.
NO_STATE = (
    *("state.broker", "state.gate", "state.journal"),
    *("fill_intents", "fills_before", "ends", "ends_seen", "flows", "flows_seen"),
)
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
        AND o.updated_at >= %(since)s AND d.order_request IS NOT NULL
        AND (%(sleeve)s::text IS NULL OR d.strategy = %(sleeve)s)
    UNION ALL
    SELECT r.recorded_at, r.decision_id, 'rejected', r.code
    FROM trading.refusals AS r INNER JOIN signals.decisions AS d USING (decision_id)
    WHERE r.wallet = %(wallet)s AND r.recorded_at >= %(since)s AND d.order_request IS NOT NULL
        AND (%(sleeve)s::text IS NULL OR d.strategy = %(sleeve)s)
    ORDER BY at, decision_id
"""


class OrderEnd(NamedTuple):
    """An order of the strategy's own that ended without being filled whole: when we heard of it, and how.

    `at` is in microseconds UTC.
    """

    at: int
    decision_id: str
    state: OrderState
    reason: str | None


class LiveTargets(Targets):
    """Keeps what is decided, and makes no orders of it: others do."""

    def decide(self, i: int, target: float, trigger: int) -> None:
        """Keep the decision; `execute_pending` makes of it what the gate allows."""
        account = self.state.account
        previous = account.decided[i]
        # NaN, no target, is unequal to itself.
        if target != target and previous != previous:
            return
        # In the warm-up a strategy sees bars, and decides nothing.
        if account.now < self.state.opened_at:
            account.target[i] = previous
            return
        account.decided[i] = target
        self.state.journal.decision(account.now, i, previous, target, 0, ACCEPTED, trigger)

    def refuse_wishes(self) -> None:
        """Refuse nothing: the last event is only the last so far, and a price may come."""


class LiveEngine(Engine):
    """An engine whose orders others send: it keeps what is decided, and fills and ends come back from them.

    Args:
        fill_intents: the intent of each recorded fill, in the order of the fills' numbers.
        fills_before: how many fills came before those.
        ends: oldest first.
        flows: cash that came or went otherwise than by a fill, oldest first: the account has it from then on.
        ended_at: the newest instant whose end was processed, microseconds UTC.
    """

    fill_intents: Sequence[str] = ()
    fills_before = 0
    ends: Sequence[OrderEnd] = ()
    ends_seen = 0
    flows: Sequence[CashFlow] = ()
    flows_seen = 0
    ended_at = BEGINNING

    @property
    def journal(self) -> DecisionJournal:
        """The session's journal, which knows which intent an order of the strategy's own has become."""
        journal = self.state.journal
        assert isinstance(journal, DecisionJournal)
        return journal

    def on_recorded_fill(self, fill: RecordedFill) -> None:
        """A fill under the number that its order has in this session; one for a target keeps its own."""
        intent_id = self.fill_intents[int(fill.order) - 1]
        fill.order = self.journal.numbers.get(intent_id, -self.fills_before - int(fill.order))
        super().on_recorded_fill(fill)

    def on_corporate_action(self, action: CorporateAction) -> None:
        """Tell the strategy: `splits` books it, a statement its cash, and bars are in the units of after it."""
        announce(self, action)

    def advance(self, time: int) -> None:
        """Let the clock go on; orders that ended before `time` end here too, and cash that flowed by then is there."""
        super().advance(time)
        while self.flows_seen < len(self.flows) and self.flows[self.flows_seen].at <= time:
            self.account.cash += float(self.flows[self.flows_seen].amount)
            self.flows_seen += 1
        while self.ends_seen < len(self.ends) and self.ends[self.ends_seen].at < time:
            self._end_order(self.ends[self.ends_seen])
            self.ends_seen += 1

    def end_instant(self) -> None:
        """End the instant, once: a session in memory ends its last one with each step, and goes on after it."""
        if self.ended_at < self.account.now:
            self.ended_at = self.account.now
            super().end_instant()

    def _end_order(self, ended: OrderEnd) -> None:
        account, number = self.account, self.journal.numbers_by_decision.get(ended.decision_id)
        for place in range(account.count):
            order = account.orders[account.queue[place]]
            if order.number == number and order.state <= OPEN:
                reason = OUTCOMES.index(ended.reason) if ended.reason in OUTCOMES else BY_VENUE
                self.explicit_orders.end(order, ENGINE_STATES[ended.state], reason)
        self.explicit_orders.compact()


def announce(engine: Engine, action: CorporateAction) -> None:
    """Tell a strategy of a corporate action whose effects on its account are booked elsewhere."""
    state = engine.state
    if action.time > state.account.now:
        engine.advance(action.time)
    state.strategy.on_corporate_action(action, state.account)
    engine.strategy_requests.process(action.i, ACTION)


def order_ends(connection: Connection, wallet: Wallet, *, since: datetime | None = None) -> list[OrderEnd]:
    """The ends of a wallet's orders with terms, oldest first; of a view of a sleeve those of its own.

    Args:
        since: only those that we heard of then or later.
    """
    return [
        OrderEnd(microseconds(at), decision_id, OrderState(state), reason)
        for at, decision_id, state, reason in connection.execute(
            ENDS,
            {
                "wallet": wallet.name,
                "since": moment(0) if since is None else since,
                "sleeve": wallet.sleeve_name,
            },
        )
    ]
