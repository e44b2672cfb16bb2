"""Correct a person's own trade: its reversal and the right one, as a statement of two rows. Nothing booked is changed.

The rows are bytes that are kept first, like any statement's, and are known from when they are booked: whoever looks
back to before sees the trade as it was told.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from psycopg.rows import class_row

from strades_pipelines.brokerage.command_log import Request
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.statement_formats import StatementError
from strades_pipelines.brokerage.statements import STATEMENT, Imported, import_statement
from strades_pipelines.market.bars_and_fills import stamp
from strades_pipelines.market.ledger_chain import plain

COLUMNS = ("time", "instrument", "side", "quantity", "price", "fee", "fee_currency", "id")
OPPOSITE = {"buy": "sell", "sell": "buy"}
REVERSAL, CORRECTION, RESTORATION = "reversal of", "correction of", "restoration of"
TRADE = """
    SELECT f.fill_id, f.side, f.quantity, f.price, f.fee, f.fee_currency, f.filled_at,
        l.venue || ':' || l.symbol AS instrument, f.venue_fill_id AS trade_id
    FROM trading.fills AS f
    INNER JOIN trading.intents AS i USING (intent_id)
    INNER JOIN records.listings AS l ON f.listing_id = l.listing_id
    WHERE f.wallet = %(wallet)s AND i.broker = %(broker)s
        AND (f.fill_id = %(fill_id)s OR f.venue_fill_id = ANY(%(trade_ids)s))
"""


@dataclass(frozen=True, slots=True)
class OwnTrade:
    """A trade of a statement as it is booked; `fee` in the wallet's currency, or in `fee_currency`."""

    fill_id: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str | None
    filled_at: datetime
    instrument: str
    trade_id: str | None

    @property
    def reversed(self) -> "OwnTrade":
        """The trade that takes it back: the other way round, at its price and time, its fee paid back."""
        return replace(self, side=OPPOSITE[self.side], fee=-self.fee, trade_id=f"{REVERSAL} {self.fill_id}")


@dataclass(frozen=True, slots=True)
class Changes:
    """What is right; None for what the trade says already."""

    side: str | None = None
    quantity: Decimal | None = None
    price: Decimal | None = None
    fee: Decimal | None = None
    filled_at: datetime | None = None

    def of(self, trade: OwnTrade) -> OwnTrade:
        """The right trade."""
        changed = {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}
        return replace(trade, **changed, trade_id=f"{CORRECTION} {trade.fill_id}")


def correct_trade(connection: Connection, fill_id: str, changes: Changes | None, request: Request) -> Imported:
    """Book the reversal of a trade and the right one, in one transaction. Commits. The same again books nothing.

    Args:
        connection: with no transaction open.
        changes: None where the trade never was: it is reversed alone.
        request: whose wallet, by whom, when and why.

    Raises:
        LookupError: no trade of a statement of this wallet has the id.
        StatementError: it does not stand any more, nothing would change, or the books cannot take it.
    """
    trade, related = _read(connection, fill_id, request)
    right = [] if changes is None else [changes.of(trade)]
    if (trade.trade_id or "").startswith(REVERSAL):
        raise StatementError([f"trade {fill_id}: expected one of a statement, was a reversal; undo what made it"])
    if right and replace(right[0], trade_id=trade.trade_id) == trade:
        raise StatementError([f"trade {fill_id}: expected another value, was what is booked"])
    booked, restored = related.get(CORRECTION), related.get(RESTORATION)
    if restored is not None:
        raise StatementError(
            [f"trade {fill_id}: expected one that stands, was one that is restored; correct {restored.fill_id}"]
        )
    if REVERSAL in related and (not right or booked is None or _said(booked) != _said(right[0])):
        raise StatementError(
            [f"trade {fill_id}: expected one that stands, was one that is taken back; correct its successor"]
        )
    return _book(connection, [trade.reversed, *right], f"correction-{fill_id}.csv", request)


def undo_correction(connection: Connection, fill_id: str, request: Request) -> Imported:
    """Book a trade that was corrected or taken back once more, and reverse what stands in its place. Commits.

    Raises:
        LookupError: as `correct_trade`.
        StatementError: it was not corrected, is restored already, or its successor was corrected too.
    """
    trade, related = _read(connection, fill_id, request)
    if REVERSAL not in related or RESTORATION in related:
        raise StatementError([f"trade {fill_id}: expected one that is taken back, was one that stands or is restored"])
    successor = related.get(CORRECTION)
    rows = [replace(trade, trade_id=f"{RESTORATION} {fill_id}")]
    while successor is not None:
        later = _read(connection, successor.fill_id, request)[1]
        if REVERSAL not in later:
            rows.insert(0, successor.reversed)
            break
        if RESTORATION not in later:
            raise StatementError(
                [f"trade {fill_id}: its successor {successor.fill_id} was corrected too; undo that first"]
            )
        successor = later[RESTORATION]
    return _book(connection, rows, f"undo-{fill_id}.csv", request)


def _read(connection: Connection, fill_id: str, request: Request) -> tuple[OwnTrade, Mapping[str, OwnTrade]]:
    """The trade, and what was booked because of it, by its kind. Ends the transaction."""
    named = {f"{kind} {fill_id}": kind for kind in (REVERSAL, CORRECTION, RESTORATION)}
    values = {"wallet": request.scope.name, "broker": STATEMENT, "fill_id": fill_id, "trade_ids": list(named)}
    with connection.cursor(row_factory=class_row(OwnTrade)) as cursor:
        found = cursor.execute(TRADE, values).fetchall()
    connection.rollback()
    trade = next((one for one in found if one.fill_id == fill_id), None)
    if trade is None:
        raise LookupError(
            f"trade: expected one of a statement of wallet {request.scope.name} (`strades trace`), was {fill_id[:80]!r}"
        )
    return trade, {named[one.trade_id]: one for one in found if one.trade_id in named}


def _said(trade: OwnTrade) -> tuple[object, ...]:
    return trade.side, trade.quantity, trade.price, trade.fee, trade.filled_at


def _book(connection: Connection, trades: Sequence[OwnTrade], file_name: str, request: Request) -> Imported:
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    lines.writerow(COLUMNS)
    for one in trades:
        amounts = (plain(amount) for amount in (one.quantity, one.price, one.fee))
        lines.writerow([stamp(one.filled_at), one.instrument, one.side, *amounts, one.fee_currency or "", one.trade_id])
    body = written.getvalue().encode()
    # It was read without the wallet's lock: where another person was faster, some of the rows are booked already, and
    # the others would stand beside what that person booked.
    return import_statement(connection, body, file_name=file_name, format_name="generic", request=request, whole=True)
