"""New lines are verified after each run, and old ones by the verification in full."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from strades_pipelines.brokerage.ledger import read_lines
from strades_pipelines.brokerage.ledger_marks import verify_in_full, verify_new_lines, wallets_to_verify
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.trading_rows import insert, line_row
from strades_pipelines.database.connection import connect
from strades_pipelines.market.ledger_chain import chain
from tests.brokerage.conftest import MINUTE, START, Connection, rows
from tests.brokerage.test_ledger import record, traded
from tests.waiting import MOMENT, wait_until

__all__ = ["traded"]
LATER = START + 60 * MINUTE
MARK = "SELECT sequence FROM trading.ledger_marks"
WAITS_FOR_CASH = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'trading.cash'::regclass"


@pytest.fixture
def marked(traded: Connection, wallet: Wallet) -> Connection:
    """A ledger of seven lines that were verified, and two that came after."""
    assert verify_new_lines(traded, "paper", now=LATER) == []
    record(traded, wallet, 3, "buy", "1", "130")
    return traded


def test_what_was_verified_is_not_read_again(marked: Connection) -> None:
    assert rows(marked, MARK) == [(6,)]
    assert min(line.sequence for line in read_lines(marked, "paper", first=6)) == 6
    marked.commit()
    assert verify_new_lines(marked, "paper", now=LATER) == []
    assert rows(marked, MARK) == [(8,)]
    assert verify_in_full(marked, "paper") == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE trading.ledger SET amount = amount + 1 WHERE sequence = 7",
        "UPDATE trading.ledger SET amount = amount + 1, balance = balance + 1 WHERE sequence = 8",
        "UPDATE trading.ledger SET previous_hash = repeat('0', 64) WHERE sequence = 7",
        "DELETE FROM trading.ledger WHERE sequence = 7",
        "DELETE FROM trading.ledger WHERE sequence = 8",
        "DELETE FROM trading.ledger WHERE sequence >= 6",
        "UPDATE trading.ledger SET hash = repeat('a', 64) WHERE sequence = 6",
        "UPDATE trading.ledger SET amount = amount + 1 WHERE sequence = 6",
        "UPDATE trading.fills SET price = price + 1 WHERE fill_id = 'F3'",
        "UPDATE trading.cash SET balance = balance + 1",
    ],
)
def test_28_tampering_with_new_lines_is_found_and_moves_no_mark(tampering: str, marked: Connection) -> None:
    marked.execute(tampering)
    marked.commit()
    assert verify_new_lines(marked, "paper", now=LATER) != []
    assert verify_in_full(marked, "paper") != []
    assert rows(marked, MARK) == [(6,)]


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE trading.ledger SET amount = amount + 1 WHERE sequence = 1",
        "UPDATE trading.ledger SET occurred_at = occurred_at + interval '1 s' WHERE sequence = 2",
        "DELETE FROM trading.ledger WHERE sequence = 3",
        "UPDATE trading.fills SET price = price + 1 WHERE fill_id = 'F0'",
        "UPDATE trading.positions SET quantity = 7",
    ],
)
def test_28_tampering_with_old_lines_is_found_in_full(tampering: str, marked: Connection) -> None:
    marked.execute(tampering)
    marked.commit()
    assert verify_in_full(marked, "paper") != []


def test_a_chain_that_was_computed_again_after_an_edit_does_not_pass_its_mark(marked: Connection) -> None:
    lines = read_lines(marked, "paper")
    forged = list(chain("paper", [line.entry for line in lines if line.entry.kind != "fee"]))
    marked.execute("DELETE FROM trading.ledger")
    for line in forged:
        insert(marked, "trading.ledger", line_row(line, "paper"))
    marked.execute("UPDATE trading.fills SET fee = 0")
    marked.commit()
    said = "line 6: expected it as it was verified at 2024-01-02 01:00"
    assert any(said in fault for fault in verify_in_full(marked, "paper"))
    assert any(said in fault for fault in verify_new_lines(marked, "paper", now=LATER))


def test_a_wallet_that_trades_is_looked_at_each_time_and_a_replay_once(traded: psycopg.Connection) -> None:
    traded.execute("UPDATE trading.wallets SET mode = 'replay'")
    assert wallets_to_verify(traded) == ["paper"]
    traded.commit()
    verify_new_lines(traded, "paper", now=LATER)
    assert wallets_to_verify(traded) == []
    traded.execute("UPDATE trading.wallets SET mode = 'paper'")
    assert wallets_to_verify(traded) == ["paper"]


def test_a_fill_that_is_booked_meanwhile_is_neither_a_fault_nor_marked(
    marked: Connection, wallet: Wallet, database_url: str
) -> None:
    """The verification has read the lines, and waits for the cash of the wallet, when a fill is booked."""
    marked.execute("DELETE FROM trading.ledger_marks")
    marked.commit()
    with ThreadPoolExecutor(1) as pool, connect(database_url) as other:
        other.execute("LOCK TABLE trading.cash IN ACCESS EXCLUSIVE MODE")
        verified = pool.submit(verify_new_lines, marked, "paper", now=LATER)
        wait_until(lambda: other.execute(WAITS_FOR_CASH).fetchone())
        record(other, wallet, 4, "sell", "1", "130")
        assert verified.result(MOMENT) == []
    assert rows(marked, MARK) == [(8,)]
    assert verify_new_lines(marked, "paper", now=LATER) == []
    assert rows(marked, MARK) == [(10,)]
