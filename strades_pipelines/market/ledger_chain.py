"""The lines a wallet's cash is made of, each hash covering the one before it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.ids import digest
from strades_pipelines.market.rounding import EXACT

GENESIS = "0" * 64
# Money that came from outside the wallet or left it: what returns are measured apart from.
FLOWS = ("deposit", "withdrawal", "transfer")
# What was earned or paid without a trade; a charge is a fee that belongs to no fill.
INCOME = ("dividend", "interest", "charge")
# A fee that was taken out of the units of a fill. It moves no cash.
UNIT_FEE = "unit_fee"
OF_FILLS = ("fill", "fee", UNIT_FEE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement of cash, or of units for a fee in them: what it was for, when, how much."""

    kind: str
    reference: str
    occurred_at: datetime
    currency: str
    amount: Decimal

    @property
    def account(self) -> str:
        """What its line's balance counts: the cash in its currency, or the fees taken in units of it."""
        return unit_account(self.currency) if self.kind == UNIT_FEE else self.currency


@dataclass(frozen=True, slots=True)
class Line:
    """An entry in its place in the chain; `balance` is that of the entry's account after it."""

    sequence: int
    entry: Entry
    balance: Decimal
    previous_hash: str
    hash: str


def unit_account(currency: str) -> str:
    """The account of the fees taken in units; no currency has a name like that."""
    return f"{currency} units"


def deposit(wallet: str, amount: Decimal, currency: str, at: datetime) -> Entry:
    """The entry that opens a wallet."""
    return Entry("deposit", wallet, at, currency, amount)


def entries(fill: Fill) -> tuple[Entry, Entry]:
    """The two entries of a fill: what was paid or got, and the fee in the currency or units that it was taken in."""
    kind, currency = (UNIT_FEE if fill.fee_in_units else "fee"), fill.fee_currency or fill.currency
    return (
        Entry("fill", fill.content_id, fill.filled_at, fill.currency, fill.paid),
        Entry(kind, fill.content_id, fill.filled_at, currency, -fill.fee),
    )


def chain(
    wallet: str, added: Iterable[Entry], last: Line | None = None, balances: Mapping[str, Decimal] | None = None
) -> Iterator[Line]:
    """The lines of `added`, in order, after the wallet's `last` line.

    Args:
        balances: by account before them; one that is absent starts at 0.
    """
    after = dict(balances or {})
    for entry in added:
        sequence = last.sequence + 1 if last else 0
        balance = after[entry.account] = EXACT.add(after.get(entry.account, Decimal(0)), entry.amount)
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
    # Adding 0 turns -0 into 0, which has another text.
    return format(EXACT.add(EXACT.normalize(number), Decimal(0)), "f")
