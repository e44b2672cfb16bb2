"""Bodies of the commands that keep a wallet's accounts: run, then print a table or JSON."""

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.command_log import Request, Scope, current_user
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.performance_report import read_performance
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.statement_formats import FORMATS, StatementError
from strades_pipelines.brokerage.statements import import_statement
from strades_pipelines.brokerage.trade_corrections import Changes, correct_trade, undo_correction
from strades_pipelines.brokerage.transfers import Transfer, TransferRefused, transfer
from strades_pipelines.brokerage.wallet_status import wallet_status
from strades_pipelines.database.connection import connect
from strades_pipelines.operations.order_words import decimal_word
from strades_pipelines.operations.output import print_result, table
from strades_pipelines.operations.trading import open_world
from strades_pipelines.settings import settings
from strades_pipelines.system.regular_files import read_regular

MOST_BYTES = 50_000_000


def run_transfer(
    wallet: str,
    amount: str,
    currency: str,
    *,
    to: str | None,
    at: str | None,
    key: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """`strades transfer`; ends with 1 when it was refused, and with 2 for a wallet there is not."""
    now = settings().now()
    moved = Transfer(wallet, decimal_word(amount, "--amount"), currency, _time(at, now), to, key)
    open_world()
    request = Request("transfer", Scope("wallet", wallet), current_user(), now, reason)
    with connect() as connection:
        try:
            is_new = transfer(connection, moved, request)
        except LookupError as error:
            raise BadInput(str(error)) from None
        except TransferRefused as error:
            print(f"strades: transfer refused: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        except psycopg.errors.LockNotAvailable:
            print(f"strades: transfer: another process is at wallet {wallet}; try again", file=sys.stderr)
            raise typer.Exit(1) from None
        rows = [_cash_row(connection, name, now) for name in (wallet, to) if name is not None]
    document = {"movement_id": moved.movement_id, "is_new": is_new, "wallets": rows}
    outcome = {"movement_id": moved.movement_id, "booked": "now" if is_new else "before"}
    shown = [row | {"cash": ", ".join(f"{amount:f} {code}" for code, amount in row["cash"].items())} for row in rows]
    print_result(document, as_json, [table("movement_id booked", [outcome]), table("wallet cash", shown)])


def run_statement(path: Path, wallet: str, format_name: str, *, reason: str | None, as_json: bool) -> None:
    """`strades statement`; ends with 2, with a line for each fault, when the file cannot be booked; nothing is then."""
    if format_name not in FORMATS:
        raise BadInput(f"--format: expected one of {', '.join(FORMATS)}, found {format_name!r}")
    try:
        body = read_regular(path, most_bytes=MOST_BYTES)
    except OSError as error:
        raise BadInput(
            f"{path}: expected a readable file of at most {MOST_BYTES:,} bytes, found {error.strerror}"
        ) from None
    open_world()
    request = Request("statement", Scope("wallet", wallet), current_user(), settings().now(), reason)
    with connect() as connection:
        try:
            # A name that is no UTF-8 is kept as far as it is.
            name = os.fsencode(path.name).decode(errors="replace")
            done = import_statement(connection, body, file_name=name, format_name=format_name, request=request)
        except LookupError as error:
            raise BadInput(str(error)) from None
        except StatementError as error:
            for fault in error.faults:
                print(f"strades: {path}: {fault}", file=sys.stderr)
            raise typer.Exit(2) from None
        except psycopg.errors.LockNotAvailable:
            print(f"strades: statement: another process is at wallet {wallet}; try again", file=sys.stderr)
            raise typer.Exit(1) from None
    row = {"wallet": wallet, **asdict(done), "known": done.known}
    print_result(row, as_json, [table("wallet rows trades movements known", [row])])


def run_correct_trade(
    fill: str,
    wallet: str,
    words: Mapping[str, str | None],
    *,
    remove: bool,
    undo: bool,
    reason: str,
    as_json: bool,
) -> None:
    """`strades correct-trade`; ends with 2, with a line for each fault, when it cannot be corrected so."""
    now = settings().now()
    given = [name for name, word in words.items() if word is not None]
    if remove + undo + bool(given) != 1:
        raise BadInput("correct-trade: expected what is right (--side, --quantity, ...), or --remove, or --undo")
    if words["side"] not in (None, "buy", "sell"):
        raise BadInput(f"--side: expected buy or sell, found {words['side']!r}")
    amounts = {
        name: None if (word := words[name]) is None else decimal_word(word, f"--{name}")
        for name in ("quantity", "price", "fee")
    }
    at = None if words["at"] is None else _time(words["at"], now)
    changes = Changes(words["side"], amounts["quantity"], amounts["price"], amounts["fee"], at)
    open_world()
    request = Request("statement", Scope("wallet", wallet), current_user(), now, reason)
    with connect() as connection:
        try:
            if undo:
                done = undo_correction(connection, fill, request)
            else:
                done = correct_trade(connection, fill, None if remove else changes, request)
        except LookupError as error:
            raise BadInput(str(error)) from None
        except StatementError as error:
            for fault in error.faults:
                print(f"strades: {fault}", file=sys.stderr)
            raise typer.Exit(2) from None
        except psycopg.errors.LockNotAvailable:
            print(f"strades: correct-trade: another process is at wallet {wallet}; try again", file=sys.stderr)
            raise typer.Exit(1) from None
    row = {"wallet": wallet, "trade": fill, **asdict(done), "known": done.known}
    print_result(row, as_json, [table("wallet trade rows trades known", [row])])


def show_history(wallet: str, start: str | None, end: str | None, *, as_json: bool) -> None:
    """`strades history`; brings the sessions up to now first."""
    first, last = (_day(start, "--from"), _day(end, "--to"))
    open_world()
    with connect() as connection:
        try:
            opened = load_wallet(connection, wallet)
        except LookupError as error:
            raise BadInput(str(error)) from None
        measure_history(connection, opened, now=settings().now())
        found = read_performance(connection, opened, first, last)
    document = asdict(found)
    money = "opening flows realised unrealised income fees closing"
    totals = {"time_weighted": found.time_weighted, "money_weighted_a_year": found.money_weighted}
    tables = [
        table(f"session_date {money} time_weighted", _short(found.sessions)),
        table("strategy source fills traded fees pnl", _short(found.owners)),
        table("time_weighted money_weighted_a_year", _short([totals])),
    ]
    print_result(document, as_json, tables)
    if found.unvalued:
        print(f"strades: without {', '.join(found.unvalued)}: no rate is known", file=sys.stderr)


def _short(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Money to the cent, as a person reads it, and returns in percent."""
    return [{name: _short_value(value) for name, value in row.items()} for row in rows]


def _short_value(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:+.2%}"
    return f"{value:,.2f}" if isinstance(value, Decimal) else value


def _day(text: str | None, where: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{where}: expected a day as YYYY-MM-DD, found {text!r}") from None


def _cash_row(connection: Connection, name: str, now: datetime) -> dict[str, Any]:
    status = wallet_status(connection, load_wallet(connection, name), now=now)
    return {"wallet": name, "cash": {status.wallet.currency: status.cash, **status.foreign_cash}}


def _time(text: str | None, now: datetime) -> datetime:
    """A time as it was typed; without an offset it is UTC."""
    if text is None:
        return now
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput(f"--at: expected a time in ISO 8601, found {text[:40]!r} ({error})") from None
