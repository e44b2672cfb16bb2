"""Cash that no fill moved: deposits, withdrawals, transfers, dividends, interest and charges, each once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from strades_pipelines.brokerage.brokers.paper.accounts import adjust_account
from strades_pipelines.brokerage.ledger import post_entries
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.trading_rows import insert
from strades_pipelines.market.ledger_chain import FLOWS, Entry, plain
from strades_pipelines.strategy.events import microseconds

KNOWN = """
    SELECT kind, currency, amount, occurred_at, counterpart FROM trading.movements
    WHERE wallet = %s AND movement_id = %s
"""


class MovementConflict(ValueError):
    """A movement of this id is booked, and says something else; one line."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A change of a wallet's cash.

    Args:
        movement_id: a movement that is booked under it already is not booked again.
        amount: positive into the wallet.
        counterpart: the other wallet of a transfer.
        statement: SHA-256 of the file it was in.
    """

    movement_id: str
    kind: str
    currency: str
    amount: Decimal
    occurred_at: datetime
    counterpart: str | None = None
    reason: str | None = None
    statement: bytes | None = None


class CashFlow(NamedTuple):
    """What a wallet's own cash changed by, as its strategy saw it: known at `at`, in microseconds UTC."""

    at: int
    amount: Decimal
    is_external: bool


def post_movement(
    connection: Connection, wallet: Wallet, movement: Movement, *, command_id: int, now: datetime
) -> bool:
    """Book a movement, once; returns whether it was new. Commits nothing.

    At the paper venue, whose account is on paper too, the cash arrives in the same transaction. A real venue is only
    told of by it: reconciliation says whether the money is there.

    Args:
        connection: it holds the wallet's lock.

    Raises:
        MovementConflict: another movement was booked under this id.
    """
    row = {
        "wallet": wallet.name,
        "movement_id": movement.movement_id,
        "kind": movement.kind,
        "currency": movement.currency,
        "amount": plain(movement.amount),
        "occurred_at": movement.occurred_at,
        "counterpart": movement.counterpart,
        "reason": movement.reason,
        "command_id": command_id,
        "statement": movement.statement,
        "recorded_at": now,
    }
    # The key of the table makes it idempotent: a statement that is loaded twice is booked once.
    if not insert(connection, "trading.movements", row):
        _check_same(connection, wallet, movement)
        return False
    entry = Entry(movement.kind, movement.movement_id, movement.occurred_at, movement.currency, movement.amount)
    post_entries(connection, wallet.name, [entry], at=now)
    # The paper account has cash of one currency only.
    if movement.currency == wallet.currency:
        adjust_account(connection, wallet, cash=movement.amount)
    return True


def cash_flows(connection: Connection, wallet: Wallet) -> list[CashFlow]:
    """The movements of a wallet in its own currency, in the order in which they were recorded.

    What a split paid for a fraction is not among them: a strategy is told of it as of a fill (`splits.paid_out`). A
    view of a sleeve has its part of each.
    """
    rows: Sequence[tuple[datetime, Decimal, str]] = connection.execute(
        """
        SELECT recorded_at, amount, kind FROM trading.movements
        WHERE wallet = %s AND currency = %s AND kind <> 'split' ORDER BY recorded_at, movement_id
        """,
        [wallet.name, wallet.currency],
    ).fetchall()
    sleeve = wallet.sleeve
    return [
        CashFlow(microseconds(at), sleeve.part_of(amount) if sleeve else amount, kind in FLOWS)
        for at, amount, kind in rows
    ]


def _check_same(connection: Connection, wallet: Wallet, movement: Movement) -> None:
    wanted = movement.kind, movement.currency, movement.amount, movement.occurred_at, movement.counterpart
    found = connection.execute(KNOWN, [wallet.name, movement.movement_id]).fetchone()
    if found != wanted:
        was = f"a {found[0]} of {plain(found[2])} {found[1]} at {found[3]:%Y-%m-%d %H:%M}" if found else "nothing"
        raise MovementConflict(
            f"wallet {wallet.name}: {movement.movement_id}: expected the movement that was booked, {was}, "
            f"was a {movement.kind} of {plain(movement.amount)} {movement.currency}; use another id"
        )
