"""What a person sees of the wallets, and what the commands with which a person trades share. They need no Dagster."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import psycopg
import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.command_log import ALL, Request, Scope, current_user
from strades_pipelines.brokerage.findings import StoredFinding, open_findings
from strades_pipelines.brokerage.halts import wallets_of
from strades_pipelines.brokerage.ledger_marks import verify_in_full
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.snapshot import read_snapshot
from strades_pipelines.brokerage.trading_context import read_context
from strades_pipelines.brokerage.wallet_status import WalletStatus, wallet_statuses
from strades_pipelines.database.connection import connect, create_databases, database_url
from strades_pipelines.database.migrate import migrate
from strades_pipelines.installation.install import make_home_private
from strades_pipelines.market.cost_basis import METHODS
from strades_pipelines.operations.output import print_result, table
from strades_pipelines.settings import settings

WALLET_COLUMNS = "wallet mode state equity positions orders decided feed"


def show_wallets(*, cost_basis: str, as_json: bool) -> None:
    """`strades wallets`."""
    if cost_basis not in METHODS:
        raise BadInput(f"--cost: expected one of {', '.join(METHODS)}, found {cost_basis!r}")
    open_world()
    with connect() as connection, read_snapshot(connection):
        statuses = list(wallet_statuses(connection, now=settings().now(), cost_basis=cost_basis))
        findings = open_findings(connection)
    late = late_feeds()
    rows = [status_document(status) | {"feed": late.get(status.wallet.name, "ok")} for status in statuses]
    document = {"wallets": rows, "findings": [finding_document(finding) for finding in findings]}
    tables = [
        wallet_table(rows),
        *_owner_tables(statuses),
        *_position_tables(statuses),
        *order_tables(statuses),
        *finding_tables(findings),
    ]
    print_result(document, as_json, tables)


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
        *([table("finding_id code detail", found)] if (found := context.state["findings"]) else []),
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
            # Each wallet as one moment saw it: no transaction reaches over several.
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
            if connection.execute("SELECT to_regclass('trading.findings')").fetchone() != (None,):
                return
    except psycopg.OperationalError:
        make_home_private()
        create_databases()
    migrate(database_url(), world=settings().world)


def late_feeds() -> dict[str, str]:
    """By how much the bars of a wallet are behind; a wallet whose bars are fresh is absent."""
    from strades_pipelines.supervision.watchdog import late_wallets, read_wallets

    lags = late_wallets(read_wallets(database_url()), settings().now())
    return {lag.what.removeprefix("wallet "): lag.detail for lag in lags}


def scope_of(wallet: str | None, strategy: str | None) -> Scope:
    """The scope that the options of a command name."""
    if wallet is not None and strategy is not None:
        raise BadInput("expected --wallet or --strategy, found both")
    if wallet is not None:
        return Scope("wallet", wallet)
    return ALL if strategy is None else Scope("strategy", strategy)


def new_request(kind: str, scope: Scope, reason: str | None) -> Request:
    """The request of whoever runs this command, now."""
    return Request(kind, scope, current_user(), settings().now(), reason)


def wallets_in(connection: Connection, scope: Scope) -> list[str]:
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


def finish(document: dict[str, Any], statuses: list[WalletStatus], as_json: bool, problems: list[str]) -> None:
    """Print what a command did with wallets; ends with 1 when there are problems, one line each on standard error."""
    print_result(document, as_json, [wallet_table(document["wallets"]), *order_tables(statuses)])
    for problem in problems:
        print(f"strades: {problem}", file=sys.stderr)
    raise typer.Exit(1 if problems else 0)


def status_document(status: WalletStatus) -> dict[str, Any]:
    """A wallet, as `--json` shows it."""
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
        "strategies": [asdict(owner) | {"unrealised": owner.unrealised} for owner in status.owners],
    }


def wallet_table(rows: list[dict[str, Any]]) -> Any:
    """A table of such documents."""
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


def _owner_tables(statuses: list[WalletStatus]) -> list[Any]:
    """The strategies that share a wallet, and what is nobody's; none where each wallet has one."""
    rows = [
        {
            "wallet": status.wallet.name,
            "strategy": f"{owner.name} ({owner.strategy})" if owner.strategy else owner.name,
            "state": ": ".join(filter(None, (owner.state, owner.reason))) or None,
            "capital": None if owner.capital is None else f"{owner.capital:,.2f}",
            "positions": ", ".join(f"{one.quantity:f} {one.instrument}" for one in owner.positions) or None,
            "realised": f"{owner.realised:,.2f}",
            "unrealised": f"{owner.unrealised:,.2f}",
        }
        for status in statuses
        for owner in status.owners
    ]
    return [table("wallet strategy state capital positions realised unrealised", rows)] if rows else []


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


def order_tables(statuses: list[WalletStatus]) -> list[Any]:
    """A table of the open orders; none where there are none."""
    rows = [
        {
            "intent_id": order.intent_id,
            "wallet": status.wallet.name,
            "order": f"{order.side} {order.quantity:f} {order.instrument} {order.order_type}",
            "filled": f"{order.filled:f}",
            "state": order.state,
            "by": order.trigger,
            "strategy": order.strategy,
        }
        for status in statuses
        for order in status.orders
    ]
    return [table("intent_id wallet order filled state by strategy", rows)] if rows else []


def finding_document(finding: StoredFinding) -> dict[str, Any]:
    """A finding, as `--json` shows it."""
    return {**asdict(finding), "advice": finding.advice}


def finding_tables(findings: Sequence[StoredFinding]) -> list[Any]:
    """A table of findings with what to do; none where there are none."""
    rows = [
        {
            "finding_id": one.finding_id,
            "wallets": ", ".join(one.wallets),
            "what": one.code,
            "detail": one.detail,
            "to_do": one.advice,
        }
        for one in findings
    ]
    return [table("finding_id wallets what detail to_do", rows)] if rows else []
