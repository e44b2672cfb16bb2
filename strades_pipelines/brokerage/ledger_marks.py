"""Verification of ledgers at the cost of what is new: a mark says up to which line a wallet's ledger was verified.

Edits of lines before the mark are found by the verification in full, which also holds the chain to its mark: whoever
edits a line and computes all later hashes again gives the marked line another hash.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from strades_pipelines.brokerage.ledger import (
    balances_at,
    broken_links,
    last_line,
    read_causes,
    read_lines,
    strangers,
    verify_ledger,
)
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.snapshot import read_snapshot
from strades_pipelines.brokerage.trading_rows import insert
from strades_pipelines.market.ledger_chain import UNIT_FEE, Line, line_hash

# A replay is written once: without a mark it is new, with one it was verified whole.
TO_VERIFY = """
    SELECT w.wallet FROM trading.wallets AS w
    WHERE w.mode <> 'replay' OR NOT EXISTS (SELECT FROM trading.ledger_marks AS m WHERE m.wallet = w.wallet)
    ORDER BY w.wallet
"""
LAST_BALANCES = f"""
    SELECT c.currency, c.balance, (
        SELECT l.balance FROM trading.ledger AS l
        WHERE l.wallet = c.wallet AND l.currency = c.currency AND l.kind <> '{UNIT_FEE}'
        ORDER BY l.sequence DESC LIMIT 1
    )
    FROM trading.cash AS c WHERE c.wallet = %s ORDER BY c.currency
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """The last line that was verified, and when."""

    sequence: int
    hash: str
    verified_at: datetime


def wallets_to_verify(connection: Connection) -> list[str]:
    """The wallets whose ledger may have lines that were never verified."""
    return [name for (name,) in connection.execute(TO_VERIFY)]


def verify_new_lines(connection: Connection, wallet: str, *, now: datetime) -> list[str]:
    """What is wrong with the lines after a wallet's mark, one line each; without a mark with all. Commits.

    Sets the mark to the last line where nothing is wrong.

    Args:
        connection: with no transaction open.
    """
    with read_snapshot(connection):  # a fill may be booked meanwhile, in several tables
        mark = _read_mark(connection, wallet)
        faults = verify_ledger(connection, wallet) if mark is None else list(_new_faults(connection, wallet, mark))
        last = last_line(connection, wallet)
    if last is not None and not faults and (mark is None or last.sequence > mark.sequence):
        row = {"wallet": wallet, "sequence": last.sequence, "hash": last.hash, "verified_at": now}
        insert(connection, "trading.ledger_marks", row, replace=["wallet"])
        connection.commit()
    return faults


def verify_in_full(connection: Connection, wallet: str) -> list[str]:
    """What is wrong with a wallet's whole ledger and its mark, one line each. Writes nothing.

    Args:
        connection: with no transaction open.
    """
    with read_snapshot(connection):
        faults = verify_ledger(connection, wallet)
        mark = _read_mark(connection, wallet)
        if mark is not None:
            faults += _mark_faults(wallet, mark, read_lines(connection, wallet, first=mark.sequence)[:1])
        return faults


def _new_faults(connection: Connection, wallet: str, mark: Mark) -> Iterator[str]:
    """Faults of the marked line and of those after it, which must end at the wallet's cash."""
    lines = read_lines(connection, wallet, first=mark.sequence)
    yield from _mark_faults(wallet, mark, lines)
    if not lines:
        return
    marked, new = lines[0], lines[1:]
    before = balances_at(connection, wallet, [line.entry for line in new], marked)
    yield from broken_links(wallet, new, after=marked, balances=before)
    yield from strangers(wallet, new, read_causes(connection, wallet, {line.entry.reference for line in new}))
    yield from _cash_faults(connection, wallet)


def _cash_faults(connection: Connection, wallet: str) -> Iterator[str]:
    """Cash that is not what the last line in its currency says."""
    rows = connection.execute(LAST_BALANCES, [wallet]).fetchall()
    for currency, balance, of_line in rows:
        if balance != of_line:
            yield f"wallet {wallet}: cash: expected {of_line} {currency}, as the last line has it, was {balance}"


def _mark_faults(wallet: str, mark: Mark, lines: list[Line]) -> Iterator[str]:
    """Whether the first of `lines` is the marked one, as it was."""
    if not lines or (lines[0].sequence, _hash(wallet, lines[0])) != (mark.sequence, mark.hash):
        yield (
            f"wallet {wallet}: line {mark.sequence}: expected it as it was verified at "
            f"{mark.verified_at:%Y-%m-%d %H:%M}; it or a line before it was changed or deleted since"
        )


def _hash(wallet: str, line: Line) -> str | None:
    """The line's hash, computed again; None where it is not what the line says."""
    found = line_hash(wallet, line.sequence, line.entry, line.balance, line.previous_hash)
    return found if found == line.hash else None


def _read_mark(connection: Connection, wallet: str) -> Mark | None:
    row = connection.execute(
        "SELECT sequence, hash, verified_at FROM trading.ledger_marks WHERE wallet = %s", [wallet]
    ).fetchone()
    return Mark(*row) if row else None
