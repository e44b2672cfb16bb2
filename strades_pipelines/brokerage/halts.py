"""The kill switch. After `halt` and `wait_for_sends` have returned, no new order of its wallets reaches a venue.

A sender holds the wallet's send lock, shared with other senders, from before it reads the wallet's state until the
venue has answered. A halt commits the new state first and then takes the lock for a moment, exclusively: it waits for
senders that may have read the old state, and later ones read the new. Locks belong to connections, so a killed process
holds up nobody.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psycopg

from strades_pipelines.brokerage.command_log import Request, Scope, log_command, log_outcome, pending_commands
from strades_pipelines.brokerage.findings import open_findings
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.pipelining import commit_together

SEND_SECONDS = 5.0  # a send that hangs for longer is the venue's to end
# The wallets of a scope, but for replays and for those that are closed.
IN_SCOPE = """
    SELECT w.wallet FROM trading.wallets AS w
    WHERE w.mode <> 'replay' AND w.state <> 'retired'
        AND CASE %(scope)s
            WHEN 'wallet' THEN w.wallet = %(name)s
            WHEN 'strategy' THEN w.strategy = %(name)s OR EXISTS (
                SELECT FROM trading.sleeves AS s WHERE s.wallet = w.wallet AND %(name)s IN (s.strategy, s.sleeve)
            )
            ELSE true
        END
    ORDER BY w.wallet
"""


def wallets_of(connection: Connection, scope: Scope) -> list[str]:
    """The wallets that trade and that a scope takes in."""
    return [name for (name,) in connection.execute(IN_SCOPE, {"scope": scope.kind, "name": scope.name})]


def halt(connection: Connection, request: Request, state: str) -> int:
    """Have the wallets in scope send nothing more, or in the state `reducing` only exits; returns the command. Commits.

    Of two halts of one scope the later one counts. Sends that are under way are not waited for.
    """
    command_id = log_command(connection, request, {"state": state})
    set_halt(connection, command_id, request, state)
    crash_point("trading.halt_written")
    connection.commit()
    crash_point("trading.halt_committed")
    return command_id


def set_halt(connection: Connection, command_id: int, request: Request, state: str) -> None:
    """Write the state that a command asks for: of its wallet, or a halt of its strategy or of all. Commits nothing."""
    scope, reason = request.scope, request.reason or f"by {request.by}"
    if scope.kind == "wallet":
        connection.execute(
            """
            UPDATE trading.wallets SET state = %s, state_reason = %s
            WHERE wallet = %s AND state NOT IN ('retiring', 'retired')
            """,
            [state, reason, scope.name],
        )
    else:
        connection.execute(
            """
            INSERT INTO trading.halts VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (scope, name) DO UPDATE
            SET state = excluded.state, reason = excluded.reason, since = excluded.since,
                command_id = excluded.command_id
            """,
            [scope.kind, scope.name, state, reason, request.at, command_id],
        )


def resume(connection: Connection, request: Request) -> tuple[int, bool]:
    """End the halt of exactly this scope; returns the command and whether there was one. Commits.

    A halt of this scope, or a flatten of its wallet, that a page asked for and that waits is ended too.
    """
    command_id = log_command(connection, request, {})
    # Locked, so that none of them is carried out between this look and the commit.
    for waiting in pending_commands(connection, lock=True):
        if waiting.request.kind in ("halt", "flatten") and waiting.request.scope == request.scope:
            set_halt(connection, waiting.command_id, waiting.request, "halted")
            log_outcome(connection, waiting.command_id, f"ended by command {command_id}", now=request.at)
    ended = end_halt(connection, request.scope)
    connection.commit()
    return command_id, ended


def end_halt(connection: Connection, scope: Scope) -> bool:
    """End the halt of exactly this scope; whether there was one that could be ended. Commits nothing.

    A wallet that was halted by itself, by a fault say, stays so when all wallets are resumed; one of which a finding
    stands stays so until that is settled.
    """
    if scope.kind == "wallet":
        ended = connection.execute(
            """
            UPDATE trading.wallets AS w SET state = 'active', state_reason = NULL
            WHERE w.wallet = %s AND w.state IN ('reducing', 'halted')
                AND NOT EXISTS (SELECT FROM trading.findings AS f WHERE f.state = 'open' AND w.wallet = ANY(f.wallets))
            """,
            [scope.name],
        )
    else:
        ended = connection.execute("DELETE FROM trading.halts WHERE scope = %s AND name = %s", [scope.kind, scope.name])
    return ended.rowcount > 0


def reasons_not_to_resume(connection: Connection, scope: Scope) -> list[str]:
    """Why `end_halt` ended nothing: findings of the wallet that stand, or there is no halt of this scope."""
    findings = open_findings(connection, wallet=scope.name) if scope.kind == "wallet" else []
    if findings:
        return [f"{scope}: finding {one.finding_id} stands: {one.detail}; {one.advice}" for one in findings]
    return [f"{scope}: nothing to resume; `strades wallets` shows what is halted, and by what"]


def current_state(connection: Connection, wallet: str) -> str:
    """The state that counts for a wallet now; `gone` for one that is not there."""
    row = connection.execute("SELECT state FROM trading.wallet_states WHERE wallet = %s", [wallet]).fetchone()
    return str(row[0]) if row else "gone"


@contextmanager
def send_lock(connection: Connection, wallet: str) -> Iterator[None]:
    """Hold the wallet's send lock, shared with other senders. What the block does it must commit."""
    # Of the session, not of the transaction: the block commits while it sends.
    connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", [_key(wallet)])
    try:
        yield
    finally:
        with suppress(psycopg.OperationalError):  # a broken connection has lost the lock with the rest
            connection.rollback()
            with commit_together(connection):
                connection.execute("SELECT pg_advisory_unlock_shared(hashtextextended(%s, 0))", [_key(wallet)])


def wait_for_sends(connection: Connection, wallets: Sequence[str], *, seconds: float) -> list[str]:
    """Wait until the sends that are under way have ended; returns the wallets that were still sending after that time.

    Args:
        connection: with no transaction open.
    """
    deadline = time.monotonic() + seconds
    still_sending = []
    for wallet in wallets:
        # PostgreSQL takes a time-out of 0 for none at all.
        left = max(1, round(1000 * (deadline - time.monotonic())))
        try:
            connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{left}ms"])
            connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_key(wallet)])
        except psycopg.errors.LockNotAvailable:
            still_sending.append(wallet)
        finally:
            connection.rollback()  # gives the lock back
    return still_sending


def still_sending(wallets: Sequence[str]) -> list[str]:
    """A line for each wallet that `wait_for_sends` waited for in vain for `SEND_SECONDS`."""
    return [f"wallet {name} was still sending after {SEND_SECONDS:.0f} s" for name in wallets]


def _key(wallet: str) -> str:
    return f"strades.send:{wallet}"
