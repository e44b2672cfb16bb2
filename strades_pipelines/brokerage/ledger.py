"""What changes a wallet's cash, into the books, and the proof that nobody has touched them since."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from strades_pipelines.brokerage.exchange_rates import known_rates
from strades_pipelines.brokerage.portfolio import FILLS, POSITIONS, Wallet, booked_positions, load_position
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.rows import cash_row, fill_row, insert, line_row, position_row
from strades_pipelines.market.books import Position
from strades_pipelines.market.cost_basis import sum_exact
from strades_pipelines.market.events import Fill
from strades_pipelines.market.ledger import GENESIS, OF_FILLS, UNIT_FEE, Entry, Line, chain, entries, line_hash
from strades_pipelines.market.rounding import EXACT

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
    position = load_position(connection, wallet, fill.listing_id).after(fill)
    row = position_row(wallet.name, fill.listing_id, position, fill.knowledge_time)
    insert(connection, "trading.positions", row, replace=["wallet", "listing_id"])
    post_entries(connection, wallet.name, entries(fill), at=fill.knowledge_time)
    return True


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
    for listing_id, held, filled in connection.execute(
        """
        SELECT listing_id, coalesce(p.quantity, 0), coalesce(f.quantity, 0)
        FROM (SELECT listing_id, quantity FROM trading.positions WHERE wallet = %(wallet)s) AS p
        FULL JOIN (
            SELECT
                listing_id,
                sum(
                    CASE side WHEN 'buy' THEN quantity ELSE -quantity END - CASE WHEN fee_in_units THEN fee ELSE 0 END
                ) AS quantity
            FROM trading.fills WHERE wallet = %(wallet)s GROUP BY listing_id
        ) AS f USING (listing_id)
        """,
        {"wallet": wallet},
    ):
        if held != filled:
            yield f"wallet {wallet}: position in {listing_id}: expected {filled}, the sum of its fills, was {held}"
    yield from _wrong_costs(connection, wallet)


def _wrong_costs(connection: Connection, wallet: str) -> Iterator[str]:
    """Positions whose cost or profit is not what their fills come to, in the order in which those were booked."""
    fills = [Fill(0, *row) for row in connection.execute(FILLS, {"wallet": wallet, "since": None, "stored_by": None})]
    booked = booked_positions(fills)
    for listing_id, _, _, *kept in connection.execute(f"{POSITIONS} WHERE wallet = %s AND cost IS NOT NULL", [wallet]):
        position = booked.get(listing_id, Position())
        for what, expected, was in zip(("cost", "profit"), (position.cost, position.realised), kept, strict=True):
            if was != expected:
                yield f"wallet {wallet}: {what} of the position in {listing_id}: expected {expected}, was {was}"
