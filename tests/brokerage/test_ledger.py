from dataclasses import replace
from datetime import datetime

import psycopg
import pytest

from strades_pipelines.brokerage.ledger import post_fill, read_lines, verify_ledger
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.market.events import Fill
from tests.brokerage.conftest import BTC, MINUTE, START, Connection, rows
from tests.strategy.builders import fill_event


def record(market: Connection, wallet: Wallet, number: int, side: str, quantity: str, price: str) -> Fill:
    """Record a fill with the intent and decision it needs."""
    at: datetime = START + number * MINUTE
    made = fill_event(side, quantity, price, fee="0.1", known_at=at)
    made = replace(made, listing_id=BTC, content_id=f"F{number}", intent_id=f"I{number}")
    market.execute(
        "INSERT INTO signals.decisions VALUES (%s, 'paper', 's', %s, %s, 'bar', 'b', 0, 0, 1, 'r', '{}', %s)",
        [f"D{number}", BTC, at, at],
    )
    market.execute(
        "INSERT INTO trading.intents VALUES (%s, %s, 'paper', %s, 0, %s, %s, 'market', %s, %s, 'paper')",
        [made.intent_id, f"D{number}", BTC, side, made.quantity, at, at],
    )
    assert post_fill(market, wallet, made, now=at)
    market.commit()
    return made


@pytest.fixture
def traded(market: Connection, wallet: Wallet) -> Connection:
    """A wallet with three fills, whose ledger the test may then change: the guard against that is off."""
    for number, (side, price) in enumerate([("buy", "100"), ("buy", "110"), ("sell", "120")]):
        record(market, wallet, number, side, "1", price)
    for table in ("trading.ledger", "trading.fills"):
        market.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
    market.commit()
    return market


def test_an_untouched_ledger_is_whole(traded: Connection) -> None:
    assert verify_ledger(traded, "paper") == []
    assert [line.entry.kind for line in read_lines(traded, "paper")] == ["deposit", *["fill", "fee"] * 3]
    assert rows(traded, "SELECT balance FROM trading.cash")[0][0] == read_lines(traded, "paper")[-1].balance


def test_a_fill_is_recorded_once(traded: Connection, wallet: Wallet) -> None:
    again = replace(fill_event("buy", "1", "100"), listing_id=BTC, content_id="F0", intent_id="I0")
    assert not post_fill(traded, wallet, again, now=START)
    traded.commit()
    assert verify_ledger(traded, "paper") == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE trading.ledger SET amount = amount + 1 WHERE sequence = 1",
        "UPDATE trading.ledger SET amount = amount + 1, balance = balance + 1 WHERE sequence = 6",
        "UPDATE trading.ledger SET balance = balance + 1 WHERE sequence = 3",
        "UPDATE trading.ledger SET occurred_at = occurred_at + interval '1 microsecond' WHERE sequence = 2",
        "UPDATE trading.ledger SET reference = 'F9' WHERE sequence = 4",
        "UPDATE trading.ledger SET currency = 'EUR' WHERE sequence = 4",
        "UPDATE trading.ledger SET hash = upper(hash) WHERE sequence = 5",
        "DELETE FROM trading.ledger WHERE sequence = 0",
        "DELETE FROM trading.ledger WHERE sequence = 3",
        "DELETE FROM trading.ledger WHERE sequence = 6",
        "DELETE FROM trading.ledger WHERE sequence > 4",
        "INSERT INTO trading.ledger SELECT wallet, 7, kind, 'F9', occurred_at, currency, amount, balance, hash, hash "
        "FROM trading.ledger WHERE sequence = 6",
        "UPDATE trading.fills SET price = price + 1 WHERE fill_id = 'F1'",
        "UPDATE trading.fills SET quantity = quantity + 1, price = price / 2 WHERE fill_id = 'F1'",
        "DELETE FROM trading.fills WHERE fill_id = 'F2'",
        "UPDATE trading.cash SET balance = balance + 0.00000001",
        "UPDATE trading.positions SET quantity = quantity + 0.00001",
        "DELETE FROM trading.positions",
    ],
)
def test_whatever_is_changed_is_found(traded: Connection, tampering: str) -> None:
    assert traded.execute(tampering).rowcount > 0
    assert verify_ledger(traded, "paper") != []


def test_the_ledger_refuses_to_be_changed(market: Connection, wallet: Wallet) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        market.execute("UPDATE trading.ledger SET amount = 0")
