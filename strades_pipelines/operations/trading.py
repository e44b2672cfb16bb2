"""Bodies of the commands with which a person trades: halt, resume, order, cancel, wallets. They need no Dagster."""

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import psycopg
import typer

from strades_pipelines.brokerage.brokers.venue import VenueBroker, venue_for
from strades_pipelines.brokerage.command_log import ALL, Request, Scope, current_user, log_command, log_outcome
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.flatten import Flattened, cancel_all, flatten
from strades_pipelines.brokerage.halts import halt, resume, wait_for_sends, wallets_of
from strades_pipelines.brokerage.ledger_marks import verify_in_full
from strades_pipelines.brokerage.live import for_each
from strades_pipelines.brokerage.person_orders import (
    cancel_by_hand,
    decide_by_hand,
    find_instrument,
    find_order,
    outcome_of,
)
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.snapshot import read_snapshot
from strades_pipelines.brokerage.trading_context import read_context
from strades_pipelines.brokerage.wallet_status import WalletStatus, wallet_statuses
from strades_pipelines.database.connection import connect, create_databases, database_url
from strades_pipelines.database.migrate import migrate
from strades_pipelines.install import make_home_private
from strades_pipelines.market.cost_basis import METHODS
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.orders import OrderRequest
from strades_pipelines.operations.output import print_result, table
from strades_pipelines.settings import settings
from strades_pipelines.strategy.bad_input import BadInput

# A send that hangs for longer is the venue's to end; how long cancels are waited for.
SEND_SECONDS, CANCEL_SECONDS = 5.0, 5.0
WALLET_COLUMNS = "wallet mode state equity positions orders decided feed"


def run_halt(
    wallet: str | None,
    strategy: str | None,
    *,
    reducing: bool,
    cancel_open: bool,
    flatten_all: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """`strades halt`; ends with 1 when a wallet was still sending, or something could not be cancelled or closed."""
    scope = _scope(wallet, strategy)
    if cancel_open and flatten_all:
        raise BadInput("expected --cancel-open or --flatten, found both; --flatten cancels what is open too")
    if reducing and flatten_all:
        raise BadInput(
            "expected --reducing or --flatten, found both: strategies would trade while positions are closed"
        )
    open_world()
    with connect() as connection:
        names = _checked(connection, scope)
        request = _request("halt", scope, reason)
        state = "reducing" if reducing else "halted"
        command_id = halt(connection, request, state)
        sending = wait_for_sends(connection, names, seconds=SEND_SECONDS)
        results: dict[str, Flattened] = {}
        errors: dict[str, str] = {}
        work = flatten if flatten_all else cancel_all if cancel_open else None
        if work is not None:
            results, errors = _at_each_venue(connection, work, [name for name in names if name not in sending], request)
        problems = [f"wallet {name} was still sending after {SEND_SECONDS:.0f} s" for name in sending]
        problems += [f"wallet {name}: {error}" for name, error in errors.items()]
        problems += [f"wallet {name}: {line}" for name, done in results.items() for line in _left_over(done)]
        log_outcome(connection, command_id, "; ".join(problems) or state, now=settings().now())
        connection.commit()
        statuses = list(wallet_statuses(connection, now=settings().now(), names=names))
    document = {
        "command_id": command_id,
        "scope": str(scope),
        "state": state,
        "wallets": [_status_document(status) for status in statuses],
        "still_sending": sending,
        "done": {name: asdict(done) for name, done in results.items()},
        "problems": problems,
    }
    _finish(document, statuses, as_json, problems)


def run_resume(wallet: str | None, strategy: str | None, *, reason: str | None, as_json: bool) -> None:
    """`strades resume`; ends with 1 when nothing of this scope was halted."""
    scope = _scope(wallet, strategy)
    open_world()
    with connect() as connection:
        names = _checked(connection, scope)
        command_id, ended = resume(connection, _request("resume", scope, reason))
        problems = [] if ended else [f"{scope}: nothing to resume; `strades wallets` shows what is halted, and by what"]
        log_outcome(connection, command_id, "; ".join(problems) or "resumed", now=settings().now())
        connection.commit()
        statuses = list(wallet_statuses(connection, now=settings().now(), names=names))
    document = {
        "command_id": command_id,
        "scope": str(scope),
        "wallets": [_status_document(status) for status in statuses],
        "problems": problems,
    }
    _finish(document, statuses, as_json, problems)


def run_order(wallet: str, instrument: str, order: OrderRequest, *, reason: str | None, as_json: bool) -> None:
    """`strades order`; ends with 1 when the order was refused, and with 2 for a wallet or instrument there is not."""
    open_world()
    request = _request("order", Scope("wallet", wallet), reason)
    with connect() as connection, connect() as at_venue:
        try:
            opened = load_wallet(connection, wallet)
            venue = venue_for(opened, at_venue)
            listing = find_instrument(opened, instrument)
        except (LookupError, ValueError) as error:
            connection.rollback()
            command_id = log_command(connection, request, {"instrument": instrument, "quantity": str(order.quantity)})
            log_outcome(connection, command_id, f"refused: {error}", now=settings().now())
            connection.commit()
            raise BadInput(str(error)) from None
        command_id, decision = decide_by_hand(connection, opened, listing, order, request)
        connection.commit()
        _pass(connection, venue, wallet)
        outcome = outcome_of(connection, decision)
        log_outcome(connection, command_id, f"{outcome.intent_id} {outcome.state}", now=settings().now())
        connection.commit()
    row = {"wallet": wallet, "instrument": listing.name, "decision_id": decision.decision_id, **asdict(outcome)}
    print_result(row, as_json, [table("wallet instrument intent_id state reason", [row])])
    if not outcome.is_good:
        print(f"strades: order {outcome.state}: {outcome.reason}", file=sys.stderr)
    raise typer.Exit(0 if outcome.is_good else 1)


def run_cancel(intent_id: str, *, reason: str | None, as_json: bool) -> None:
    """`strades cancel`; ends with 1 while the order may still be filled, and when it was over before."""
    open_world()
    with connect() as connection, connect() as at_venue:
        try:
            wallet, decision_id, before = find_order(connection, intent_id)
        except LookupError as error:
            raise BadInput(str(error)) from None
        problem = f"order {intent_id} is {before.value}: there is nothing to cancel" if before.is_over else None
        after = before
        if problem is None:
            request = _request("cancel", Scope("wallet", wallet), reason)
            command_id = cancel_by_hand(connection, decision_id, intent_id, request)
            connection.commit()
            _pass(connection, venue_for(load_wallet(connection, wallet), at_venue), wallet)
            _, _, after = find_order(connection, intent_id)
            if not after.is_over:
                problem = f"order {intent_id} is {after.value}: each pass over its wallet tries again"
            elif after is OrderState.FILLED:
                problem = f"order {intent_id} is filled: that came first"
            log_outcome(connection, command_id, after.value, now=settings().now())
            connection.commit()
        row = {"wallet": wallet, "intent_id": intent_id, "before": before.value, "state": after.value}
    print_result(row, as_json, [table("wallet intent_id before state", [row])])
    if problem:
        print(f"strades: {problem}", file=sys.stderr)
    raise typer.Exit(1 if problem else 0)


def show_wallets(*, cost_basis: str, as_json: bool) -> None:
    """`strades wallets`."""
    if cost_basis not in METHODS:
        raise BadInput(f"--cost: expected one of {', '.join(METHODS)}, found {cost_basis!r}")
    open_world()
    with connect() as connection, read_snapshot(connection):
        statuses = list(wallet_statuses(connection, now=settings().now(), cost_basis=cost_basis))
    late = late_feeds()
    rows = [_status_document(status) | {"feed": late.get(status.wallet.name, "ok")} for status in statuses]
    print_result(
        {"wallets": rows}, as_json, [_wallet_table(rows), *_position_tables(statuses), *_order_tables(statuses)]
    )


def show_context(*, fills: int, as_json: bool) -> None:
    """`strades context`."""
    open_world()
    with connect() as connection:
        context = read_context(connection, now=settings().now(), fills=fills)
    state = context.state["wallets"]
    wallets = [row | {"state": state[row["wallet"]]["state"]} for row in context.wallets]
    tables = [
        table("wallet mode state equity cash currency", wallets),
        table("wallet instrument quantity average_price price realised unrealised", context.positions),
        table("wallet kind instrument side quantity filled state", context.pending),
        table("content_hash as_of", [context.document()]),
    ]
    print_result(context.document(), as_json, tables)


def run_ledger_verify(wallet: str | None, *, as_json: bool) -> None:
    """`strades ledger verify`; ends with 1 when something is wrong, one line for each fault on standard error."""
    open_world()
    with connect() as connection:
        known = [name for (name,) in connection.execute("SELECT wallet FROM trading.wallets ORDER BY wallet")]
        if wallet is not None and wallet not in known:
            raise BadInput(f"--wallet: expected one that was opened ({', '.join(known)}), found {wallet!r}")
        rows = []
        for name in known if wallet is None else [wallet]:
            connection.rollback()
            faults = verify_in_full(connection, name)
            count = connection.execute("SELECT count(*) FROM trading.ledger WHERE wallet = %s", [name]).fetchone()
            rows.append({"wallet": name, "lines": count[0] if count else 0, "faults": faults})
    shown = [row | {"faults": len(row["faults"])} for row in rows]
    print_result({"wallets": rows}, as_json, [table("wallet lines faults", shown)])
    found = [fault for row in rows for fault in row["faults"]]
    for fault in found:
        print(f"strades: {fault}", file=sys.stderr)
    raise typer.Exit(1 if found else 0)


def open_world() -> None:
    """Have the schema there. Where it is there, nothing is waited for: to halt must be quick."""
    try:
        with connect(database_url()) as connection:
            if connection.execute("SELECT to_regclass('trading.halts')").fetchone() != (None,):
                return
    except psycopg.OperationalError:
        make_home_private()
        create_databases()
    migrate(database_url(), world=settings().world)


def late_feeds() -> dict[str, str]:
    """By how much the bars of a wallet are behind; a wallet whose bars are fresh is absent."""
    from strades_pipelines.watchdog import late_wallets, read_wallets

    lags = late_wallets(read_wallets(database_url()), settings().now())
    return {lag.what.removeprefix("wallet "): lag.detail for lag in lags}


def _scope(wallet: str | None, strategy: str | None) -> Scope:
    if wallet is not None and strategy is not None:
        raise BadInput("expected --wallet or --strategy, found both")
    if wallet is not None:
        return Scope("wallet", wallet)
    return ALL if strategy is None else Scope("strategy", strategy)


def _request(kind: str, scope: Scope, reason: str | None) -> Request:
    return Request(kind, scope, current_user(), settings().now(), reason)


def _checked(connection: Connection, scope: Scope) -> list[str]:
    """The wallets in scope.

    Raises:
        BadInput: for a wallet or strategy that trades nowhere. All wallets may be none.
    """
    names = wallets_of(connection, scope)
    if not names and scope != ALL:
        known = wallets_of(connection, ALL)
        raise BadInput(
            f"--{scope.kind}: expected that of a wallet that trades ({', '.join(known)}), found {scope.name!r}"
        )
    connection.rollback()
    return names


def _pass(connection: Connection, venue: VenueBroker, wallet: str) -> None:
    """A pass over the wallet; where another process is at it for too long, its next one takes up what was asked for."""
    try:
        execute_pending(connection, venue, wallet, now=settings().now())
    except psycopg.errors.LockNotAvailable:
        connection.rollback()


def _at_each_venue(
    connection: Connection, work: Callable[..., Flattened], names: list[str], request: Request
) -> tuple[dict[str, Flattened], dict[str, str]]:
    """Do `work` for each wallet at its venue; one that fails holds up no other."""
    with connect() as at_venue:

        def at_venue_of(name: str) -> Flattened:
            venue = venue_for(load_wallet(connection, name), at_venue)
            of_wallet = replace(request, kind="flatten" if work is flatten else "cancel", scope=Scope("wallet", name))
            return work(connection, venue, of_wallet, clock=settings().now, seconds=CANCEL_SECONDS)

        return for_each(names, at_venue_of, [connection, at_venue])


def _left_over(done: Flattened) -> list[str]:
    lines = [f"order {intent_id} is not cancelled yet" for intent_id in done.not_cancelled]
    return lines + [
        f"exit {outcome.intent_id} {outcome.state}: {outcome.reason}" for outcome in done.exits if not outcome.is_good
    ]


def _finish(document: dict[str, Any], statuses: list[WalletStatus], as_json: bool, problems: list[str]) -> None:
    print_result(document, as_json, [_wallet_table(document["wallets"]), *_order_tables(statuses)])
    for problem in problems:
        print(f"strades: {problem}", file=sys.stderr)
    raise typer.Exit(1 if problems else 0)


def _status_document(status: WalletStatus) -> dict[str, Any]:
    wallet = status.wallet
    return {
        "wallet": wallet.name,
        "mode": wallet.mode,
        "strategy": wallet.strategy,
        "state": wallet.state,
        "reason": wallet.state_reason,
        "currency": wallet.currency,
        "cash": status.cash,
        "foreign_cash": status.foreign_cash,
        "equity": status.equity,
        "unvalued": status.unvalued,
        "realised": status.realised,
        "unrealised": status.unrealised,
        "positions": [asdict(position) for position in status.positions],
        "orders": [asdict(order) for order in status.orders],
        "last_decision_at": status.last_decision_at,
    }


def _wallet_table(rows: list[dict[str, Any]]) -> Any:
    shown = [
        row
        | {
            "state": ": ".join(filter(None, (row["state"], row["reason"]))),
            "equity": _with_unvalued(f"{row['equity']:,.2f} {row['currency']}", row["unvalued"]),
            "positions": ", ".join(f"{one['quantity']:f} {one['instrument']}" for one in row["positions"]) or None,
            "orders": len(row["orders"]),
            "decided": row["last_decision_at"] and f"{row['last_decision_at']:%Y-%m-%d %H:%M}",
        }
        for row in rows
    ]
    columns = WALLET_COLUMNS if rows and "feed" in rows[0] else WALLET_COLUMNS.removesuffix(" feed")
    return table(columns, shown)


def _with_unvalued(equity: str, unvalued: list[str]) -> str:
    """The equity, and what is not in it since no rate of it is known."""
    return f"{equity} without {', '.join(unvalued)}" if unvalued else equity


def _position_tables(statuses: list[WalletStatus]) -> list[Any]:
    """The open positions with what they cost and made, to the cent."""
    rows = [
        {
            "wallet": status.wallet.name,
            "instrument": held.instrument,
            "quantity": f"{held.quantity:f}",
            "cost": f"{held.cost:,.2f}",
            "realised": f"{held.realised:,.2f}",
            "unrealised": None if held.unrealised is None else f"{held.unrealised:,.2f}",
        }
        for status in statuses
        for held in status.positions
    ]
    return [table("wallet instrument quantity cost realised unrealised", rows)] if rows else []


def _order_tables(statuses: list[WalletStatus]) -> list[Any]:
    rows = [
        {
            "intent_id": order.intent_id,
            "wallet": status.wallet.name,
            "order": f"{order.side} {order.quantity:f} {order.instrument} {order.order_type}",
            "filled": f"{order.filled:f}",
            "state": order.state,
            "by": order.trigger,
        }
        for status in statuses
        for order in status.orders
    ]
    return [table("intent_id wallet order filled state by", rows)] if rows else []
