"""Carry out the halts and resumes that pages asked for: rows of trading.commands that wait for an outcome.

A halt that waits is in force from the commit of its row on (the view trading.wallet_states), so what is left to do is
to wait for sends that began before, and to write state and outcome in one transaction. A process that is killed
anywhere leaves either a command that still waits or one that is done. Several processes may do this at once.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from strades_pipelines.brokerage.command_log import AskedCommand, asked_commands, log_outcome
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
from strades_pipelines.database.crash import crash_point

# What became of a command when all went well; any other outcome says why it did not.
DONE = frozenset({"halted", "reducing", "resumed"})
# Whoever asks to resume has seen the state of that moment; a wallet may have been halted for another reason since.
LONGEST_WAIT_TO_RESUME = timedelta(minutes=1)
LATER_HALT = """
    SELECT command_id FROM trading.commands
    WHERE kind = 'halt' AND scope = %s AND name = %s AND command_id > %s ORDER BY command_id LIMIT 1
"""


def carry_out_asked(connection: Connection, *, clock: Callable[[], datetime]) -> dict[int, str]:
    """Carry out the commands that wait, oldest first; returns what became of each, by its id. Commits.

    Args:
        connection: with no transaction open.
        clock: the world's time, UTC.
    """
    waiting = asked_commands(connection)
    connection.rollback()
    found = ((command.command_id, _carry_out(connection, command, clock)) for command in waiting)
    return {command_id: outcome for command_id, outcome in found if outcome is not None}


def _carry_out(connection: Connection, command: AskedCommand, clock: Callable[[], datetime]) -> str | None:
    """Carry out one command; None where somebody else has."""
    sending: list[str] = []
    if command.request.kind == "halt":
        names = wallets_of(connection, command.request.scope)
        connection.rollback()
        sending = wait_for_sends(connection, names, seconds=SEND_SECONDS)
    if not asked_commands(connection, command.command_id, lock=True):
        connection.rollback()
        return None
    now = clock()
    if command.request.kind == "halt":
        set_halt(connection, command.command_id, command.request, "halted")
        outcome = "; ".join(still_sending(sending)) or "halted"
    else:
        outcome = _resume(connection, command, now)
    log_outcome(connection, command.command_id, outcome, now=now)
    crash_point("trading.asked_written")
    connection.commit()
    crash_point("trading.asked_committed")
    return outcome


def _resume(connection: Connection, command: AskedCommand, now: datetime) -> str:
    request = command.request
    if abs(now - request.at) > LONGEST_WAIT_TO_RESUME:  # whoever asks says when: a time to come evades nothing
        return "refused: nothing carried it out within a minute; look at the wallets and ask again"
    later = connection.execute(LATER_HALT, [request.scope.kind, request.scope.name, command.command_id]).fetchone()
    if later is not None:
        return f"refused: command {later[0]} halted {request.scope} later"
    if end_halt(connection, request.scope):
        return "resumed"
    return f"refused: {'; '.join(reasons_not_to_resume(connection, request.scope))}"
