"""A person's own trades from a file: each once whatever files say it, by a person, and in the books like any other."""

import hashlib
import signal
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.holdings import load_books
from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.statement_formats import StatementError
from strades_pipelines.brokerage.statements import Imported, import_statement
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.event_log import record_new_events, write_platforms
from strades_pipelines.lineage.order_lineage import follow_statement
from strades_pipelines.lineage.trace import trace_one
from strades_pipelines.market.bars_and_fills import stamp
from tests.brokerage import statement_child
from tests.brokerage.conftest import BTC, MINUTE, START, AddCandles, Connection, rows
from tests.brokerage.test_ledger import record
from tests.children import run_child

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

NOW = START + 60 * MINUTE
HEADER = "time,kind,instrument,side,quantity,price,fee,fee_currency,amount,currency,id"
FILLS = "SELECT side, quantity, price, fee, filled_at, known_at FROM trading.fills ORDER BY filled_at, fill_id"


def at(minutes: float) -> str:
    return stamp(START + minutes * MINUTE)


def trade(minutes: float, side: str, quantity: str, price: str, fee: str = "0", code: str = "", name: str = "") -> str:
    return f"{at(minutes)},,BTC_USDT,{side},{quantity},{price},{fee},{code},,,{name}"


def cash(minutes: float, kind: str, amount: str, currency: str = "", name: str = "") -> str:
    return f"{at(minutes)},{kind},,,,,,,{amount},{currency},{name}"


def load(connection: Connection, *lines: str, now: datetime = NOW, name: str = "mine.csv") -> Imported:
    body = "\n".join((HEADER, *lines, "")).encode()
    request = Request("statement", Scope("wallet", "paper"), "ann", now, "my own")
    return import_statement(connection, body, file_name=name, format_name="generic", request=request)


def test_trades_and_cash_are_in_the_books_when_they_were_and_known_from_now_on(
    market: Connection, wallet: Wallet
) -> None:
    done = load(
        market,
        trade(5, "sell", "1", "120", "0.1"),
        trade(1, "buy", "2", "100", "0.2"),
        cash(3, "dividend", "7"),
        cash(4, "charge", "-1.5"),
        cash(4, "deposit", "50", "EUR"),
    )
    assert (done.rows, done.trades, done.movements, done.known) == (5, 2, 3, 0)
    assert rows(market, FILLS) == [
        ("buy", 2, 100, Decimal("0.2"), START + MINUTE, NOW),
        ("sell", 1, 120, Decimal("0.1"), START + 5 * MINUTE, NOW),
    ]
    books = load_books(market, wallet)
    # 1000 - 200.2 + 119.9 + 7 - 1.5
    assert (books.cash, books.foreign) == (Decimal("925.2"), {"EUR": Decimal(50)})
    assert (books.held(BTC), books.positions[BTC].realised) == (Decimal(1), Decimal("19.8"))
    assert verify_ledger(market, "paper") == []
    kinds = rows(market, "SELECT kind FROM trading.ledger WHERE sequence > 0 ORDER BY sequence")
    assert [kind for (kind,) in kinds] == ["dividend", "charge", "deposit", "fill", "fee", "fill", "fee"]


def test_they_are_a_persons_and_name_their_file_and_row(market: Connection, wallet: Wallet, database_url: str) -> None:
    done = load(market, trade(1, "buy", "2", "100"))
    [(strategy, kind, reason, inputs)] = rows(
        market, "SELECT strategy, trigger_kind, reason, inputs FROM signals.decisions"
    )
    assert (strategy, kind, reason) == ("person", "person", "my own")
    assert (inputs["statement"], inputs["row"], inputs["requested_by"]) == (done.sha256, 2, "ann")
    assert rows(market, "SELECT broker, state, filled FROM trading.orders") == [("statement", "filled", 2)]
    assert rows(market, "SELECT count(*) FROM signals.decisions WHERE is_pending") == [(0,)]
    [(fill_id,)] = rows(market, "SELECT fill_id FROM trading.fills")
    traced = trace_one(fill_id, database_url)
    assert traced["faults"] == []
    assert traced["statement"]["row"] == 2
    assert traced["statement"]["line"] == trade(1, "buy", "2", "100")


def test_they_are_events_of_their_own_platform(market: Connection, wallet: Wallet) -> None:
    load(market, trade(1, "buy", "2", "100"))
    write_platforms(market, ())
    record_new_events(market)
    found = rows(market, "SELECT platform_id, user_id FROM ops.events WHERE event_type_id = 'order_filled'")
    assert found == [("statement", "paper")]


def test_a_statement_whose_bytes_were_changed_is_a_fault_of_its_trades(market: Connection, wallet: Wallet) -> None:
    done = load(market, trade(1, "buy", "2", "100"))
    market.execute("UPDATE rawsources.bodies SET size = size + 1 WHERE sha256 = %s", [bytes.fromhex(done.sha256)])
    found = follow_statement(market, {"statement": done.sha256, "row": 2})
    assert found["faults"][0].startswith(f"stored body {done.sha256}: expected a zstd frame of")


def test_the_bytes_are_kept_as_they_were(market: Connection, wallet: Wallet) -> None:
    line = trade(1, "buy", "2", "100")
    load(market, line)
    body = f"{HEADER}\n{line}\n".encode()
    kept = rows(
        market,
        "SELECT sha256, size, file_name, format, rows, booked FROM trading.statements JOIN "
        "rawsources.bodies USING (sha256)",
    )
    assert kept == [(hashlib.sha256(body).digest(), len(body), "mine.csv", "generic", 1, 1)]


def test_the_same_file_and_files_that_overlap_book_each_trade_once(market: Connection, wallet: Wallet) -> None:
    first = [trade(1, "buy", "1", "100", name="T1"), trade(1, "buy", "1", "100"), trade(1, "buy", "1", "100")]
    assert load(market, *first).trades == 3
    again = load(market, *first)
    assert (again.trades, again.known) == (0, 3)
    # The next month's file begins with the last trades of the one before; one equal row more is another trade.
    second = [*first, trade(1, "buy", "1", "100"), trade(2, "buy", "1", "100", name="T2"), cash(2, "dividend", "1")]
    done = load(market, *second, now=NOW + MINUTE)
    assert (done.trades, done.movements, done.known) == (2, 1, 3)
    assert load(market, *reversed(second)).known == 6
    assert load_books(market, wallet).held(BTC) == 5


def test_equal_numbers_written_otherwise_are_the_same_trade(market: Connection, wallet: Wallet) -> None:
    load(market, trade(1, "buy", "1", "100"))
    written = "2024-01-02T01:01:00.000+01:00,,gateio:BTC_USDT,buy,1.0,1e2,0.00,,,,"
    assert load(market, written).trades == 0


def test_a_trade_that_an_order_of_ours_made_is_not_booked_again(market: Connection, wallet: Wallet) -> None:
    """A broker's statement has the algorithm's trades too, under the ids that it reported them by."""
    record(market, wallet, 1, "buy", "2", "100", venue_fill_id="A-7")
    done = load(market, trade(1, "buy", "2", "100", name="A-7"), trade(2, "buy", "1", "100", name="A-8"))
    assert (done.trades, done.known) == (1, 1)
    assert load_books(market, wallet).held(BTC) == 3


def test_fees_in_the_coin_bought_and_in_a_third_currency(market: Connection, wallet: Wallet) -> None:
    load(market, trade(1, "buy", "1", "100", "0.001", "BTC"), trade(2, "buy", "1", "100", "0.5", "GT"))
    books = load_books(market, wallet)
    assert (books.held(BTC), books.cash, books.foreign) == (Decimal("1.999"), Decimal(800), {"GT": Decimal("-0.5")})
    assert verify_ledger(market, "paper") == []


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ([trade(1, "sell", "1", "100")], "gateio:BTC_USDT: it would leave -1; is an earlier statement missing?"),
        ([trade(1, "buy", "11", "100")], "cash: it would leave -100 USDT; record what was paid in first"),
        ([trade(-1, "buy", "1", "100")], "row 2: time: expected 2024-01-02T00:00:00Z, when wallet paper was opened"),
        ([trade(61, "buy", "1", "100")], "row 2: time: expected 2024-01-02T00:00:00Z, when wallet paper was opened"),
        ([trade(1, "buy", "1", "100").replace("BTC", "XYZ")], "row 2: instrument: expected one that wallet paper"),
        (
            [trade(1, "buy", "1", "100", name="T1"), trade(1, "buy", "1", "101", name="T1")],
            "row 3: id: expected the trade that is booked under it, buy 1 at 100, was buy 1 at 101",
        ),
        ([cash(1, "dividend", "1", name="D"), cash(1, "dividend", "2", name="D")], "wallet paper: "),
        (["x,,BTC_USDT,buy,1,1,,,,,"], "row 2: time: expected ISO 8601"),
    ],
)
def test_a_statement_that_cannot_be_is_refused_whole(
    market: Connection, wallet: Wallet, lines: list[str], fault: str
) -> None:
    with pytest.raises(StatementError) as refused:
        load(market, *lines)
    assert refused.value.faults[0].startswith(fault)
    for table in ("trading.fills", "signals.decisions", "trading.statements", "trading.movements"):
        assert rows(market, f"SELECT count(*) FROM {table}") == [(0,)]
    assert rows(market, "SELECT outcome FROM trading.commands") == [(f"refused: {refused.value.faults[0]}",)]


def test_an_id_that_is_booked_as_another_trade_refuses_the_file(market: Connection, wallet: Wallet) -> None:
    load(market, trade(1, "buy", "1", "100", name="T1"))
    with pytest.raises(StatementError, match="expected the trade that is booked under it, buy 1 at 100, was sell 1"):
        load(market, trade(2, "buy", "1", "100", name="T2"), trade(3, "sell", "1", "100", name="T1"))
    assert load_books(market, wallet).held(BTC) == 1


def test_the_strategy_trades_from_the_position_and_sells_it_at_the_paper_venue(
    market: Connection, wallet: Wallet, add_candles: AddCandles, adbc: "AdbcConnection", database_url: str
) -> None:
    """What was bought elsewhere is on the paper account too; a strategy that wants nothing sells all of it."""
    load(market, trade(1, "buy", "1", "100"), now=START + MINUTE)
    # Up, so that it wants 2 and buys 1; then down, so that it sells both.
    add_candles([100.0, 101.0, 102.0, 99.0, 98.0, 97.0])
    with connect(database_url) as theirs:
        for minutes in range(2, 7):
            now = START + minutes * MINUTE
            decide(market, adbc, "paper", now=now)
            execute_pending(market, PaperBroker(theirs, wallet), "paper", now=now)
    filled = rows(market, "SELECT side, quantity FROM trading.fills ORDER BY filled_at")
    assert filled == [("buy", 1), ("buy", 1), ("sell", 2)]
    [(quantity, position)] = rows(
        market,
        "SELECT v.quantity, p.quantity FROM trading.paper_venue_positions AS v "
        "INNER JOIN trading.positions AS p USING (listing_id)",
    )
    assert quantity == position == 0
    assert verify_ledger(market, "paper") == []


@pytest.mark.parametrize("point", ["trading.statement_written", "trading.statement_committed"])
def test_an_import_that_was_killed_is_whole_or_not_there_and_done_again(
    point: str, market: Connection, wallet: Wallet, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("\n".join((HEADER, trade(1, "buy", "1", "100"), cash(2, "dividend", "3"), "")))
    words = (database_url, NOW.isoformat(), str(file))
    assert run_child("tests.brokerage.statement_child", *words, STRADES_CRASH_AT=point) == -signal.SIGKILL
    was_booked = point == "trading.statement_committed"
    assert rows(market, "SELECT count(*) FROM trading.fills") == [(int(was_booked),)]
    again = statement_child.main(database_url, NOW, file)
    assert (again.trades, again.movements) == ((0, 0) if was_booked else (1, 1))
    assert load_books(market, wallet).cash == 903
    assert verify_ledger(market, "paper") == []
