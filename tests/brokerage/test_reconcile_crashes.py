"""Killed with -9 at every step of reconciling, adopting and ignoring: nothing is lost, and nothing is adopted twice."""

import signal
from datetime import datetime
from decimal import Decimal

import pytest

from sandbox.venue import execution as exchange_steps
from sandbox.venue import order_entry
from sandbox.venue.orders import OrderType, Side, Ticket
from sandbox.venue.venues import KEY
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.findings import StoredFinding, open_findings
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.market.order_terms import OrderRequest, OrderTerms
from tests.brokerage.at_venue import PAIR, SYMBOL
from tests.brokerage.conftest import AAPL, MINUTE, Connection, rows
from tests.brokerage.test_crashes_at_venues import NOW, Account, account, decide, server
from tests.children import run_child

__all__ = ["account", "server"]
LATER = NOW + 10 * MINUTE


def run(url: str, account: Account, word: str, *, finding: str = "-", point: str = "", now: datetime = LATER) -> int:
    """The command in a process of its own; its exit code."""
    words = (url, now.isoformat(), account.wallet, word, finding)
    return run_child("tests.brokerage.reconcile_child", *words, STRADES_CRASH_AT=point, **account.environment)


def symbol_of(account: Account) -> str:
    return SYMBOL if account.listing_id == AAPL else PAIR


def by_hand(account: Account, quantity: int) -> None:
    """A trade that somebody makes in the venue's own app."""
    ticket = Ticket(symbol_of(account), Side.BUY, OrderType.LIMIT, Decimal(quantity), limit_price=Decimal(200))
    order_entry.place(account.exchange, KEY, ticket)
    exchange_steps.advance(account.exchange)


def finding(market: Connection) -> StoredFinding:
    [found] = open_findings(market)
    market.commit()
    return found


@pytest.mark.parametrize(
    "point",
    ["trading.fill_written", "trading.fill_recorded", "trading.findings_written", "trading.findings_committed"],
)
def test_13_a_reconciliation_that_was_killed_is_made_up_by_the_next(
    point: str, market: Connection, account: Account, database_url: str
) -> None:
    decide(market, account, request=OrderRequest(Decimal(3), OrderTerms(limit=Decimal(99))))
    execute_pending(market, account.broker, account.wallet, now=NOW)
    exchange_steps.hold_price(account.exchange, symbol_of(account), Decimal(98), None)  # it is filled now
    by_hand(account, 5)
    assert run(database_url, account, "reconcile", point=point) == -signal.SIGKILL
    for _ in range(2):
        assert run(database_url, account, "reconcile") == 0
    assert rows(market, "SELECT sum(quantity), count(*) FROM trading.fills") == [(3, 1)]
    assert rows(market, "SELECT code, quantity FROM trading.findings") == [("external_fill", 5)]
    assert rows(market, "SELECT state FROM trading.wallets") == [("halted",)]
    assert rows(market, "SELECT reconciled_at FROM trading.reconciliations") == [(LATER,)]
    assert verify_ledger(market, account.wallet) == []


@pytest.mark.parametrize("point", ["trading.adoption_written", "trading.adoption_committed"])
def test_13_an_adoption_that_was_killed_is_done_once(
    point: str, market: Connection, account: Account, database_url: str
) -> None:
    by_hand(account, 5)
    assert run(database_url, account, "reconcile") == 0
    found = finding(market).finding_id
    assert run(database_url, account, "adopt", finding=found, point=point) == -signal.SIGKILL
    # The second one does it where the first has done nothing, and is refused where that was committed.
    assert (run(database_url, account, "adopt", finding=found) == 0) == (point == "trading.adoption_written")
    assert run(database_url, account, "reconcile", now=LATER + MINUTE) == 0
    assert open_findings(market) == []
    market.commit()
    assert rows(market, "SELECT quantity, price FROM trading.fills") == [(5, 100)]
    assert rows(market, "SELECT quantity FROM trading.positions") == [(5,)]
    assert rows(market, "SELECT balance FROM trading.cash") == [
        (account.exchange.accounts[KEY].balances[account.currency],)
    ]
    assert rows(market, "SELECT kind, outcome IS NOT NULL FROM trading.commands") == [("adopt", True)]
    assert verify_ledger(market, account.wallet) == []


@pytest.mark.parametrize("point", ["trading.ignore_written", "trading.ignore_committed"])
def test_13_a_finding_is_ignored_once(point: str, market: Connection, account: Account, database_url: str) -> None:
    by_hand(account, 5)
    assert run(database_url, account, "reconcile") == 0
    found = finding(market).finding_id
    assert run(database_url, account, "ignore", finding=found, point=point) == -signal.SIGKILL
    assert (run(database_url, account, "ignore", finding=found) == 0) == (point == "trading.ignore_written")
    assert run(database_url, account, "reconcile", now=LATER + MINUTE) == 0
    assert rows(market, "SELECT state FROM trading.findings") == [("ignored",)]
    assert rows(market, "SELECT count(*) FROM trading.commands") == [(1,)]
    assert rows(market, "SELECT count(*) FROM trading.fills") == [(0,)]
