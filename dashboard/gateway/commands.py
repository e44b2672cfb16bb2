"""Commands of people to the trading side: read halts in force, commands and outcomes; insert a new command."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection as own
from psycopg.types.json import Jsonb

from dashboard.gateway.reading import read, read_one
from strades_pipelines.brokerage.command_log import Scope
from strades_pipelines.brokerage.pending_commands import DONE

ASK = """
    INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments, request_key)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (request_key) DO NOTHING
"""
TRADING = """
    SELECT w.wallet, CASE w.strategy WHEN 'several' THEN ARRAY(
        SELECT DISTINCT name FROM trading.sleeves AS s CROSS JOIN unnest(ARRAY[s.strategy, s.sleeve]) AS name
        WHERE s.wallet = w.wallet AND s.retired_at IS NULL ORDER BY name
    ) ELSE ARRAY[w.strategy] END AS strategies
    FROM trading.wallets AS w
    WHERE w.mode <> 'replay' AND w.state <> 'retired' ORDER BY w.wallet
"""
IN_FORCE = """
    SELECT h.scope AS kind, h.name, h.state, h.reason, h.since FROM trading.halts AS h
    UNION ALL
    SELECT 'wallet', w.wallet, w.state, w.state_reason, NULL FROM trading.wallets AS w
    WHERE w.mode <> 'replay' AND w.state IN ('reducing', 'halted')
    UNION ALL
    SELECT c.scope, c.name, 'halted', c.reason, c.requested_at FROM trading.commands AS c
    WHERE c.outcome IS NULL AND c.request_key IS NOT NULL AND c.kind IN ('halt', 'flatten')
    ORDER BY kind, name
"""
COMMANDS = """
    SELECT c.command_id, c.request_key, c.kind, c.scope, c.name, c.requested_by, c.requested_at, c.reason, c.outcome,
        c.finished_at, coalesce(c.arguments ->> 'intent_id', '') AS intent_id
    FROM trading.commands AS c
"""
CANCELLABLE = frozenset({"planned", "accepted", "partially_filled"})
ORDER = """
    SELECT i.intent_id, i.wallet, w.mode, l.venue || ':' || l.symbol AS instrument, i.side, i.quantity, o.filled,
        o.state
    FROM trading.intents AS i
    INNER JOIN trading.orders AS o ON o.intent_id = i.intent_id
    INNER JOIN trading.wallets AS w ON w.wallet = i.wallet
    INNER JOIN records.listings AS l ON l.listing_id = i.listing_id
    WHERE i.intent_id = %(intent_id)s
"""


@dataclass(frozen=True)
class TradingWallet:
    """A wallet that trades, and what a halt of a strategy in it can name: its strategy, or those that share it."""

    wallet: str
    strategies: list[str]


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
    """What somebody asked for; a command of the terminal has no key. `intent_id` is the order of a `cancel`."""

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
    intent_id: str

    @property
    def state(self) -> str:
        """waits, done or failed; a command of the terminal without an outcome was killed, and nobody takes it up."""
        if self.outcome is None and self.request_key is not None:
            return "waits"
        return "done" if self.outcome in DONE else "failed"


@dataclass(frozen=True)
class OrderToCancel:
    """An order as the form to cancel it names it."""

    intent_id: str
    wallet: str
    mode: str
    instrument: str
    side: str
    quantity: Decimal
    filled: Decimal
    state: str

    @property
    def can_be_cancelled(self) -> bool:
        """Whether to cancel it makes sense now; of an order in doubt first the venue has to say that it has it."""
        return self.mode != "replay" and self.state in CANCELLABLE


def ask(
    kind: str, scope: Scope, *, by: str, at: datetime, reason: str, key: UUID, intent_id: str = ""
) -> Command | None:
    """Ask for a command: one row, committed when this returns; the same key again is the same command.

    Args:
        intent_id: of the order that a `cancel` is about.

    Returns:
        The command; None where the key is that of another one.
    """
    with own.cursor() as cursor:
        arguments = Jsonb({"intent_id": intent_id} if intent_id else {})
        cursor.execute(ASK, [kind, scope.kind, scope.name, by, at, reason, arguments, key])
    command = read_command(key)
    assert command is not None, "it was inserted, or is there"
    made = (command.kind, command.scope, command.name, command.requested_by, command.intent_id)
    return command if made == (kind, scope.kind, scope.name, by, intent_id) else None


def read_order(intent_id: str) -> OrderToCancel | None:
    """An order, or None."""
    return read_one(OrderToCancel, ORDER, intent_id=intent_id)


def read_trading_wallets() -> list[TradingWallet]:
    """The wallets that can be halted, by name."""
    return read(TradingWallet, TRADING)


def read_halts() -> list[HaltInForce]:
    """The halts in force, among them those that wait to be carried out: all, strategies, wallets."""
    return read(HaltInForce, IN_FORCE)


def read_command(key: UUID) -> Command | None:
    """The command of a form, or None."""
    return read_one(Command, COMMANDS + "WHERE c.request_key = %(key)s", key=key)


def read_commands_by(by: str) -> list[Command]:
    """All that somebody asked for, oldest first, of wallets that the viewer sees."""
    return read(Command, COMMANDS + "WHERE c.requested_by = %(by)s ORDER BY c.command_id", by=by)


def read_commands(*, before: int | None, most: int) -> list[Command]:
    """Halts and resumes, newest first, of pages and of the terminal; and what else pages asked for.

    Args:
        before: only those with a smaller id, to go on from a page.
    """
    query = (
        COMMANDS
        + """
        WHERE (c.kind IN ('halt', 'resume') OR c.request_key IS NOT NULL)
            AND c.command_id < coalesce(%(before)s, 9223372036854775807)
        ORDER BY c.command_id DESC LIMIT %(most)s
    """
    )
    return read(Command, query, before=before, most=most)
