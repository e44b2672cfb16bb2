"""Reconciliation of the accounts that our wallets trade: ask the venue, book what we lack, keep what differs, halt."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from operator import itemgetter

from strades_pipelines.brokerage.account_books import AccountBooks, read_books
from strades_pipelines.brokerage.brokers.selection import venue_for
from strades_pipelines.brokerage.brokers.venue import AccountBroker, VenueAccount, account_name, account_of
from strades_pipelines.brokerage.brokers.venue_errors import BrokerError
from strades_pipelines.brokerage.execution import execute_pending, settle_orders, wallet_lock
from strades_pipelines.brokerage.findings import ACCOUNT_WIDE, Finding, StoredFinding, open_findings, store_findings
from strades_pipelines.brokerage.ledger_marks import verify_new_lines
from strades_pipelines.brokerage.lookup_schedule import LookupSchedule
from strades_pipelines.brokerage.order_journal import Executed, stopwatch
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.prices import Connection
from strades_pipelines.brokerage.reconciliation import Comparison
from strades_pipelines.brokerage.splits import book_splits, withdrawn_splits
from strades_pipelines.brokerage.trading_rows import insert, to_json
from strades_pipelines.database.crash import crash_point
from strades_pipelines.market.ledger_chain import plain

LOGGER = logging.getLogger(__name__)
EVERY = timedelta(minutes=15)
# Fills are asked for again from some time before the last comparison: a venue may list them late.
OVERLAP = timedelta(minutes=10)
# What was asked with several requests, between which a fill may have come, is asked again before it is a finding.
READS = 3
TRADING = "SELECT broker, mode, wallet FROM trading.wallets WHERE mode <> 'replay'"


class NotReconciledError(RuntimeError):
    """A live wallet whose account could not be compared with its venue; in one line."""


@dataclass
class Reconciled:
    """What the reconciliation of an account did.

    Args:
        executed: by wallet, the fills that were booked.
        fills: how many of the venue were compared.
        findings: that stand now.
    """

    account: str
    wallets: list[str]
    executed: dict[str, Executed] = field(default_factory=dict)
    fills: int = 0
    findings: list[StoredFinding] = field(default_factory=list)


def accounts(connection: Connection) -> dict[str, list[str]]:
    """The accounts that wallets trade, each with the names of its wallets, also closed ones: what they hold stays."""
    found: dict[str, list[str]] = {}
    # Sorted here and not by the database, whose collation may be another order than that in which an import and a
    # transfer take the locks of several wallets: two of them would wait for each other.
    for broker, mode, wallet in sorted(connection.execute(TRADING).fetchall(), key=itemgetter(2)):
        found.setdefault(account_name(broker, mode, wallet), []).append(wallet)
    return found


def reconcile_account(connection: Connection, at_venue: Connection, account: str, *, now: datetime) -> Reconciled:
    """Reconcile one of `accounts` at its venue, as `reconcile` does.

    Args:
        at_venue: for the paper venue alone.
    """
    wallets = [load_wallet(connection, name) for name in accounts(connection)[account]]
    connection.rollback()
    return reconcile(connection, account_venue(wallets, at_venue), wallets, now=now)


def account_venue(wallets: Sequence[Wallet], at_venue: Connection) -> AccountBroker:
    """The venue of an account, which knows the instruments of all of its wallets."""
    listings = {listing.listing_id: listing for wallet in wallets for listing in wallet.listings}
    return venue_for(replace(wallets[0], listings=list(listings.values())), at_venue)


def reconcile(connection: Connection, venue: AccountBroker, wallets: Sequence[Wallet], *, now: datetime) -> Reconciled:
    """Compare an account with our books: book fills that we lack, keep each difference, halt the wallets it concerns.

    Under the locks of all of its wallets, so that nothing of ours changes it meanwhile. Commits as it goes. Can be
    repeated, and killed, at any time.

    Args:
        venue: with the instruments of all wallets.
        wallets: all that trade the account, by name.

    Raises:
        BrokerError: the venue does not answer; nothing is known then.
        SplitError: what a wallet trades was split, and its bars do not follow yet.
    """
    account = account_of(wallets[0])
    done = Reconciled(account, [wallet.name for wallet in wallets])
    with ExitStack() as locks:
        for wallet in wallets:
            locks.enter_context(wallet_lock(connection, wallet.name))
        # A venue has split what it holds already.
        wallets = [book_splits(connection, load_wallet(connection, wallet.name), now=now) for wallet in wallets]
        connection.rollback()
        since = _compared_since(connection, account, wallets)
        faults = {wallet.name: verify_new_lines(connection, wallet.name, now=now) for wallet in wallets}
        faults = {name: lines for name, lines in faults.items() if lines}
        found: dict[str, Finding] = {}
        for read in range(READS):
            venue_account, comparison = _read(connection, venue, wallets, since, faults, done, now)
            ids = {finding.finding_id: finding for finding in comparison.findings()}
            found = ids if read == 0 else {name: one for name, one in ids.items() if name in found}
            connection.rollback()
            if not found:
                break
        for wallet in wallets:
            found |= {one.finding_id: one for one in withdrawn_splits(connection, wallet, now=now)}
        done.fills = len(venue_account.fills)
        store_findings(connection, account, list(found.values()), now=now)
        done.findings = open_findings(connection, account=account)
        _halt(connection, wallets, done.findings)
        _set_mark(connection, done, comparison.surplus(), now)
        crash_point("trading.findings_written")
        connection.commit()
        crash_point("trading.findings_committed")
    for finding in done.findings:
        LOGGER.warning("account %s: finding %s %s: %s", account, finding.finding_id, finding.code, finding.detail)
    return done


def _read(
    connection: Connection,
    venue: AccountBroker,
    wallets: Sequence[Wallet],
    since: datetime,
    faults: dict[str, list[str]],
    done: Reconciled,
    now: datetime,
) -> tuple[VenueAccount, Comparison]:
    """Ask the venue, and book what it has and we lack."""
    venue_account = venue.account(since, at=now)
    comparison = _compare(connection, venue, wallets, venue_account, since, faults, now)
    asked = comparison.matched.orders_to_ask()
    for name, intent_ids in asked.items():
        executed = settle_orders(connection, venue, name, intent_ids, now=now)
        done.executed.setdefault(name, Executed()).fills.extend(executed.fills)
    if asked:
        comparison = _compare(connection, venue, wallets, venue_account, since, faults, now)
    return venue_account, comparison


def _compare(
    connection: Connection,
    venue: AccountBroker,
    wallets: Sequence[Wallet],
    venue_account: VenueAccount,
    since: datetime,
    faults: dict[str, list[str]],
    now: datetime,
) -> Comparison:
    books: AccountBooks = read_books(connection, account_of(wallets[0]), wallets, venue_account, since)
    connection.rollback()
    return Comparison(venue_account, replace(books, ledger_faults=faults), since=since, now=now, grace=venue.grace)


def _compared_since(connection: Connection, account: str, wallets: Sequence[Wallet]) -> datetime:
    row = connection.execute(
        "SELECT reconciled_at FROM trading.reconciliations WHERE account = %s", [account]
    ).fetchone()
    connection.rollback()
    opened_at = min(wallet.opened_at for wallet in wallets)
    return max(opened_at, row[0] - OVERLAP) if row else opened_at


def _halt(connection: Connection, wallets: Sequence[Wallet], findings: Sequence[StoredFinding]) -> None:
    """Halt the wallets whose books are in doubt; those of a finding of the whole account are all that trade it now."""
    for wallet in wallets:
        concerns = [one for one in findings if wallet.name in one.wallets or one.code in ACCOUNT_WIDE]
        if not concerns:
            continue
        named = ", ".join(f"{one.code} {one.symbol or one.reference} ({one.finding_id})" for one in concerns[:3])
        more = f" and {len(concerns) - 3} more" if len(concerns) > 3 else ""
        # One that is halted keeps its first reason, and one that retires goes on with it.
        connection.execute(
            """
            UPDATE trading.wallets SET state = 'halted', state_reason = %s
            WHERE wallet = %s AND state IN ('active', 'reducing')
            """,
            [f"reconciliation: {named}{more}; see `strades reconcile`", wallet.name],
        )


def _set_mark(connection: Connection, done: Reconciled, surplus: dict[str, Decimal], now: datetime) -> None:
    row = {
        "account": done.account,
        "wallets": done.wallets,
        "reconciled_at": now,
        "external_cash": to_json({currency: plain(amount) for currency, amount in surplus.items()}),
        "fills": done.fills,
        "findings": len(done.findings),
    }
    insert(connection, "trading.reconciliations", row, replace=["account"])


def is_due(connection: Connection, wallet: Wallet, *, now: datetime) -> bool:
    """Whether the account of a wallet was not compared for `EVERY`, or never with this wallet."""
    row = connection.execute(
        "SELECT FROM trading.reconciliations WHERE account = %s AND reconciled_at > %s AND %s = ANY(wallets)",
        [account_of(wallet), now - EVERY, wallet.name],
    ).fetchone()
    connection.commit()  # not a rollback: that forgets the prepared statements of the connection
    return row is None


def reconcile_if_due(
    connection: Connection, at_venue: Connection, wallet: Wallet, *, now: datetime, at_start: bool = False
) -> list[str]:
    """Reconcile the account of a wallet where that is due; returns the fills of this wallet that were booked. Commits.

    Args:
        at_venue: for the paper venue alone.
        at_start: whatever was compared before: what happened while nothing ran is looked at first.

    Raises:
        NotReconciledError: the venue of a live wallet does not answer. Others trade on, and are compared later.
    """
    if not (at_start or is_due(connection, wallet, now=now)):
        return []
    try:
        done = reconcile_account(connection, at_venue, account_of(wallet), now=now)
    except BrokerError as error:
        connection.rollback()
        if wallet.mode == "live":
            raise NotReconciledError(
                f"live needs an account that is reconciled, its venue does not answer: {error}"
            ) from error
        LOGGER.warning("wallet %s: not reconciled, its venue does not answer: %s", wallet.name, error)
        return []
    return done.executed.get(wallet.name, Executed()).fills


def execute_reconciled(
    connection: Connection,
    at_venue: Connection,
    name: str,
    *,
    now: datetime,
    at_start: bool = False,
    lookups: LookupSchedule | None = None,
) -> Executed:
    """Reconcile the wallet's account where that is due, then execute what waits in the wallet.

    Args:
        lookups: as for `execute_pending`.

    Raises:
        NotReconciledError: as `reconcile_if_due`; nothing was sent then.
    """
    elapsed = stopwatch()
    wallet = load_wallet(connection, name)
    venue = venue_for(wallet, at_venue)
    booked = reconcile_if_due(connection, at_venue, wallet, now=now, at_start=at_start)
    executed = execute_pending(connection, venue, name, now=now, lookups=lookups, elapsed=elapsed)
    executed.fills[:0] = booked
    return executed
