"""Out of everything: cancel a wallet's open orders, then one market order for each position, to zero."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime

from strades_pipelines.brokerage.brokers.venue import VenueBroker
from strades_pipelines.brokerage.command_log import Request, log_outcome
from strades_pipelines.brokerage.execution import execute_pending, wallet_lock
from strades_pipelines.brokerage.person_orders import (
    OrderOutcome,
    cancel_open_orders,
    decide_by_hand,
    exits,
    outcome_of,
)
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.database.crash import crash_point

Clock = Callable[[], datetime]
PAUSE_SECONDS = 0.25
CANCEL_SECONDS = 5.0  # how long a person waits for cancels


@dataclass(frozen=True)
class Flattened:
    """What was done: intents that were to be cancelled, of which `not_cancelled` are still open, and the exits."""

    cancelled: list[str]
    not_cancelled: list[str]
    exits: list[OrderOutcome] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether nothing is left to do but to wait for fills."""
        return not self.problems

    @property
    def problems(self) -> list[str]:
        """What is left to do, in a line each."""
        lines = [f"order {intent_id} is not cancelled yet: give the command again" for intent_id in self.not_cancelled]
        return lines + [
            f"exit {outcome.intent_id} {outcome.state}: {outcome.reason}"
            for outcome in self.exits
            if not outcome.is_good
        ]


def cancel_all(
    connection: Connection,
    venue: VenueBroker,
    request: Request,
    *,
    clock: Clock,
    seconds: float,
    keep_exits: bool = False,
    owners: Collection[str] | None = None,
) -> Flattened:
    """Cancel the open orders of the request's wallet; returns when all are over, or after `seconds`. Commits.

    Args:
        owners: only those of these sleeves of the wallet; None for all.
    """
    name = request.scope.name
    cancelled = cancel_open_orders(connection, name, request, keep_exits=keep_exits, owners=owners)
    connection.commit()
    crash_point("trading.cancels_requested")
    deadline = time.monotonic() + seconds
    while True:
        execute_pending(connection, venue, name, now=clock())
        left = [
            intent_id
            for (intent_id,) in connection.execute(
                """
                SELECT intent_id FROM trading.orders
                WHERE intent_id = ANY(%s) AND state NOT IN ('filled', 'cancelled', 'replaced', 'rejected', 'expired')
                """,
                [cancelled],
            )
        ]
        # No transaction stays open while we wait.
        connection.rollback()
        if not left or time.monotonic() > deadline:
            return Flattened(cancelled, left)
        time.sleep(PAUSE_SECONDS)


def flatten(
    connection: Connection,
    venue: VenueBroker,
    request: Request,
    *,
    clock: Clock,
    seconds: float,
    owners: Collection[str] | None = None,
) -> Flattened:
    """Cancel the open orders of the request's wallet, then send an exit for each position. Commits. Can be repeated.

    Where several strategies share the wallet each has exits of its own, so that none is left with what another sold.

    The wallet was halted before, or its strategy would open what is closed here. What a silent venue still has to
    cancel holds up no exit: that only reduces, so it cannot turn a position. Where several strategies share the wallet,
    what such an order may still sell has no exit: it is among the problems, and a flatten after it closes the rest.

    Args:
        owners: only the positions of these sleeves; None for all.
    """
    done = cancel_all(connection, venue, request, clock=clock, seconds=seconds, keep_exits=True, owners=owners)
    with wallet_lock(connection, request.scope.name):  # two at once would each send the whole exit
        wallet = load_wallet(connection, request.scope.name)
        made = [
            decide_by_hand(connection, wallet, listing, order, request, owner=owner)
            for owner, listing, order in exits(connection, wallet, owners)
        ]
        connection.commit()
        crash_point("trading.exits_decided")
        # It takes the wallet's lock a second time: an advisory lock counts within its session.
        execute_pending(connection, venue, wallet.name, now=clock())
        outcomes = [outcome_of(connection, decision) for _, decision in made]
        for (command_id, _), outcome in zip(made, outcomes, strict=True):
            log_outcome(connection, command_id, f"{outcome.intent_id} {outcome.state}", now=clock())
        connection.commit()
    return Flattened(done.cancelled, done.not_cancelled, outcomes)
