"""What wallets hold: cash and positions, as their fills and splits were booked."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import psycopg

from strades_pipelines.brokerage.portfolio import Wallet, load_fills
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Books, Position
from strades_pipelines.market.owners import owned_positions
from strades_pipelines.market.split_arithmetic import Split

BooksRows = tuple[psycopg.Cursor[Any], psycopg.Cursor[Any]]  # of balances, of positions
# The cost of positions that were opened before it was kept is NULL until their next fill.
POSITIONS = "SELECT listing_id, quantity, average_price, cost, realised FROM trading.positions"


def ask_books(connection: Connection, wallet: Wallet) -> BooksRows:
    """Ask for what `load_books` reads: within a pipeline that costs no wait of its own."""
    balances = connection.execute("SELECT currency, balance FROM trading.cash WHERE wallet = %s", [wallet.name])
    return balances, connection.execute(f"{POSITIONS} WHERE wallet = %s", [wallet.name])


def load_books(connection: Connection, wallet: Wallet, asked: BooksRows | None = None) -> Books:
    """Cash and positions as recorded; orders under way are not in it.

    Args:
        asked: what `ask_books` returned in the same transaction.
    """
    balances, held = asked or ask_books(connection, wallet)
    cash, rows = dict(balances.fetchall()), held.fetchall()
    positions = {listing_id: Position(*amounts) for listing_id, *amounts in rows if amounts[2] is not None}
    if len(positions) < len(rows):
        positions = booked_positions(load_fills(connection, wallet), wallet.splits)
    return Books(cash.pop(wallet.currency), positions, foreign=cash)


def load_position(connection: Connection, wallet: Wallet, listing_id: int) -> Position:
    """What a wallet holds of a listing."""
    row = connection.execute(f"{POSITIONS} WHERE wallet = %s AND listing_id = %s", [wallet.name, listing_id]).fetchone()
    if row is not None and row[3] is None:
        return booked_positions(load_fills(connection, wallet), wallet.splits)[listing_id]
    return Position(*row[1:]) if row else Position()


def booked_positions(fills: Sequence[Fill], splits: Sequence[Split]) -> dict[int, Position]:
    """The positions by listing that fills and splits of one owner leave behind, in the order of booking."""
    return owned_positions(fills, {}, splits).by_listing()


def held_units(connection: Connection, wallet: Wallet, listing_id: int) -> Decimal:
    """The units of a listing that a wallet holds now."""
    row = connection.execute(
        "SELECT quantity FROM trading.positions WHERE wallet = %s AND listing_id = %s", [wallet.name, listing_id]
    ).fetchone()
    return Decimal(row[0]) if row else Decimal(0)
