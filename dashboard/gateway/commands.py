"""Halts and resumes: what is in force, what was asked for and what came of it; and asking for one more."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection as own

from dashboard.gateway.reading import read, read_one
from strades_pipelines.brokerage.asked_commands import DONE
from strades_pipelines.brokerage.command_log import Scope

ASK = """
    INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments, request_key)
    VALUES (%s, %s, %s, %s, %s, %s, '{}', %s) ON CONFLICT (request_key) DO NOTHING
"""
TRADING = """
    SELECT w.wallet, w.strategy FROM trading.wallets AS w
    WHERE w.mode <> 'replay' AND w.state <> 'retired' ORDER BY w.wallet
"""
IN_FORCE = """
    SELECT h.scope AS kind, h.name, h.state, h.reason, h.since FROM trading.halts AS h
    UNION ALL
    SELECT 'wallet', w.wallet, w.state, w.state_reason, NULL FROM trading.wallets AS w
    WHERE w.mode <> 'replay' AND w.state IN ('reducing', 'halted')
    UNION ALL
    SELECT c.scope, c.name, 'halted', c.reason, c.requested_at FROM trading.commands AS c
    WHERE c.outcome IS NULL AND c.request_key IS NOT NULL AND c.kind = 'halt'
    ORDER BY kind, name
"""
COMMANDS = """
    SELECT c.command_id, c.request_key, c.kind, c.scope, c.name, c.requested_by, c.requested_at, c.reason, c.outcome,
        c.finished_at
    FROM trading.commands AS c
"""


@dataclass(frozen=True)
class TradingWallet:
    """A wallet that trades, and its strategy: what a halt can be about."""

    wallet: str
    strategy: str


@dataclass(frozen=True)
class HaltInForce:
    """A halt of a wallet, a strategy or all; `since` is None for a wallet's own."""

    kind: str
    name: str
    state: str
    reason: str | None
    since: datetime | None

    @property
    def scope(self) -> Scope:
        """What it is about."""
        return Scope(self.kind, self.name)


@dataclass(frozen=True)
class Command:
    """A halt or resume that somebody asked for; one of the terminal has no key."""

    command_id: int
    request_key: UUID | None
    kind: str
    scope: str
    name: str
    requested_by: str
    requested_at: datetime
    reason: str | None
    outcome: str | None
    finished_at: datetime | None

    @property
    def state(self) -> str:
        """waits, done or failed; a command of the terminal without an outcome was killed, and nobody takes it up."""
        if self.outcome is None and self.request_key is not None:
            return "waits"
        return "done" if self.outcome in DONE else "failed"


def ask(kind: str, scope: Scope, *, by: str, at: datetime, reason: str, key: UUID) -> Command | None:
    """Ask for a halt or resume: one row, committed when this returns; the same key again is the same command.

    Returns:
        The command; None where the key is that of another one.
    """
    with own.cursor() as cursor:
        cursor.execute(ASK, [kind, scope.kind, scope.name, by, at, reason, key])
    command = read_command(key)
    assert command is not None, "it was inserted, or is there"
    is_same = (command.kind, command.scope, command.name, command.requested_by) == (kind, scope.kind, scope.name, by)
    return command if is_same else None


def read_trading_wallets() -> list[TradingWallet]:
    """The wallets that can be halted, by name."""
    return read(TradingWallet, TRADING)


def read_halts() -> list[HaltInForce]:
    """The halts in force, among them those that wait to be carried out: all, strategies, wallets."""
    return read(HaltInForce, IN_FORCE)


def read_command(key: UUID) -> Command | None:
    """The command of a form, or None."""
    return read_one(Command, COMMANDS + "WHERE c.request_key = %(key)s", key=key)


def read_commands(*, before: int | None, most: int) -> list[Command]:
    """Halts and resumes, newest first, of pages and of the terminal.

    Args:
        before: only those with a smaller id, to go on from a page.
    """
    query = (
        COMMANDS
        + """
        WHERE c.kind IN ('halt', 'resume') AND c.command_id < coalesce(%(before)s, 9223372036854775807)
        ORDER BY c.command_id DESC LIMIT %(most)s
    """
    )
    return read(Command, query, before=before, most=most)
