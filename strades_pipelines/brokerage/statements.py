"""A person's own trades and cash, from a statement of their broker, into the books of a wallet: each once.

A trade of a statement is a person's order, sent to `statement` in place of a broker and filled at once: lineage,
attribution and the ledger know it like any other, and its decision names the file and the row.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count

from strades_pipelines.brokerage.brokers.paper.accounts import adjust_account
from strades_pipelines.brokerage.brokers.venue import account_of
from strades_pipelines.brokerage.command_log import Request, log_command, log_outcome
from strades_pipelines.brokerage.execution import wallet_lock
from strades_pipelines.brokerage.holdings import load_books
from strades_pipelines.brokerage.ledger import post_fill
from strades_pipelines.brokerage.movements import Movement, MovementConflict, post_movement
from strades_pipelines.brokerage.owner_positions import read_owner_positions
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.reconcile import accounts
from strades_pipelines.brokerage.sleeves import UNATTRIBUTED
from strades_pipelines.brokerage.statement_formats import StatementCash, StatementError, read_statement
from strades_pipelines.brokerage.statement_identity import STATEMENT, Account, StatedTrade
from strades_pipelines.brokerage.trading_rows import decision_row, insert, intent_row, order_event_row
from strades_pipelines.database.body_store import keep_body
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Position
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import BY_PERSON, MARKET, Order, OrderRequest, TradingDecision
from strades_pipelines.market.owners import Key
from strades_pipelines.market.rounding import scaled
from strades_pipelines.market.split_arithmetic import ratio_since

# Nothing trades in any wallet of an account while a file is booked into one of them.
MOST_FOR_SEVERAL_WALLETS = 5_000


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of reading a statement: the rows of the file, and the new ones among them."""

    sha256: str
    rows: int
    trades: int
    movements: int

    @property
    def known(self) -> int:
        """Rows that were booked already, or stand in the file twice."""
        return self.rows - self.trades - self.movements


def import_statement(
    connection: Connection, body: bytes, *, file_name: str, format_name: str, request: Request, whole: bool = False
) -> Imported:
    """Book what is new in a statement of the wallet that the request is about, all of it or nothing. Commits.

    The file is stored first, unmodified, in the same transaction. A trade is known by the venue's id of it, also where
    an order of ours made it; without an id by what the row says, and by how many equal rows stand before it. So the
    same file twice, files that overlap, and a file that is given to another wallet of the same account, book each
    trade once.

    Args:
        connection: with no transaction open.
        whole: its rows are a correction's trades, which belong together: all of them are new, or none is.

    Raises:
        StatementError: rows that cannot be read, or must not be booked; nothing is.
        LookupError: for a wallet that is not there.
        psycopg.errors.LockNotAvailable: when another process is at the wallet for too long.
    """
    opened = load_wallet(connection, request.scope.name)
    names = accounts(connection).get(account_of(opened), [opened.name])  # a replay is in no account
    connection.rollback()
    with ExitStack() as locks:
        # No wallet of the account books a fill meanwhile. In one order, so that two imports do not wait for each other.
        for name in sorted(names):
            locks.enter_context(wallet_lock(connection, name))
        wallets = {name: load_wallet(connection, name) for name in names}
        wallet = wallets[opened.name]
        try:
            rows = read_statement(body, format_name)
            stated = Account(connection, wallet, list(wallets.values()))
            trades = stated.new_trades(rows, request.at, ours=whole)
            if whole and 0 < len(trades) < len(rows):
                raise StatementError(["the trade was changed meanwhile; look at it again (`strades trace`)"])
            movements = stated.new_movements([row for row in rows if isinstance(row, StatementCash)])
            new = len(trades) + len(movements)
            if len(names) > 1 and new > MOST_FOR_SEVERAL_WALLETS:
                raise StatementError(
                    [
                        f"file: expected at most {MOST_FOR_SEVERAL_WALLETS} new rows for an account with several "
                        f"wallets, all of which wait meanwhile, was {new}; split it between two times"
                    ]
                )
            done = _import(
                connection, wallet, len(rows), trades, movements, body, request,
                file_name=file_name, format_name=format_name,
            )  # fmt: skip
        except StatementError as error:
            # All is taken back but that somebody tried it: that is logged in a transaction of its own.
            connection.rollback()
            command_id = log_command(connection, request, {"file_name": file_name, "format": format_name})
            log_outcome(connection, command_id, f"refused: {error.faults[0]}", now=request.at)
            connection.commit()
            raise
        crash_point("trading.statement_written")
        connection.commit()
        crash_point("trading.statement_committed")
        return done


def _import(
    connection: Connection,
    wallet: Wallet,
    rows: int,
    trades: Sequence[StatedTrade],
    movements: Sequence[Movement],
    body: bytes,
    request: Request,
    *,
    file_name: str,
    format_name: str,
) -> Imported:
    new_movements = len({movement.movement_id for movement in movements})  # a row may stand in the file twice
    with connection.cursor() as cursor:
        sha256 = keep_body(cursor, body)
    command_id = log_command(connection, request, {"sha256": sha256.hex(), "format": format_name})
    row = {
        "wallet": wallet.name,
        "sha256": sha256,
        "file_name": file_name,
        "format": format_name,
        "rows": rows,
        "booked": len(trades) + new_movements,
        "command_id": command_id,
        "recorded_at": request.at,
    }
    insert(connection, "trading.statements", row)
    try:
        for movement in movements:
            booked = replace(movement, statement=sha256, reason=request.reason)
            post_movement(connection, wallet, booked, command_id=command_id, now=request.at)
    except MovementConflict as error:
        raise StatementError([str(error)]) from None
    before = read_owner_positions(connection, wallet.name)
    for trade in trades:
        _book(connection, wallet, trade, sha256, request)
    if trades or movements:
        _check_books(connection, wallet, before)
    done = Imported(sha256.hex(), rows, len(trades), new_movements)
    log_outcome(connection, command_id, f"{done.trades} trades, {done.movements} movements", now=request.at)
    return done


def _book(connection: Connection, wallet: Wallet, new: StatedTrade, sha256: bytes, request: Request) -> None:
    """A decision, an intent, a filled order and its fill."""
    trade, listing = new.trade, new.listing
    signed = trade.quantity if trade.side == "buy" else -trade.quantity
    decision = _stored_decision(connection, wallet, new, signed, sha256, request)
    order = Order(
        decision.intent_id(), decision.decision_id, decision.i, listing.listing_id, trade.side, trade.quantity,
        trade.at, Decimal(0), MARKET, is_for_target=False,
    )  # fmt: skip
    insert(connection, "trading.intents", intent_row(order, wallet.name, STATEMENT, request.at))
    for state in (OrderState.PLANNED, OrderState.SUBMITTING):
        insert(connection, "trading.order_events", order_event_row(order.intent_id, state, request.at))
    fill = Fill(
        i=order.i,
        listing_id=listing.listing_id,
        content_id=new.fill_id,
        intent_id=order.intent_id,
        side=trade.side,
        quantity=trade.quantity,
        price=trade.price,
        fee=trade.fee,
        currency=wallet.currency,
        filled_at=trade.at,
        knowledge_time=request.at,
        fee_currency=None if trade.fee_currency == wallet.currency else trade.fee_currency,
        fee_in_units=trade.fee_currency is not None and trade.fee_currency == listing.base,
        venue_fill_id=trade.trade_id,
    )
    post_fill(connection, wallet, fill, now=request.at)
    event = order_event_row(order.intent_id, OrderState.FILLED, request.at, filled=trade.quantity, venue_time=trade.at)
    insert(connection, "trading.order_events", event)
    units = scaled(fill.units, ratio_since(wallet.splits, listing.listing_id, fill.filled_at))
    adjust_account(connection, wallet, cash=fill.cash, units={listing.listing_id: units})


def _stored_decision(
    connection: Connection, wallet: Wallet, new: StatedTrade, signed: Decimal, sha256: bytes, request: Request
) -> TradingDecision:
    trade = new.trade
    trigger = f"{STATEMENT}@{sha256.hex()}#{trade.row}"
    decision = TradingDecision(
        wallet=wallet.name,
        strategy=BY_PERSON,
        i=wallet.listings.index(new.listing),
        listing_id=new.listing.listing_id,
        decided_at=trade.at,
        trigger_kind=BY_PERSON,
        trigger_id=trigger,
        ordinal=0,
        previous_target=0.0,
        target=float(signed),
        reason=request.reason or f"row {trade.row} of a statement imported by {request.by}",
        inputs={
            "trigger": {"kind": BY_PERSON, "id": trigger},
            "statement": sha256.hex(),
            "row": trade.row,
            "requested_by": request.by,
        },
        request=OrderRequest(signed, MARKET),
    )
    for ordinal in count():
        decision = replace(decision, ordinal=ordinal)
        if insert(connection, "signals.decisions", decision_row(decision, request.at)):
            return decision
    raise AssertionError("an ordinal is free at last")


def _check_books(connection: Connection, wallet: Wallet, before: Mapping[Key, Position]) -> None:
    """Refuse what no account can be left with: then rows are missing.

    Where several strategies share the wallet, units of theirs cover no sale of a person: they would sell them again.

    Args:
        before: positions by owner, before the statement; of a wallet with one strategy none are kept.

    Raises:
        StatementError: a position or the wallet's own cash below zero, or what is no strategy's.
    """
    books = load_books(connection, wallet)
    faults = [
        f"{listing.name}: it would leave {plain(books.held(listing.listing_id))}; is an earlier statement missing?"
        for listing in wallet.listings
        if books.held(listing.listing_id) < 0
    ]
    owned = read_owner_positions(connection, wallet.name)
    for listing in wallet.listings:
        key = UNATTRIBUTED, listing.listing_id
        left, had = (positions.get(key, Position()).quantity for positions in (owned, before))
        if left < 0 and left < had and books.held(listing.listing_id) >= 0:
            faults.append(f"{listing.name}: it would leave {plain(left)} of what is no strategy's; are rows missing?")
    if books.cash < 0:
        faults.append(
            f"cash: it would leave {plain(books.cash)} {wallet.currency}; record what was paid in first "
            f"(strades transfer --wallet {wallet.name})"
        )
    if faults:
        raise StatementError(faults)
