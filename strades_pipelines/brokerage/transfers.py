"""Money into a wallet, out of it, and from one wallet to another, by a person's word."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from strades_pipelines.brokerage.command_log import Request, log_command, log_outcome
from strades_pipelines.brokerage.execution import wallet_lock
from strades_pipelines.brokerage.intents import books_with_orders
from strades_pipelines.brokerage.movements import Movement, MovementConflict, post_movement
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.prices import Connection, last_closes
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.amounts import CURRENCY, amount_fault
from strades_pipelines.market.ids import base32_id
from strades_pipelines.market.ledger_chain import plain


class TransferRefused(ValueError):
    """The money cannot be moved; one line."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that moves.

    Args:
        amount: positive into `wallet`, negative out of it.
        at: when it moved, UTC.
        to: the wallet that it goes to, out of `wallet`; the amount is positive then. None for the world outside.
        key: two transfers of one key are one. None: wallets, amount, currency and time are the key.
    """

    wallet: str
    amount: Decimal
    currency: str
    at: datetime
    to: str | None = None
    key: str | None = None

    @property
    def movement_id(self) -> str:
        """The id of its movements."""
        if self.key is not None:
            return base32_id("transfer", self.key)
        return base32_id("transfer", self.wallet, self.to, plain(self.amount), self.currency, self.at)


def transfer(connection: Connection, moved: Transfer, request: Request) -> bool:
    """Book a transfer in one transaction, of two wallets in both; returns whether it was new. Commits.

    Args:
        connection: with no transaction open.

    Raises:
        TransferRefused: it cannot be; the refusal is in trading.commands.
        LookupError: for a wallet that is not there.
        psycopg.errors.LockNotAvailable: when another process is at one of the wallets for too long.
    """
    arguments = {
        "amount": str(moved.amount),
        "currency": moved.currency,
        "at": moved.at.isoformat(),
        "to": moved.to,
        # No id of an amount that is no number, whose refusal is logged all the same.
        "movement_id": moved.movement_id if moved.amount.is_finite() else None,
    }
    # Sorted: two transfers in opposite directions lock in the same order, and so cannot deadlock.
    names = sorted({name for name in (moved.wallet, moved.to) if name is not None})
    with ExitStack() as locks:
        for name in names:
            load_wallet(connection, name)
            connection.rollback()
            locks.enter_context(wallet_lock(connection, name))
        # Once more, under the locks: a wallet may have changed while they were waited for.
        wallets = {name: load_wallet(connection, name) for name in names}
        command_id = log_command(connection, request, arguments)
        try:
            _check(moved, request.at)
            for wallet in wallets.values():
                _check_wallet(wallet, moved)
            _check_modes(list(wallets.values()))
            booked = [
                post_movement(connection, wallets[name], movement, command_id=command_id, now=request.at)
                for name, movement in _movements(moved, request.reason)
            ]
            if any(booked):
                _check_cash(connection, wallets[moved.wallet], moved)
        except (TransferRefused, MovementConflict) as error:
            connection.rollback()
            # The rollback took the first record of the command with it; a refusal stays on record.
            command_id = log_command(connection, request, arguments)
            log_outcome(connection, command_id, f"refused: {error}", now=request.at)
            connection.commit()
            raise TransferRefused(str(error)) from None
        outcome = "booked" if any(booked) else "it was booked already"
        log_outcome(connection, command_id, f"{moved.movement_id} {outcome}", now=request.at)
        crash_point("trading.transfer_written")
        connection.commit()
        crash_point("trading.transfer_committed")
        return any(booked)


def _movements(moved: Transfer, reason: str | None) -> list[tuple[str, Movement]]:
    """The movement of each wallet."""
    kind = "transfer" if moved.to else "deposit" if moved.amount > 0 else "withdrawal"
    first = Movement(moved.movement_id, kind, moved.currency, moved.amount, moved.at, reason=reason)
    if moved.to is None:
        return [(moved.wallet, first)]
    return [
        (moved.wallet, replace(first, amount=-moved.amount, counterpart=moved.to)),
        (moved.to, replace(first, counterpart=moved.wallet)),
    ]


def _check(moved: Transfer, now: datetime) -> None:
    fault = amount_fault(moved.amount)
    if fault is not None:
        raise TransferRefused(f"amount: {fault}")
    if not CURRENCY.fullmatch(moved.currency):
        raise TransferRefused(f"currency: expected 2 to 12 capital letters or digits, was {moved.currency!r}")
    if moved.at > now:
        raise TransferRefused(f"at: expected a time up to now, {now:%Y-%m-%d %H:%M}, was {moved.at:%Y-%m-%d %H:%M}")
    if moved.to is not None and (moved.amount < 0 or moved.to == moved.wallet):
        raise TransferRefused(f"to: expected a positive amount to another wallet, was {moved.amount} to {moved.to}")


def _check_wallet(wallet: Wallet, moved: Transfer) -> None:
    if wallet.mode == "replay":
        raise TransferRefused(f"wallet {wallet.name}: expected one that trades, was a replay, which is over")
    if moved.at < wallet.opened_at:
        raise TransferRefused(
            f"at: expected {wallet.opened_at:%Y-%m-%d %H:%M} or later, when wallet {wallet.name} was opened, "
            f"was {moved.at:%Y-%m-%d %H:%M}"
        )


def _check_modes(wallets: Sequence[Wallet]) -> None:
    """Refuse to make money of what is on paper, or the other way."""
    first, *others = wallets
    for other in others:
        if other.mode != first.mode:
            raise TransferRefused(
                f"to: expected two wallets of one mode, was wallet {first.name} ({first.mode}) and wallet {other.name} "
                f"({other.mode}): what is on paper is no money"
            )


def _check_cash(connection: Connection, wallet: Wallet, moved: Transfer) -> None:
    """Refuse what would take cash that is not there, or that open orders may need."""
    if moved.amount > 0 and moved.to is None:
        return
    prices = last_closes(connection, wallet.listings, interval=wallet.interval, known_at=moved.at)
    books, _ = books_with_orders(connection, wallet, prices)
    left = books.free_cash() if moved.currency == wallet.currency else books.foreign.get(moved.currency, Decimal(0))
    if left < 0:
        free = plain(left + abs(moved.amount))
        raise TransferRefused(
            f"amount: expected at most {free} {moved.currency}, what wallet {wallet.name} has free of open orders, "
            f"was {plain(abs(moved.amount))}"
        )
