"""What changes a wallet's cash, into the books, and the proof that nobody has touched them since."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.booked_splits import read_splits
from strades_pipelines.brokerage.exchange_rates import known_rates
from strades_pipelines.brokerage.holdings import POSITIONS, booked_positions, load_position
from strades_pipelines.brokerage.owner_positions import book_fill, read_owner_positions, rework
from strades_pipelines.brokerage.portfolio import FILLS, Wallet, load_fills
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.sleeves import fill_owners
from strades_pipelines.brokerage.trading_rows import cash_row, fill_row, insert, line_row, position_row
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.books import Position
from strades_pipelines.market.cost_basis import sum_exact
from strades_pipelines.market.ledger_chain import GENESIS, OF_FILLS, UNIT_FEE, Entry, Line, chain, entries, line_hash
from strades_pipelines.market.owners import owned_positions
from strades_pipelines.market.rounding import EXACT
from strades_pipelines.market.split_arithmetic import ratio_since

LINES = """
    SELECT sequence, kind, reference, occurred_at, currency, amount, balance, previous_hash, hash
    FROM trading.ledger WHERE wallet = %(wallet)s AND sequence >= %(first)s ORDER BY sequence
"""
# The newest balance of an account up to a line: of the cash in a currency, or of the fees in its units.
BALANCE = f"""
    SELECT balance FROM trading.ledger
    WHERE wallet = %(wallet)s AND currency = %(currency)s AND (kind = '{UNIT_FEE}') = %(is_units)s
        AND sequence <= %(last)s
    ORDER BY sequence DESC LIMIT 1
"""
# What a fill paid or brought, and its fee, as the ledger has them.
BOOKED = f"""
    SELECT fill_id, 'fill', CASE side WHEN 'buy' THEN -quantity * price ELSE quantity * price END, currency
    FROM trading.fills WHERE {{which}}
    UNION ALL
    SELECT fill_id, CASE WHEN fee_in_units THEN '{UNIT_FEE}' ELSE 'fee' END, -fee, coalesce(fee_currency, currency)
    FROM trading.fills WHERE {{which}}
    ORDER BY 1, 2 DESC
"""
MOVED = "SELECT movement_id, kind, amount, currency FROM trading.movements WHERE wallet = %(wallet)s AND {which}"
SPLIT_IDS = "SELECT movement_id FROM trading.movements WHERE wallet = %s AND kind = 'split'"
OPENED = "SELECT wallet, 'deposit', opening_cash, currency FROM trading.wallets WHERE wallet = %(wallet)s"


def post_fill(connection: Connection, wallet: Wallet, fill: Fill, *, now: datetime) -> bool:
    """Take a fill into fills, positions, cash and ledger, once; returns whether it was new. Commits nothing.

    A fee in a third currency gets its value at the rate that was known when it was filled. Reads as much for the last
    fill as for the first.
    """
    if fill.fee_cost is None and fill.fee_currency is not None:
        rates = known_rates(connection, fill.currency, [fill.fee_currency], at=fill.filled_at)
        rate = rates.get(fill.fee_currency)
        fill = replace(fill, fee_value=None if rate is None else EXACT.multiply(fill.fee, rate))
    if not insert(connection, "trading.fills", fill_row(fill, wallet.name, now)):
        return False
    is_of_now = ratio_since(wallet.splits, fill.listing_id, fill.filled_at) == 1
    if is_of_now:
        if wallet.sleeves:
            position = book_fill(connection, wallet, fill)
        else:
            position = load_position(connection, wallet, fill.listing_id).after(fill)
        store_position(connection, wallet, fill.listing_id, position, at=fill.knowledge_time)
    post_entries(connection, wallet.name, entries(fill), at=fill.knowledge_time)
    if not is_of_now:  # it was done in the shares of before a split that is booked
        rework_position(connection, wallet, fill.listing_id, at=fill.knowledge_time)
    return True


def store_position(
    connection: Connection, wallet: Wallet, listing_id: int, position: Position, *, at: datetime
) -> None:
    """Store what a wallet holds of a listing. Commits nothing."""
    row = position_row(wallet.name, listing_id, position, at)
    insert(connection, "trading.positions", row, replace=["wallet", "listing_id"])


def rework_position(connection: Connection, wallet: Wallet, listing_id: int, *, at: datetime) -> None:
    """Work a position out from all fills and splits of its listing; without a fill there is none. Commits nothing."""
    fills = [fill for fill in load_fills(connection, wallet) if fill.listing_id == listing_id]
    if fills:
        if wallet.sleeves:
            position = rework(connection, wallet, listing_id, at=at)
        else:
            position = booked_positions(fills, wallet.splits)[listing_id]
        store_position(connection, wallet, listing_id, position, at=at)


def post_entries(connection: Connection, wallet: str, added: Sequence[Entry], *, at: datetime) -> None:
    """Append lines to a wallet's ledger and move its cash by them. Commits nothing.

    Args:
        connection: it holds the wallet's lock, or is the only one that can know the wallet.
    """
    last = last_line(connection, wallet)
    balances = balances_at(connection, wallet, added, last)
    cash = {}
    for line in chain(wallet, added, last, balances):
        insert(connection, "trading.ledger", line_row(line, wallet))
        if line.entry.kind != UNIT_FEE:
            cash[line.entry.currency] = line.balance
    for currency, balance in cash.items():
        insert(connection, "trading.cash", cash_row(wallet, currency, balance, at), replace=["wallet", "currency"])


def read_lines(connection: Connection, wallet: str, *, first: int = 0) -> list[Line]:
    """The ledger of a wallet from the line `first` on, oldest first."""
    return [_line(row) for row in connection.execute(LINES, {"wallet": wallet, "first": first})]


def last_line(connection: Connection, wallet: str) -> Line | None:
    """The newest line of a wallet's ledger; None where it has none."""
    # `LINES` ends with its ORDER BY, which DESC turns round.
    row = connection.execute(f"{LINES} DESC LIMIT 1", {"wallet": wallet, "first": 0}).fetchone()
    return _line(row) if row else None


def balances_at(connection: Connection, wallet: str, moved: Iterable[Entry], last: Line | None) -> dict[str, Decimal]:
    """The balances after the line `last` of the accounts that entries move; an account without a line is absent."""
    found: dict[str, Decimal] = {}
    if last is None:
        return found
    for account, entry in {entry.account: entry for entry in moved}.items():
        is_units = entry.kind == UNIT_FEE
        at = {"wallet": wallet, "currency": entry.currency, "is_units": is_units, "last": last.sequence}
        row = connection.execute(BALANCE, at).fetchone()
        if row is not None:
            found[account] = row[0]
    return found


def _line(row: Sequence[Any]) -> Line:
    return Line(row[0], Entry(*row[1:6]), *row[6:])


def verify_ledger(connection: Connection, wallet: str) -> list[str]:
    """What is wrong with a wallet's ledger, one line each; empty when it is whole. Reads all of it.

    Each hash is computed again over its row and the hash before it; fills, movements, cash and positions must be what
    the lines say: so an edited, deleted or inserted row is found, the last one too.
    """
    lines = read_lines(connection, wallet)
    found = (
        broken_links(wallet, lines),
        strangers(wallet, lines, read_causes(connection, wallet)),
        _wrong_sums(connection, wallet, lines),
    )
    return [problem for problems in found for problem in problems]


def broken_links(
    wallet: str, lines: Sequence[Line], *, after: Line | None = None, balances: Mapping[str, Decimal] | None = None
) -> Iterator[str]:
    """Lines whose place, hash or balance does not follow from the line before them.

    Args:
        lines: in their order.
        after: the line before them, which is taken as it is; None where they are all lines.
        balances: by account after that line.
    """
    if after is None and (not lines or lines[0].entry.kind != "deposit"):
        yield f"wallet {wallet}: expected a deposit as the first line"
    previous, known = (after.hash if after else GENESIS), dict(balances or {})
    for expected, line in enumerate(lines, after.sequence + 1 if after else 0):
        where, account = f"wallet {wallet}: line {line.sequence}", line.entry.account
        balance = EXACT.add(known.get(account, Decimal(0)), line.entry.amount)
        if line.sequence != expected:
            yield f"{where}: expected the line {expected}; lines are missing"
        if line.previous_hash != previous:
            yield f"{where}: expected to follow {previous}, was {line.previous_hash}"
        if line.hash != line_hash(wallet, line.sequence, line.entry, line.balance, line.previous_hash):
            yield f"{where}: its hash does not cover what it says"
        if line.balance != balance:
            yield f"{where}: expected a balance of {balance} {account}, was {line.balance}"
        previous, known[account] = line.hash, line.balance


def read_causes(
    connection: Connection, wallet: str, references: Collection[str] | None = None
) -> list[tuple[str, str, Decimal, str]]:
    """What lines rest on: fills, movements and the wallet's opening, as (reference, kind, amount, currency).

    Args:
        references: only these; None for all of the wallet.
    """
    values = {"wallet": wallet, "references": list(references or ())}
    of_fills, of_movements, opened = "wallet = %(wallet)s", "true", OPENED
    if references is not None:
        # Not by wallet: a line may name another wallet's fill.
        of_fills, of_movements = "fill_id = ANY(%(references)s)", "movement_id = ANY(%(references)s)"
        opened += " AND wallet = ANY(%(references)s)"
    queries = BOOKED.format(which=of_fills), MOVED.format(which=of_movements), opened
    return [row for query in queries for row in connection.execute(query, values).fetchall()]


def strangers(wallet: str, lines: Sequence[Line], causes: Sequence[tuple[str, str, Decimal, str]]) -> Iterator[str]:
    """Lines that are not what their fill or movement says, and fills and movements without lines.

    Args:
        causes: of `read_causes`.
    """
    booked = {(line.entry.kind, line.entry.reference): (line.entry.amount, line.entry.currency) for line in lines}
    for reference, kind, amount, currency in causes:
        found = booked.pop((kind, reference), None)
        if found != (amount, currency):
            was = f"{found[0]} {found[1]}" if found else None
            yield f"wallet {wallet}: {kind} {reference}: expected a line over {amount} {currency}, was {was}"
    for kind, reference in booked:
        cause = "fill" if kind in OF_FILLS else "movement"
        yield f"wallet {wallet}: {kind} {reference}: a line without its {cause}"


def _wrong_sums(connection: Connection, wallet: str, lines: list[Line]) -> Iterator[str]:
    amounts: dict[str, list[Decimal]] = {}
    for line in lines:
        if line.entry.kind != UNIT_FEE:
            amounts.setdefault(line.entry.currency, []).append(line.entry.amount)
    totals = {currency: sum_exact(moved) for currency, moved in amounts.items()}
    query = "SELECT currency, balance FROM trading.cash WHERE wallet = %s"
    cash: dict[str, Decimal] = dict(connection.execute(query, [wallet]).fetchall())
    for currency in sorted({*totals, *cash}):
        total, balance = totals.get(currency), cash.get(currency)
        if balance != total:
            yield f"wallet {wallet}: cash: expected {total} {currency}, the sum of the ledger, was {balance}"
    yield from _wrong_positions(connection, wallet)


def _wrong_positions(connection: Connection, wallet: str) -> Iterator[str]:
    """Positions that are not what their fills and splits come to, in units, cost or profit; and splits with an edit."""
    splits = read_splits(connection, wallet)
    known = {id_ for (id_,) in connection.execute(SPLIT_IDS, [wallet])}
    for split in splits:
        if split.movement_id not in known:
            yield f"wallet {wallet}: split of {split.listing_id} on {split.ex_date}: its id does not cover what it says"
    of_all = {"wallet": wallet, "since": None, "stored_by": None, "sleeve": None}
    fills = [Fill(0, *row) for row in connection.execute(FILLS, of_all)]
    owners = fill_owners(connection, wallet)
    owned = owned_positions(fills, owners, splits)
    booked = owned.by_listing()
    stored = {row[0]: row[1:] for row in connection.execute(f"{POSITIONS} WHERE wallet = %s", [wallet])}
    for listing_id in sorted({*stored, *(fill.listing_id for fill in fills)}):
        expected = booked.get(listing_id, Position())
        held, _, cost, realised = stored.get(listing_id, (Decimal(0), None, None, None))
        if held != expected.quantity:
            because = f"the sum of its fills{' and splits' if splits else ''}"
            yield f"wallet {wallet}: position in {listing_id}: expected {expected.quantity}, {because}, was {held}"
        for what, wanted, was in (("cost", expected.cost, cost), ("profit", expected.realised, realised)):
            # A position from before costs were kept has none until its next fill.
            if cost is not None and was != wanted:
                yield f"wallet {wallet}: {what} of the position in {listing_id}: expected {wanted}, was {was}"
    by_owner = read_owner_positions(connection, wallet)
    wanted_by_owner = owned.positions if owners else {}  # a wallet with one strategy keeps none
    for owner, listing_id in sorted({*by_owner, *wanted_by_owner}):
        part, wanted_part = (found.get((owner, listing_id), Position()) for found in (by_owner, wanted_by_owner))
        if part != wanted_part:
            yield f"wallet {wallet}: {owner}: position in {listing_id}: expected {wanted_part}, was {part}"
