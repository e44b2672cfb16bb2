"""Fills into the books, and the proof that nobody has touched them since."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.portfolio import Wallet, load_books
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.rows import cash_row, fill_row, insert, line_row, position_row
from strades_pipelines.market.events import Fill
from strades_pipelines.market.ledger import GENESIS, Entry, Line, chain, entries, line_hash

LINES = """
    SELECT sequence, kind, reference, occurred_at, currency, amount, balance, previous_hash, hash
    FROM trading.ledger WHERE wallet = %(wallet)s AND sequence >= %(first)s ORDER BY sequence
"""
# What a fill paid or brought, and its fee, as the ledger has them.
BOOKED = """
    SELECT fill_id, CASE side WHEN 'buy' THEN -quantity * price ELSE quantity * price END, -fee FROM trading.fills
"""


def post_fill(connection: Connection, wallet: Wallet, fill: Fill, *, now: datetime) -> bool:
    """Take a fill into fills, positions, cash and ledger, once; returns whether it was new. Commits nothing."""
    if not insert(connection, "trading.fills", fill_row(fill, wallet.name, now)):
        return False
    books = load_books(connection, wallet)
    books.apply(fill)
    position = position_row(books, fill.listing_id, wallet.name, fill.knowledge_time)
    insert(connection, "trading.positions", position, replace=["wallet", "listing_id"])
    cash = cash_row(books, wallet.name, wallet.currency, fill.knowledge_time)
    insert(connection, "trading.cash", cash, replace=["wallet", "currency"])
    for line in chain(wallet.name, entries(fill), last_line(connection, wallet.name)):
        insert(connection, "trading.ledger", line_row(line, wallet.name))
    return True


def read_lines(connection: Connection, wallet: str, *, first: int = 0) -> list[Line]:
    """The ledger of a wallet from the line `first` on, oldest first."""
    return [_line(row) for row in connection.execute(LINES, {"wallet": wallet, "first": first})]


def last_line(connection: Connection, wallet: str) -> Line | None:
    """The newest line of a wallet's ledger; None where it has none."""
    row = connection.execute(f"{LINES} DESC LIMIT 1", {"wallet": wallet, "first": 0}).fetchone()
    return _line(row) if row else None


def _line(row: Sequence[Any]) -> Line:
    return Line(row[0], Entry(*row[1:6]), *row[6:])


def verify_ledger(connection: Connection, wallet: str) -> list[str]:
    """What is wrong with a wallet's ledger, one line each; empty when it is whole. Reads all of it.

    Each hash is computed again over its row and the hash before it, and fills, cash and positions must be what the
    lines say: so an edited, deleted or inserted row is found, the last one too.
    """
    lines = read_lines(connection, wallet)
    fills = connection.execute(f"{BOOKED} WHERE wallet = %s ORDER BY known_at, fill_id", [wallet]).fetchall()
    found = broken_links(wallet, lines), strangers(wallet, lines, fills), _wrong_sums(connection, wallet, lines)
    return [problem for problems in found for problem in problems]


def broken_links(wallet: str, lines: Sequence[Line], *, after: Line | None = None) -> Iterator[str]:
    """Lines whose place, hash or balance does not follow from the line before them.

    Args:
        lines: in their order.
        after: the line before them, which is taken as it is; None where they are all lines.
    """
    if after is None and (not lines or lines[0].entry.kind != "deposit"):
        yield f"wallet {wallet}: expected a deposit as the first line"
    previous, balance = (after.hash, after.balance) if after else (GENESIS, Decimal(0))
    for expected, line in enumerate(lines, after.sequence + 1 if after else 0):
        where = f"wallet {wallet}: line {line.sequence}"
        balance += line.entry.amount
        if line.sequence != expected:
            yield f"{where}: expected the line {expected}; lines are missing"
        if line.previous_hash != previous:
            yield f"{where}: expected to follow {previous}, was {line.previous_hash}"
        if line.hash != line_hash(wallet, line.sequence, line.entry, line.balance, line.previous_hash):
            yield f"{where}: its hash does not cover what it says"
        if line.balance != balance:
            yield f"{where}: expected a balance of {balance}, was {line.balance}"
        previous, balance = line.hash, line.balance


def strangers(wallet: str, lines: Sequence[Line], fills: Sequence[tuple[Any, ...]]) -> Iterator[str]:
    """Lines that are not what their fill says, and fills without lines.

    Args:
        fills: rows of `BOOKED`.
    """
    moved = [line.entry for line in lines if line.entry.kind != "deposit"]
    booked = {(entry.kind, entry.reference): entry.amount for entry in moved}
    for fill_id, paid, fee in fills:
        for kind, amount in (("fill", paid), ("fee", fee)):
            found = booked.pop((kind, fill_id), None)
            if found != amount:
                yield f"wallet {wallet}: {kind} {fill_id}: expected a line over {amount}, was {found}"
    for kind, reference in booked:
        yield f"wallet {wallet}: {kind} {reference}: a line without its fill"


def _wrong_sums(connection: Connection, wallet: str, lines: list[Line]) -> Iterator[str]:
    total = sum((line.entry.amount for line in lines), Decimal(0))
    for (balance,) in connection.execute("SELECT balance FROM trading.cash WHERE wallet = %s", [wallet]):
        if balance != total:
            yield f"wallet {wallet}: cash: expected {total}, the sum of the ledger, was {balance}"
    for listing_id, held, filled in connection.execute(
        """
        SELECT listing_id, coalesce(p.quantity, 0), coalesce(f.quantity, 0)
        FROM (SELECT listing_id, quantity FROM trading.positions WHERE wallet = %(wallet)s) AS p
        FULL JOIN (
            SELECT listing_id, sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END) AS quantity
            FROM trading.fills WHERE wallet = %(wallet)s GROUP BY listing_id
        ) AS f USING (listing_id)
        """,
        {"wallet": wallet},
    ):
        if held != filled:
            yield f"wallet {wallet}: position in {listing_id}: expected {filled}, the sum of its fills, was {held}"
