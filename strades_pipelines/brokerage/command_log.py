"""Commands of people to the trading side, in trading.commands: who, when, why, and the outcome."""

import getpass
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import to_json


@dataclass(frozen=True, slots=True)
class Scope:
    """What a command is about: one wallet, one strategy in all of its wallets, or everything that trades."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return "all wallets" if self.kind == "all" else f"{self.kind} {self.name}"


ALL = Scope("all")


@dataclass(frozen=True, slots=True)
class Request:
    """A person's request: `by` is the user of the operating system, `at` the time in UTC."""

    kind: str
    scope: Scope
    by: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """A command that a page asked for and that waits to be carried out.

    `intent_id` is the order that a `cancel` is about, empty for other kinds.
    """

    command_id: int
    request: Request
    intent_id: str = ""


def current_user() -> str:
    """The user of the operating system; `uid N` where it has no name, as in a container."""
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    import os

    return f"uid {os.getuid()}"


def log_command(connection: Connection, request: Request, arguments: Mapping[str, Any]) -> int:
    """Keep that a command was given; returns its id. Commits nothing."""
    row = connection.execute(
        """
        INSERT INTO trading.commands (kind, scope, name, requested_by, requested_at, reason, arguments)
        VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING command_id
        """,
        [
            request.kind,
            request.scope.kind,
            request.scope.name,
            request.by,
            request.at,
            request.reason,
            to_json(arguments),
        ],
    ).fetchone()
    assert row is not None
    return int(row[0])


def log_outcome(connection: Connection, command_id: int, outcome: str, *, now: datetime) -> None:
    """Record the outcome of a command, once. Commits nothing."""
    connection.execute(
        "UPDATE trading.commands SET outcome = %s, finished_at = %s WHERE command_id = %s", [outcome, now, command_id]
    )


def pending_commands(
    connection: Connection, command_id: int | None = None, *, lock: bool = False
) -> list[PendingCommand]:
    """The commands that wait to be carried out, in the order in which they were given. Commits nothing.

    Args:
        command_id: only this one, if it still waits.
        lock: hold their rows until the end of the transaction; waits for whoever holds one.
    """
    # Only what a page asked for has a `request_key`; commands of the terminal are carried out at once, by who gave
    # them.
    rows = connection.execute(
        f"""
        SELECT command_id, coalesce(arguments ->> 'intent_id', ''), kind, scope, name, requested_by, requested_at,
            reason
        FROM trading.commands
        WHERE outcome IS NULL AND request_key IS NOT NULL AND command_id = coalesce(%s, command_id)
        ORDER BY command_id {"FOR UPDATE" if lock else ""}
        """,
        [command_id],
    )
    return [
        PendingCommand(found, Request(kind, Scope(scope, name), by, at, reason), intent_id)
        for found, intent_id, kind, scope, name, by, at, reason in rows
    ]
