"""Bodies of `strades order` and `strades cancel`."""

import sys
from dataclasses import asdict

import psycopg
import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.brokers.venue import VenueBroker
from strades_pipelines.brokerage.command_log import Scope, log_command, log_outcome
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.person_orders import (
    cancel_by_hand,
    decide_by_hand,
    find_instrument,
    find_order,
    find_sleeve,
    outcome_of,
)
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.reconcile import NotReconciledError, reconcile_if_due
from strades_pipelines.brokerage.sleeves import UNATTRIBUTED
from strades_pipelines.database.connection import connect
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import OrderRequest
from strades_pipelines.operations.output import print_result, table
from strades_pipelines.operations.trading import new_request, open_world
from strades_pipelines.settings import settings


def run_order(
    wallet: str, instrument: str, order: OrderRequest, *, strategy: str | None, reason: str | None, as_json: bool
) -> None:
    """`strades order`; ends with 1 when the order was refused, and with 2 for a wallet or instrument there is not."""
    open_world()
    request = new_request("order", Scope("wallet", wallet), reason)
    with connect() as connection, connect() as at_venue:
        try:
            opened = load_wallet(connection, wallet)
            venue = venue_for(opened, at_venue)
            listing = find_instrument(opened, instrument)
            owner = UNATTRIBUTED if strategy is None else find_sleeve(opened, strategy, listing)
            if opened.mode == "live":
                reconcile_if_due(connection, at_venue, opened, now=settings().now())
        except (LookupError, ValueError, NotReconciledError) as error:
            connection.rollback()
            command_id = log_command(connection, request, {"instrument": instrument, "quantity": str(order.quantity)})
            log_outcome(connection, command_id, f"refused: {error}", now=settings().now())
            connection.commit()
            raise BadInput(str(error)) from None
        command_id, decision = decide_by_hand(connection, opened, listing, order, request, owner=owner)
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
            venue = venue_for(load_wallet(connection, wallet), at_venue)
        except (LookupError, ValueError) as error:  # an order of a replay has no venue
            raise BadInput(str(error)) from None
        problem = f"order {intent_id} is {before.value}: there is nothing to cancel" if before.is_over else None
        after = before
        if problem is None:
            request = new_request("cancel", Scope("wallet", wallet), reason)
            command_id = cancel_by_hand(connection, decision_id, intent_id, request)
            connection.commit()
            _pass(connection, venue, wallet)
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


def _pass(connection: Connection, venue: VenueBroker, wallet: str) -> None:
    """A pass over the wallet; where another process is at it for too long, its next one takes up what was asked for."""
    try:
        execute_pending(connection, venue, wallet, now=settings().now())
    except psycopg.errors.LockNotAvailable:
        connection.rollback()
