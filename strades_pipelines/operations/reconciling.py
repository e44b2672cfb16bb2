"""Bodies of `strades reconcile`, `adopt` and `ignore`."""

import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.adoption import adopt, ignore
from strades_pipelines.brokerage.brokers.venue import account_of
from strades_pipelines.brokerage.command_log import ALL, Scope
from strades_pipelines.brokerage.findings import CannotBeSettledError, StoredFinding, open_findings
from strades_pipelines.brokerage.live import for_each
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.reconcile import Reconciled, accounts, reconcile_account
from strades_pipelines.database.connection import connect
from strades_pipelines.operations.output import print_result, table
from strades_pipelines.operations.trading import (
    finding_document,
    finding_tables,
    new_request,
    open_world,
    wallets_in,
)
from strades_pipelines.settings import settings


def run_reconcile(wallet: str | None, *, as_json: bool) -> None:
    """`strades reconcile`; ends with 1 when a finding stands, or a venue does not answer."""
    open_world()
    with connect() as connection, connect() as at_venue:
        by_account = accounts(connection)
        connection.rollback()
        if wallet is not None:
            wallets_in(connection, Scope("wallet", wallet))
            by_account = {account: names for account, names in by_account.items() if wallet in names}

        def compare(account: str) -> Reconciled:
            return reconcile_account(connection, at_venue, account, now=settings().now())

        results, errors = for_each(by_account, compare, [connection, at_venue])
        # What stands of an account whose venue does not answer now stands still.
        findings = [one for account in by_account for one in open_findings(connection, account=account)]
        connection.rollback()
    rows: list[dict[str, Any]] = [
        {
            "account": account,
            "wallets": names,
            "fills": results[account].fills if account in results else None,
            "booked": sum(len(done.fills) for done in results[account].executed.values()) if account in results else 0,
            "error": errors.get(account),
        }
        for account, names in by_account.items()
    ]
    document = {"accounts": rows, "findings": [finding_document(one) for one in findings]}
    shown = [row | {"wallets": ", ".join(row["wallets"])} for row in rows]
    print_result(document, as_json, [table("account wallets fills booked error", shown), *finding_tables(findings)])
    for account, error in errors.items():
        print(f"strades: account {account}: {error}", file=sys.stderr)
    raise typer.Exit(1 if findings or errors else 0)


def run_adopt(findings: Sequence[str], wallet: str, *, price: str | None, reason: str, as_json: bool) -> None:
    """`strades adopt`; ends with 2 at the first finding that cannot be adopted so."""
    at = _price(price)
    open_world()
    with connect() as connection:
        wallets_in(connection, Scope("wallet", wallet))
        opened = load_wallet(connection, wallet)
        connection.rollback()
        done = []
        for finding_id in findings:
            request = new_request("adopt", Scope("wallet", wallet), reason)
            try:
                done.append(adopt(connection, opened, finding_id, request, price=at))
            except (LookupError, CannotBeSettledError) as error:
                raise BadInput(str(error)) from None
        left = open_findings(connection, account=account_of(opened))
    _show_settled("adopted", done, left, as_json)


def run_ignore(findings: Sequence[str], *, reason: str, as_json: bool) -> None:
    """`strades ignore`; ends with 2 at the first finding that does not stand."""
    open_world()
    with connect() as connection:
        done = []
        for finding_id in findings:
            try:
                done.append(ignore(connection, finding_id, new_request("ignore", ALL, reason)))
            except (LookupError, CannotBeSettledError) as error:
                raise BadInput(str(error)) from None
        left = [one for account in {one.account for one in done} for one in open_findings(connection, account=account)]
    _show_settled("ignored", done, left, as_json)


def _show_settled(state: str, done: list[StoredFinding], left: list[StoredFinding], as_json: bool) -> None:
    document = {
        state: [finding_document(one) for one in done],
        "findings": [finding_document(one) for one in left],
    }
    rows = [{"finding_id": one.finding_id, "what": one.code, "detail": one.detail, "is": state} for one in done]
    print_result(document, as_json, [table("finding_id what detail is", rows), *finding_tables(left)])
    if not left and not as_json:
        print("no finding stands; `strades resume --wallet NAME` ends the halt")


def _price(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not (price.is_finite() and 0 < price < Decimal("1e12") and price == round(price, 12)):
        raise BadInput(f"--price: expected a number above 0 with at most 12 decimals, found {text!r}")
    return price
