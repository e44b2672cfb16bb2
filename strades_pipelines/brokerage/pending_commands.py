"""Carry out what pages ask for: rows of trading.commands that wait for an outcome.

A halt or flatten that waits is in force from the commit of its row on (the view trading.wallet_states), so what is left
to do is to wait for sends that began before, to cancel and to close, and to write state and outcome in one transaction.
A process that is killed anywhere leaves either a command that still waits or one that is done; what it has done already
is done once all the same. Several processes may do this at once.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from strades_pipelines.brokerage.command_log import PendingCommand, log_outcome, pending_commands
from strades_pipelines.brokerage.halts import (
    SEND_SECONDS,
    end_halt,
    reasons_not_to_resume,
    set_halt,
    still_sending,
    wait_for_sends,
    wallets_of,
)
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.venue_commands import ORDERS_DONE, cancel_order, flatten_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.database.crash import crash_point

# What became of a command when all went well; any other outcome says why it did not.
DONE = frozenset({"halted", "reducing", "resumed"}) | ORDERS_DONE
# Who requests more than a halt has seen the state of that moment, which may have changed since.
LONGEST_WAIT = timedelta(minutes=1)
TOO_LATE = "refused: nothing carried it out within a minute; look at the wallets and ask again"
LATER_HALT = """
    SELECT command_id FROM trading.commands
    WHERE kind IN ('halt', 'flatten') AND scope = %s AND name = %s AND command_id > %s ORDER BY command_id LIMIT 1
"""


def carry_out_pending(
    connection: Connection,
    *,
    clock: Callable[[], datetime],
    connect_venue: Callable[[], AbstractContextManager[Connection]] = connect,
) -> dict[int, str]:
    """Carry out the commands that wait, oldest first; returns what became of each, by its id. Commits.

    Args:
        connection: with no transaction open.
        clock: the world's time, UTC.
        connect_venue: opens the connection that the paper venue alone works with.
    """
    waiting = pending_commands(connection)
    connection.commit()  # not a rollback: that forgets the prepared statements of the connection
    found = ((command.command_id, _carry_out(connection, command, clock, connect_venue)) for command in waiting)
    return {command_id: outcome for command_id, outcome in found if outcome is not None}


def _carry_out(
    connection: Connection,
    command: PendingCommand,
    clock: Callable[[], datetime],
    connect_venue: Callable[[], AbstractContextManager[Connection]],
) -> str | None:
    """Carry out one command; None where somebody else has."""
    request = command.request
    sending: list[str] = []
    if request.kind in ("halt", "flatten"):
        names = wallets_of(connection, request.scope)
        connection.rollback()
        sending = wait_for_sends(connection, names, seconds=SEND_SECONDS)
    at_venue = ""
    # Whoever asks says when: a time to come evades nothing.
    if request.kind in ("cancel", "flatten") and not sending and abs(clock() - request.at) <= LONGEST_WAIT:
        work = cancel_order if request.kind == "cancel" else flatten_wallet
        at_venue = work(connection, command, clock=clock, connect_venue=connect_venue)
    if not pending_commands(connection, command.command_id, lock=True):
        connection.rollback()
        return None
    now = clock()
    if request.kind in ("halt", "flatten"):
        set_halt(connection, command.command_id, request, "halted")
    if request.kind == "halt":
        outcome = "; ".join(still_sending(sending)) or "halted"
    elif request.kind == "resume":
        outcome = _resume(connection, command, now)
    else:
        outcome = "; ".join(still_sending(sending)) or at_venue or TOO_LATE
    log_outcome(connection, command.command_id, outcome, now=now)
    crash_point("trading.command_written")
    connection.commit()
    crash_point("trading.command_committed")
    return outcome


def _resume(connection: Connection, command: PendingCommand, now: datetime) -> str:
    request = command.request
    if abs(now - request.at) > LONGEST_WAIT:
        return TOO_LATE
    later = connection.execute(LATER_HALT, [request.scope.kind, request.scope.name, command.command_id]).fetchone()
    if later is not None:
        return f"refused: command {later[0]} halted {request.scope} later"
    if end_halt(connection, request.scope):
        return "resumed"
    return f"refused: {'; '.join(reasons_not_to_resume(connection, request.scope))}"
