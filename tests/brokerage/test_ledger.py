from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from strades_pipelines.brokerage.holdings import load_books
from strades_pipelines.brokerage.ledger import post_fill, read_lines, verify_ledger
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.database.connection import connect
from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.cost_basis import COST_UNIT
from tests.brokerage.conftest import BTC, MINUTE, START, Connection, rows
from tests.strategy.builders import fill_event

GT = 13


def record(
    market: Connection,
    wallet: Wallet,
    number: int,
    side: str,
    quantity: str,
    price: str,
    *,
    strategy: str = "s",
    **changes: Any,
) -> Fill:
    """Record a fill with the intent and decision it needs."""
    at: datetime = START + number * MINUTE
    made = fill_event(side, quantity, price, fee="0.1", known_at=at)
    made = replace(made, listing_id=BTC, content_id=f"F{number}", intent_id=f"I{number}", **changes)
    market.execute(
        "INSERT INTO signals.decisions VALUES (%s, 'paper', %s, %s, %s, 'bar', 'b', 0, 0, 1, 'r', '{}', %s)",
        [f"D{number}", strategy, BTC, at, at],
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
def test_28_whatever_is_changed_is_found(traded: Connection, tampering: str) -> None:
    assert traded.execute(tampering).rowcount > 0
    assert verify_ledger(traded, "paper") != []


@pytest.fixture
def in_three_currencies(market: Connection, wallet: Wallet) -> Connection:
    """Fills whose fees were taken from the wallet's cash, from the coins bought, and from GT, which 2 USDT are for."""
    add_candle(market, GT)
    record(market, wallet, 0, "buy", "1", "100")
    record(market, wallet, 1, "buy", "1", "110", fee_currency="BTC", fee_in_units=True)
    record(market, wallet, 2, "buy", "1", "120", fee_currency="GT")
    record(market, wallet, 3, "sell", "1", "130", fee_currency="NOBODY")
    for table in ("trading.ledger", "trading.fills"):
        market.execute(f"ALTER TABLE {table} DISABLE TRIGGER append_only")
    market.commit()
    return market


def add_candle(market: Connection, listing_id: int, close: float = 2.0) -> None:
    """The pair GT_USDT with one bar, known at START."""
    market.execute(
        "INSERT INTO records.listings VALUES (%s, 'gateio', 'GT_USDT', 'USDT', 0.01, 0.01, 'raw', '24/7')", [listing_id]
    )
    market.execute(
        "INSERT INTO records.bar_series VALUES (%s, '1m', 'gateio', %s, NULL, 60, NULL, 0)", [listing_id, START]
    )
    market.execute(
        "INSERT INTO records.candles VALUES (%s, '1m', %s, %s, %s, %s, %s, %s, 1, 1, 1, %s, 'stated', 1, %s)",
        [listing_id, START - MINUTE, START, close, close, close, close, START, START],
    )


def test_a_fee_is_booked_in_what_it_was_taken_in(in_three_currencies: Connection, wallet: Wallet) -> None:
    # 1000 - 100 - 0.1 - 110 - 120 + 130
    cash = rows(in_three_currencies, "SELECT currency, balance FROM trading.cash ORDER BY currency")
    assert cash == [("GT", Decimal("-0.1")), ("NOBODY", Decimal("-0.1")), ("USDT", Decimal("799.9"))]
    books = load_books(in_three_currencies, wallet)
    assert books.positions[BTC].quantity == Decimal("1.9")
    # 100.1, 110 for 0.9 coins, and 120 with a fee of 0.1 GT at 2; a third of 2.9 is sold.
    assert books.positions[BTC].cost == Decimal("330.3") - (Decimal("330.3") / Decimal("2.9")).quantize(COST_UNIT)
    values = rows(in_three_currencies, "SELECT fee_value FROM trading.fills ORDER BY fill_id")
    assert values == [(None,), (None,), (Decimal("0.2"),), (None,)]
    assert verify_ledger(in_three_currencies, "paper") == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE trading.ledger SET currency = 'GT' WHERE kind = 'unit_fee'",
        "UPDATE trading.ledger SET amount = -0.2, balance = -0.2 WHERE currency = 'GT'",
        "UPDATE trading.ledger SET kind = 'fee' WHERE kind = 'unit_fee'",
        "UPDATE trading.fills SET fee_currency = 'USDT' WHERE fee_currency = 'GT'",
        "UPDATE trading.fills SET fee_in_units = false WHERE fee_in_units",
        "UPDATE trading.cash SET balance = 0 WHERE currency = 'GT'",
        "DELETE FROM trading.cash WHERE currency = 'GT'",
        "INSERT INTO trading.cash VALUES ('paper', 'EUR', 5, now())",
        "UPDATE trading.positions SET cost = cost + 1",
        "UPDATE trading.positions SET realised = realised + 1",
    ],
)
def test_28_what_is_changed_of_currencies_and_costs_is_found(in_three_currencies: Connection, tampering: str) -> None:
    assert in_three_currencies.execute(tampering).rowcount > 0
    assert verify_ledger(in_three_currencies, "paper") != []


def test_a_cost_that_was_not_kept_yet_is_worked_out_from_the_fills(
    in_three_currencies: Connection, wallet: Wallet
) -> None:
    kept = load_books(in_three_currencies, wallet).positions
    in_three_currencies.execute("UPDATE trading.positions SET cost = NULL, realised = NULL")
    assert verify_ledger(in_three_currencies, "paper") == []
    assert load_books(in_three_currencies, wallet).positions == kept
    record(in_three_currencies, wallet, 4, "sell", "1", "100")
    after = load_books(in_three_currencies, wallet).positions[BTC]
    assert after.cost is not None
    assert after.realised == kept[BTC].realised + Decimal("99.9") - (kept[BTC].cost - after.cost)


def test_a_fill_costs_as_much_after_many_as_the_first(market: Connection, wallet: Wallet, database_url: str) -> None:
    def reads(number: int) -> dict[str, int]:
        """The rows of each table and index that were read while a fill was booked."""
        with connect(database_url) as fresh:
            # Of so few rows the planner would rather read all: that there is another way is what is asked.
            for scan in ("seqscan", "bitmapscan", "sort"):
                fresh.execute(f"SET enable_{scan} = off")
            before = _rows_read(fresh)
            record(fresh, wallet, number, "buy", "0.001", "100")
            return {name: count - before[name] for name, count in _rows_read(fresh).items()}

    first = reads(0)
    for number in range(1, 60):
        record(market, wallet, number, "buy", "0.001", "100")
    after = reads(60)
    assert {name: count for name, count in after.items() if count > first[name] + 3} == {}


def _rows_read(connection: Connection) -> dict[str, int]:
    connection.commit()
    connection.execute("SELECT pg_stat_force_next_flush()")
    connection.commit()
    return dict(
        rows(
            connection,
            """
            SELECT c.relname, pg_stat_get_tuples_returned(c.oid)
            FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname = 'trading' AND c.relkind IN ('r', 'i')
            """,
        )
    )


def test_28_the_ledger_refuses_to_be_changed(market: Connection, wallet: Wallet) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        market.execute("UPDATE trading.ledger SET amount = 0")
