"""The lines a wallet's cash is made of, each hash covering the one before it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from strades_pipelines.market.events import Fill
from strades_pipelines.market.ids import digest

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement of cash: what it was for, when, how much."""

    kind: str
    reference: str
    occurred_at: datetime
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in its place in the chain."""

    sequence: int
    entry: Entry
    balance: Decimal
    previous_hash: str
    hash: str


def deposit(wallet: str, amount: Decimal, currency: str, at: datetime) -> Entry:
    """The entry that opens a wallet."""
    return Entry("deposit", wallet, at, currency, amount)


def entries(fill: Fill) -> tuple[Entry, Entry]:
    """The two entries of a fill: what was paid or got, and the fee."""
    paid = -fill.signed * fill.price
    return (
        Entry("fill", fill.content_id, fill.filled_at, fill.currency, paid),
        Entry("fee", fill.content_id, fill.filled_at, fill.currency, -fill.fee),
    )


def chain(wallet: str, added: Iterable[Entry], last: Line | None = None) -> Iterator[Line]:
    """The lines of `added`, in order, after the wallet's `last` line."""
    for entry in added:
        sequence = last.sequence + 1 if last else 0
        balance = (last.balance if last else Decimal(0)) + entry.amount
        previous = last.hash if last else GENESIS
        last = Line(sequence, entry, balance, previous, line_hash(wallet, sequence, entry, balance, previous))
        yield last


def line_hash(wallet: str, sequence: int, entry: Entry, balance: Decimal, previous_hash: str) -> str:
    """SHA-256 in hex over every column of a line, the hash before it first."""
    amounts = plain(entry.amount), plain(balance)
    parts = wallet, sequence, entry.kind, entry.reference, entry.occurred_at, entry.currency
    return digest(previous_hash, *parts, *amounts).hex()


def plain(number: Decimal) -> str:
    """One text for equal numbers, whatever their scale: 1.50 and 1.5 are 1.5; no exponent."""
    return format(number.normalize() + 0, "f")
