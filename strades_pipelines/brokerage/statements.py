"""A person's own trades and cash, from a statement of their broker, into the books of a wallet: each once.

A trade of a statement is a person's order, sent to `statement` in place of a broker and filled at once: lineage,
attribution and the ledger know it like any other, and its decision names the file and the row.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import count

from strades_pipelines.brokerage.brokers.paper.accounts import adjust_account
from strades_pipelines.brokerage.command_log import Request, log_command, log_outcome
from strades_pipelines.brokerage.execution import wallet_lock
from strades_pipelines.brokerage.ledger import post_fill
from strades_pipelines.brokerage.movements import Movement, MovementConflict, post_movement
from strades_pipelines.brokerage.person_orders import find_instrument
from strades_pipelines.brokerage.portfolio import Wallet, load_books, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.statement_formats import (
    StatementCash,
    StatementError,
    StatementTrade,
    read_statement,
)
from strades_pipelines.brokerage.trading_rows import decision_row, insert, intent_row, order_event_row
from strades_pipelines.database.body_store import keep_body
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.bars_and_fills import Fill, stamp
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.ledger_chain import plain
from strades_pipelines.market.order_states import OrderState
from strades_pipelines.market.order_terms import BY_PERSON, MARKET, Order, OrderRequest, TradingDecision
from strades_pipelines.market.rounding import scaled
from strades_pipelines.market.split_arithmetic import ratio_since

STATEMENT = "statement"  # whom its orders were sent to
# What is booked already: by the venue's id of it, whoever ordered it, or by the id that a statement's row gave it.
BOOKED = """
    SELECT listing_id, venue_fill_id, fill_id, side, quantity, price FROM trading.fills
    WHERE wallet = %(wallet)s AND (venue_fill_id = ANY(%(venue_ids)s) OR fill_id = ANY(%(fill_ids)s))
"""
# What stands in place of a trade that was corrected (`trade_corrections`).
STANDING = """
    WITH RECURSIVE versions AS (
        SELECT fill_id AS first_id, fill_id, listing_id, venue_fill_id AS trade_id, side, quantity, price
        FROM trading.fills
        WHERE wallet = %(wallet)s AND (venue_fill_id = ANY(%(venue_ids)s) OR fill_id = ANY(%(fill_ids)s))
        UNION ALL
        SELECT v.first_id, f.fill_id, f.listing_id, v.trade_id, f.side, f.quantity, f.price
        FROM versions AS v
        INNER JOIN trading.fills AS f
            ON f.wallet = %(wallet)s AND f.listing_id = v.listing_id
            AND f.venue_fill_id IN ('correction of ' || v.fill_id, 'restoration of ' || v.fill_id)
    )
    SELECT listing_id, trade_id, first_id, side, quantity, price FROM versions AS v
    WHERE NOT EXISTS (
        SELECT FROM trading.fills AS f
        WHERE f.wallet = %(wallet)s AND f.listing_id = v.listing_id AND f.venue_fill_id = 'reversal of ' || v.fill_id
    )
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of a statement: the rows of the file, and those of them that were new."""

    sha256: str
    rows: int
    trades: int
    movements: int

    @property
    def known(self) -> int:
        """Rows that were booked already, or stand in the file twice."""
        return self.rows - self.trades - self.movements


@dataclass(frozen=True, slots=True)
class NewTrade:
    """A trade that is not booked yet."""

    fill_id: str
    listing: Listing
    trade: StatementTrade


def import_statement(
    connection: Connection, body: bytes, *, file_name: str, format_name: str, request: Request, whole: bool = False
) -> Imported:
    """Book what is new in a statement of the wallet that the request is about, all of it or nothing. Commits.

    The file is stored first, unmodified, in the same transaction. A trade is known by the venue's id of it, also where
    an order of ours made it; without an id by what the row says, and by how many equal rows stand before it. So the
    same file twice, and files that overlap, book each trade once.

    Args:
        connection: with no transaction open.
        whole: its rows are trades that belong together: all of them are new, or none is.

    Raises:
        StatementError: rows that cannot be read, or must not be booked; nothing is.
        LookupError: for a wallet that is not there.
        psycopg.errors.LockNotAvailable: when another process is at the wallet for too long.
    """
    load_wallet(connection, request.scope.name)
    connection.rollback()
    with wallet_lock(connection, request.scope.name):
        wallet = load_wallet(connection, request.scope.name)
        try:
            rows = read_statement(body, format_name)
            trades = _new_trades(connection, wallet, rows, request.at)
            if whole and 0 < len(trades) < len(rows):
                raise StatementError(["the trade was changed meanwhile; look at it again (`strades trace`)"])
            done = _import(
                connection, wallet, rows, trades, body, request, file_name=file_name, format_name=format_name
            )
        except StatementError as error:
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
    rows: Sequence[StatementTrade | StatementCash],
    trades: Sequence[NewTrade],
    body: bytes,
    request: Request,
    *,
    file_name: str,
    format_name: str,
) -> Imported:
    movements = list(_movements(wallet, [row for row in rows if isinstance(row, StatementCash)]))
    new = {movement.movement_id for movement in movements} - _known_movements(connection, wallet, movements)
    with connection.cursor() as cursor:
        sha256 = keep_body(cursor, body)
    command_id = log_command(connection, request, {"sha256": sha256.hex(), "format": format_name})
    row = {
        "wallet": wallet.name,
        "sha256": sha256,
        "file_name": file_name,
        "format": format_name,
        "rows": len(rows),
        "booked": len(trades) + len(new),
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
    for trade in trades:
        _book(connection, wallet, trade, sha256, request)
    if trades or new:
        _check_books(connection, wallet)
    done = Imported(sha256.hex(), len(rows), len(trades), len(new))
    log_outcome(connection, command_id, f"{done.trades} trades, {done.movements} movements", now=request.at)
    return done


def _new_trades(
    connection: Connection, wallet: Wallet, rows: Sequence[StatementTrade | StatementCash], now: datetime
) -> list[NewTrade]:
    """The trades that are not booked yet, in the order of their times.

    Raises:
        StatementError: a row is of another wallet's instrument or time, or an id is booked as another trade.
    """
    faults = list(_faults(wallet, rows, now))
    if faults:
        raise StatementError(faults)
    found = list(_identified(wallet, [row for row in rows if isinstance(row, StatementTrade)]))
    booked = _booked(connection, wallet, found)
    new: dict[str, NewTrade] = {}
    differing: list[tuple[NewTrade, tuple[str, Decimal, Decimal]]] = []
    for one in found:
        trade = one.trade
        said = trade.side, trade.quantity, trade.price
        known = booked.get(one.fill_id) or booked.get(_venue_key(one))
        if known is None and one.fill_id in new:
            first = new[one.fill_id].trade
            known = first.side, first.quantity, first.price
        if known is None:
            new[one.fill_id] = one
        elif known != said:
            differing.append((one, known))
    corrected = _booked(connection, wallet, [one for one, _ in differing], STANDING) if differing else {}
    for one, known in differing:
        trade = one.trade
        said = trade.side, trade.quantity, trade.price
        if said not in (corrected.get(one.fill_id), corrected.get(_venue_key(one))):
            was, expected = (f"{side} {plain(quantity)} at {plain(price)}" for side, quantity, price in (said, known))
            faults.append(f"row {trade.row}: id: expected the trade that is booked under it, {expected}, was {was}")
    if faults:
        raise StatementError(faults)
    return sorted(new.values(), key=lambda one: (one.trade.at, one.trade.row))


def _faults(wallet: Wallet, rows: Sequence[StatementTrade | StatementCash], now: datetime) -> Iterator[str]:
    if wallet.mode == "replay":
        yield f"wallet {wallet.name}: expected one that trades, was a replay, which is over"
    for row in rows:
        if not wallet.opened_at <= row.at <= now:
            yield (
                f"row {row.row}: time: expected {stamp(wallet.opened_at)}, when wallet {wallet.name} was opened, "
                f"to now, was {stamp(row.at)}"
            )
        if isinstance(row, StatementTrade):
            try:
                find_instrument(wallet, row.instrument)
            except LookupError as error:
                yield f"row {row.row}: {error}"


def _identified(wallet: Wallet, trades: Sequence[StatementTrade]) -> Iterator[NewTrade]:
    """Each trade with the id that it has whatever file it stands in."""
    seen: Counter[str] = Counter()
    for trade in trades:
        listing = find_instrument(wallet, trade.instrument)
        scope = STATEMENT, wallet.name, listing.listing_id
        if trade.trade_id is not None:
            yield NewTrade(base32_id(*scope, "id", trade.trade_id), listing, trade)
            continue
        amounts = plain(trade.quantity), plain(trade.price), plain(trade.fee)
        content = base32_id(*scope, "row", trade.at, trade.side, *amounts, trade.fee_currency)
        yield NewTrade(base32_id(content, seen[content]), listing, trade)
        seen[content] += 1


def _venue_key(one: NewTrade) -> str:
    return f"{one.listing.listing_id} {one.trade.trade_id}"


def _booked(
    connection: Connection, wallet: Wallet, found: Sequence[NewTrade], query: str = BOOKED
) -> dict[str, tuple[str, Decimal, Decimal]]:
    """Side, quantity and price of what is booked (or STANDING), by the fill's id and by listing and venue's id."""
    values = {
        "wallet": wallet.name,
        "venue_ids": [one.trade.trade_id for one in found if one.trade.trade_id is not None],
        "fill_ids": [one.fill_id for one in found],
    }
    booked = {}
    for listing_id, venue_id, fill_id, *said in connection.execute(query, values).fetchall():
        booked[fill_id] = (said[0], said[1], said[2])
        if venue_id is not None:
            booked[f"{listing_id} {venue_id}"] = booked[fill_id]
    return booked


def _movements(wallet: Wallet, rows: Sequence[StatementCash]) -> Iterator[Movement]:
    seen: Counter[str] = Counter()
    for row in rows:
        currency = row.currency or wallet.currency
        identity = base32_id(STATEMENT, wallet.name, "id", row.movement_id)
        if row.movement_id is None:
            content = base32_id(STATEMENT, wallet.name, "row", row.at, row.kind, currency, plain(row.amount))
            identity = base32_id(content, seen[content])
            seen[content] += 1
        yield Movement(identity, row.kind, currency, row.amount, row.at)


def _known_movements(connection: Connection, wallet: Wallet, movements: Sequence[Movement]) -> set[str]:
    rows = connection.execute(
        "SELECT movement_id FROM trading.movements WHERE wallet = %s AND movement_id = ANY(%s)",
        [wallet.name, [movement.movement_id for movement in movements]],
    )
    return {movement_id for (movement_id,) in rows}


def _book(connection: Connection, wallet: Wallet, new: NewTrade, sha256: bytes, request: Request) -> None:
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
    connection: Connection, wallet: Wallet, new: NewTrade, signed: Decimal, sha256: bytes, request: Request
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


def _check_books(connection: Connection, wallet: Wallet) -> None:
    """Refuse what no account can be left with: then rows are missing.

    Raises:
        StatementError: a position or the wallet's own cash below zero.
    """
    books = load_books(connection, wallet)
    faults = [
        f"{listing.name}: it would leave {plain(books.held(listing.listing_id))}; is an earlier statement missing?"
        for listing in wallet.listings
        if books.held(listing.listing_id) < 0
    ]
    if books.cash < 0:
        faults.append(
            f"cash: it would leave {plain(books.cash)} {wallet.currency}; record what was paid in first "
            f"(strades transfer --wallet {wallet.name})"
        )
    if faults:
        raise StatementError(faults)
