"""Money comes in, goes out and changes wallets: once, in both ledgers, and everyone who sizes orders sees it."""

import signal
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.holdings import load_books
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.ledger_marks import verify_in_full, verify_new_lines
from strades_pipelines.brokerage.live import decide, measure
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.transfers import Transfer, TransferRefused, transfer
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.settings import PROJECT
from tests.brokerage import transfer_child
from tests.brokerage.conftest import MINUTE, PAPER, START, AddCandles, Connection, rows
from tests.brokerage.test_ledger import record
from tests.children import run_child

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

NOW = START + 30 * MINUTE
LINES = "SELECT kind, currency, amount, balance FROM trading.ledger WHERE wallet = 'paper' ORDER BY sequence"


def move(connection: Connection, amount: str, **changes: object) -> bool:
    moved = replace(Transfer("paper", Decimal(amount), "USDT", NOW), **changes)  # type: ignore[arg-type]
    request = Request("transfer", Scope("wallet", moved.wallet), "ann", NOW, "because")
    return transfer(connection, moved, request)


@pytest.fixture
def other(market: Connection) -> Wallet:
    return open_wallet(market, replace(PAPER, name="other", cash=Decimal(50)), now=START)


def test_a_deposit_and_a_withdrawal_are_lines_of_the_chain(market: Connection, wallet: Wallet) -> None:
    assert move(market, "500")
    assert move(market, "-200.5")
    assert rows(market, LINES) == [
        ("deposit", "USDT", 1000, 1000),
        ("deposit", "USDT", 500, 1500),
        ("withdrawal", "USDT", Decimal("-200.5"), Decimal("1299.5")),
    ]
    assert load_books(market, wallet).free_cash() == Decimal("1299.5")
    assert verify_ledger(market, "paper") == []
    kept = rows(market, "SELECT kind, reason, requested_by, outcome LIKE '%% booked' FROM trading.commands")
    assert kept == [("transfer", "because", "ann", True)] * 2


def test_another_currency_is_cash_of_its_own_and_buys_nothing(market: Connection, wallet: Wallet) -> None:
    move(market, "70", currency="EUR")
    books = load_books(market, wallet)
    assert (books.free_cash(), books.foreign) == (Decimal(1000), {"EUR": Decimal(70)})
    assert verify_ledger(market, "paper") == []


def test_between_two_wallets_it_is_in_both_ledgers(market: Connection, wallet: Wallet, other: Wallet) -> None:
    assert move(market, "300", to="other")
    assert rows(market, "SELECT wallet, balance FROM trading.cash ORDER BY wallet") == [("other", 350), ("paper", 700)]
    found = rows(market, "SELECT wallet, amount, counterpart FROM trading.movements ORDER BY wallet")
    assert found == [("other", 300, "paper"), ("paper", -300, "other")]
    assert rows(market, "SELECT count(DISTINCT movement_id) FROM trading.movements") == [(1,)]
    assert verify_ledger(market, "paper") == verify_ledger(market, "other") == []


def test_the_same_transfer_is_booked_once(market: Connection, wallet: Wallet) -> None:
    assert [move(market, "500"), move(market, "500")] == [True, False]
    assert [move(market, "5", key="a"), move(market, "5", key="b"), move(market, "5", key="a")] == [True, True, False]
    assert load_books(market, wallet).cash == 1510
    with pytest.raises(TransferRefused, match=r"expected the movement that was booked, a deposit of 5 USDT"):
        move(market, "6", key="a")
    assert load_books(market, wallet).cash == 1510


@pytest.mark.parametrize(
    ("amount", "changes", "message"),
    [
        ("0", {}, "amount: expected a finite number other than 0, was 0"),
        ("NaN", {}, "amount: expected a finite number"),
        ("1e15", {}, "amount: expected less than 10^15"),
        ("0.0000000000000000001", {}, "amount: expected less than 10^15 with at most 18 decimals"),
        ("-1000.01", {}, "amount: expected at most 1000 USDT, what wallet paper has free of open orders, was 1000.01"),
        ("-1", {"currency": "EUR"}, "amount: expected at most 0 EUR"),
        ("1001", {"to": "other"}, "amount: expected at most 1000 USDT, what wallet paper has free"),
        ("-5", {"to": "other"}, "to: expected a positive amount to another wallet, was -5 to other"),
        ("5", {"to": "paper"}, "to: expected a positive amount to another wallet, was 5 to paper"),
        ("5", {"currency": "usd"}, "currency: expected 2 to 12 capital letters or digits, was 'usd'"),
        ("5", {"at": NOW + MINUTE}, "at: expected a time up to now"),
        ("5", {"at": START - MINUTE}, "at: expected 2024-01-02 00:00 or later, when wallet paper was opened"),
    ],
)
def test_what_cannot_be_moved_is_refused_and_kept_as_refused(
    market: Connection, wallet: Wallet, other: Wallet, amount: str, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(TransferRefused) as refused:
        move(market, amount, **changes)
    assert str(refused.value).startswith(message)
    assert rows(market, "SELECT outcome FROM trading.commands") == [(f"refused: {refused.value}",)]
    assert rows(market, "SELECT count(*) FROM trading.movements") == [(0,)]
    assert rows(market, LINES) == [("deposit", "USDT", 1000, 1000)]


def test_a_replay_and_a_wallet_that_is_not_there_are_refused(market: Connection, wallet: Wallet) -> None:
    with pytest.raises(LookupError, match="'nobody'"):
        move(market, "1", to="nobody")
    market.execute("UPDATE trading.wallets SET mode = 'replay'")
    market.commit()
    with pytest.raises(TransferRefused, match="was a replay, which is over"):
        move(market, "1")


def test_what_is_on_paper_does_not_become_money(market: Connection, wallet: Wallet, other: Wallet) -> None:
    market.execute("UPDATE trading.wallets SET mode = 'live', broker = 'alpaca' WHERE wallet = 'other'")
    market.commit()
    for origin, to in (("paper", "other"), ("other", "paper")):
        with pytest.raises(TransferRefused, match=r"expected two wallets of one mode, was wallet other \(live\)"):
            move(market, "10", wallet=origin, to=to)
    assert rows(market, "SELECT count(*) FROM trading.movements") == [(0,)]


def test_all_cash_can_leave_but_what_open_orders_may_need(
    market: Connection, wallet: Wallet, add_candles: AddCandles, adbc: "AdbcConnection", database_url: str
) -> None:
    add_candles([100.0, 101.0])
    with connect(database_url) as theirs:
        decide(market, adbc, "paper", now=START + 2 * MINUTE)
        execute_pending(market, PaperBroker(theirs, wallet), "paper", now=START + 2 * MINUTE)
    # 2 units at 101 and a fee of 0.1 %.
    free = Decimal(1000) - Decimal("202.202")
    with pytest.raises(TransferRefused, match=r"at most 797\.798 USDT"):
        move(market, str(-free - Decimal("0.001")))
    assert move(market, str(-free))


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE trading.ledger SET amount = amount + 1, balance = balance + 1 WHERE sequence = 1",
        "UPDATE trading.movements SET amount = amount + 1",
        "UPDATE trading.movements SET currency = 'EUR'",
        "UPDATE trading.movements SET kind = 'dividend'",
        "DELETE FROM trading.movements",
        "DELETE FROM trading.ledger WHERE sequence = 1",
        "UPDATE trading.wallets SET opening_cash = 2000",
    ],
)
def test_an_edited_transfer_is_found(market: Connection, wallet: Wallet, tampering: str) -> None:
    move(market, "500")
    assert verify_new_lines(market, "paper", now=NOW) == []
    for table in ("ledger", "movements"):
        market.execute(f"ALTER TABLE trading.{table} DISABLE TRIGGER append_only")
    assert market.execute(tampering).rowcount > 0
    market.commit()
    assert verify_in_full(market, "paper") != []


def test_28_an_edit_of_a_new_transfer_is_found_at_the_cost_of_what_is_new(market: Connection, wallet: Wallet) -> None:
    assert verify_new_lines(market, "paper", now=NOW) == []
    move(market, "500", currency="EUR")
    move(market, "-20", currency="EUR", key="x")
    market.execute("ALTER TABLE trading.movements DISABLE TRIGGER append_only")
    market.execute("UPDATE trading.movements SET amount = 501 WHERE amount = 500")
    market.commit()
    [fault] = verify_new_lines(market, "paper", now=NOW)
    assert fault.endswith("expected a line over 501 EUR, was 500 EUR")


def test_the_tables_refuse_to_be_changed(market: Connection, wallet: Wallet) -> None:
    move(market, "500")
    for change in ("UPDATE trading.movements SET amount = 1", "DELETE FROM trading.movements"):
        with pytest.raises(Exception, match="append-only"):
            market.execute(change)
        market.rollback()


def test_the_strategy_and_the_curve_have_the_money_from_when_it_was_recorded(
    market: Connection, wallet: Wallet, add_candles: AddCandles, adbc: "AdbcConnection"
) -> None:
    add_candles([100.0, 100.0, 100.0, 100.0])
    record(market, wallet, 2, "buy", "2", "100")
    moved = Transfer("paper", Decimal(500), "USDT", START + MINUTE)
    transfer(market, moved, Request("transfer", Scope("wallet", "paper"), "ann", START + 2.5 * MINUTE))
    measure(market, adbc, "paper", now=START + 4 * MINUTE)
    found = rows(market, "SELECT cash, equity FROM results.equity ORDER BY time")
    # From the fill on 200 and a fee of 0.1 are gone; the 500 are there at the first bar after they were recorded.
    assert found == [(1000, 1000), (799.9, 999.9), (1299.9, 1499.9), (1299.9, 1499.9)]
    [(statistics,)] = rows(market, "SELECT statistics FROM results.performance")
    assert statistics["final_equity"] == 1499.9
    assert statistics["total_return"] == pytest.approx(-0.0001)


def test_what_was_deposited_can_be_traded_with_at_the_paper_venue(
    market: Connection, wallet: Wallet, add_candles: AddCandles, adbc: "AdbcConnection", database_url: str
) -> None:
    """2 units at 600 cost more than the 1,000 that the wallet was opened with."""
    add_candles([600.0, 601.0, 602.0])
    move(market, "500", at=START)
    with connect(database_url) as theirs:
        for minutes in (2, 3):
            now = START + minutes * MINUTE
            decide(market, adbc, "paper", now=now)
            execute_pending(market, PaperBroker(theirs, wallet), "paper", now=now)
    assert rows(market, "SELECT quantity, price FROM trading.fills") == [(2, 601)]
    [(ours, theirs_cash)] = rows(
        market, "SELECT c.balance, a.cash FROM trading.cash AS c INNER JOIN trading.paper_venue_accounts AS a ON true"
    )
    assert ours == theirs_cash == Decimal(1500) - 1202 - Decimal("1.202")


@pytest.mark.parametrize("point", ["trading.transfer_written", "trading.transfer_committed"])
def test_a_transfer_that_was_killed_is_in_both_wallets_or_in_none_and_done_once_again(
    point: str, market: Connection, wallet: Wallet, other: Wallet, database_url: str
) -> None:
    words = (database_url, NOW.isoformat(), "paper", "other", "300")
    assert run_child("tests.brokerage.transfer_child", *words, STRADES_CRASH_AT=point) == -signal.SIGKILL
    moved = point == "trading.transfer_committed"
    assert rows(market, "SELECT count(*) FROM trading.movements") == [(2 if moved else 0,)]
    assert transfer_child.main(database_url, NOW, "paper", "other", "300") is not moved
    assert rows(market, "SELECT wallet, balance FROM trading.cash ORDER BY wallet") == [("other", 350), ("paper", 700)]
    assert verify_ledger(market, "paper") == verify_ledger(market, "other") == []


def test_transfers_in_opposite_directions_at_once_both_end(
    market: Connection, wallet: Wallet, other: Wallet, database_url: str
) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.brokerage.transfer_child", database_url, NOW.isoformat(), *words],
            cwd=PROJECT,
        )
        for words in (("paper", "other", "10"), ("other", "paper", "20"))
    ]
    assert [child.wait(timeout=90) for child in children] == [0, 0]
    assert rows(market, "SELECT wallet, balance FROM trading.cash ORDER BY wallet") == [("other", 40), ("paper", 1010)]
