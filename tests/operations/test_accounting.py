"""The commands that keep a wallet's accounts, as a person and a program call them."""

from pathlib import Path

import pytest

from strades_pipelines.brokerage.ledger import verify_ledger
from strades_pipelines.database.connection import connect
from tests.operations.test_trading import BTC, World, mine, wallet
from tests.research.bars import Run

__all__ = ["mine"]
HEADER = "time,kind,instrument,side,quantity,price,fee,fee_currency,amount,currency,id\n"


def test_a_transfer_is_told_and_booked_once(strades: Run, mine: World) -> None:
    words = (
        "transfer",
        "--wallet",
        "mine",
        "--amount",
        "500",
        "--currency",
        "USD",
        "--id",
        "march",
        "--reason",
        "more",
    )
    first, again = strades(*words, "--json"), strades(*words, "--at", "2024-01-02T00:01:00", "--json")
    assert (first.code, first.document["is_new"]) == (0, True)
    assert first.document["wallets"] == [{"wallet": "mine", "cash": {"USD": "10500"}}]
    # The same id with another time is no repetition: it says something else.
    assert again.code == 1
    assert "expected the movement that was booked, a deposit of 500 USD" in again.err
    assert wallet(strades)["cash"] == "10500"
    out = strades("transfer", "--wallet", "mine", "--amount", "-600.5", "--currency", "USD", "--json")
    assert out.document["wallets"] == [{"wallet": "mine", "cash": {"USD": "9899.5"}}]
    kept = mine.rows("SELECT kind, reason FROM trading.commands ORDER BY command_id LIMIT 1")
    assert kept == [("transfer", "more")]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--amount", "x", "--currency", "USD"), 2, "--amount: expected a number, found 'x'"),
        (("--amount", "5", "--currency", "USD", "--at", "noon"), 2, "--at: expected a time in ISO 8601, found 'noon'"),
        (("--amount", "5", "--currency", "USD", "--to", "nobody"), 2, "wallet: expected one that was opened"),
        (("--amount", "-20000", "--currency", "USD"), 1, "transfer refused: amount: expected at most 10000 USD"),
        (("--amount", "5", "--currency", "'; --"), 1, "transfer refused: currency: expected 2 to 12 capital letters"),
    ],
)
def test_a_bad_transfer_is_one_line(words: tuple[str, ...], code: int, message: str, strades: Run, mine: World) -> None:
    done = strades("transfer", "--wallet", "mine", *words)
    assert done.code == code
    assert message in done.err
    assert mine.rows("SELECT count(*) FROM trading.movements") == [(0,)]


def test_a_statement_is_booked_and_its_profit_shown_by_both_cost_bases(
    strades: Run, mine: World, tmp_path: Path
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(
        HEADER
        + f"2024-01-02T00:00:10Z,,{BTC},buy,1,90,0,,,,\n"
        + f"2024-01-02T00:00:20Z,,{BTC},buy,1,98,0,,,,\n"
        + f"2024-01-02T00:00:30Z,,{BTC},sell,1,99,0.5,,,,\n"
        + "2024-01-02T00:00:40Z,dividend,,,,,,,7,USD,\n"
    )
    done = strades("statement", str(file), "--wallet", "mine", "--json")
    assert (done.code, done.document["trades"], done.document["movements"]) == (0, 3, 1)
    assert strades("statement", str(file), "--wallet", "mine", "--json").document["known"] == 4
    average = wallet(strades)
    # 98.5 - 94 and 100 - 94; first in first out 98.5 - 90 and 100 - 98.
    assert (average["realised"], average["unrealised"]) == ("4.5", "6")
    [fifo] = strades("wallets", "--cost", "fifo", "--json").document["wallets"]
    assert (fifo["realised"], fifo["unrealised"]) == ("8.5", "2")
    assert fifo["positions"][0]["cost"] == "98"
    assert (average["cash"], average["equity"]) == ("9917.5", "10017.5")
    assert "4.50" in strades("wallets").out
    assert strades("wallets", "--cost", "lifo").code == 2
    context = strades("context", "--json").document
    assert (context["positions"][0]["realised"], context["positions"][0]["unrealised"]) == ("4.5", "6")
    with connect(mine.url) as connection:
        assert verify_ledger(connection, "mine") == []


def test_every_fault_of_a_statement_is_a_line_with_its_row(strades: Run, mine: World, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(HEADER + f"2024-01-02T00:00:10Z,,{BTC},hold,1,90,0,,,,\n" * 2)
    done = strades("statement", str(file), "--wallet", "mine")
    assert done.code == 2
    assert [line.partition("bad.csv: ")[2] for line in done.err.splitlines()] == [
        f"row {row}: side: expected buy or sell, was 'hold'" for row in (2, 3)
    ]
    assert strades("statement", str(file), "--wallet", "nobody").code == 2
    assert strades("statement", str(tmp_path), "--wallet", "mine").code == 2
    assert strades("statement", str(file), "--wallet", "mine", "--format", "xls").code == 2
    assert mine.rows("SELECT count(*) FROM trading.fills") == [(0,)]


def test_history_tells_sessions_owners_and_returns(strades: Run, mine: World, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(HEADER + f"2024-01-02T00:00:10Z,,{BTC},buy,10,90,1,,,,\n")
    strades("statement", str(file), "--wallet", "mine")
    done = strades("history", "mine", "--json").document
    [session] = done["sessions"]
    assert (session["flows"], session["unrealised"], session["closing"]) == ("10000", "99", "10099")
    assert done["time_weighted"] == pytest.approx(0.0099)
    [owner] = done["owners"]
    assert (owner["strategy"], owner["source"], owner["pnl"]) == ("person", "statement", "99")
    assert strades("history", "mine", "--from", "2024-01-03", "--json").document["sessions"] == []
    assert "+0.99%" in strades("history", "mine").out
    assert strades("history", "mine", "--from", "tomorrow").code == 2
    assert strades("history", "nobody").code == 2


def test_what_has_no_rate_is_named_wherever_equity_is_shown(strades: Run, mine: World) -> None:
    strades("transfer", "--wallet", "mine", "--amount", "3", "--currency", "GT")
    shown = wallet(strades)
    assert (shown["equity"], shown["foreign_cash"], shown["unvalued"]) == ("10000", {"GT": "3"}, ["GT"])
    assert "GT" in strades("wallets").out
    assert "without GT: no rate is known" in strades("history", "mine").err


def test_a_trade_of_a_statement_is_corrected_by_its_reversal_and_the_right_one(
    strades: Run, mine: World, tmp_path: Path
) -> None:
    file = tmp_path / "trades.csv"
    file.write_text(HEADER + "2024-01-02T00:00:30Z,,BTC_USDT,buy,2,100,0,,,,\n")
    assert strades("statement", str(file), "--wallet", "mine").code == 0
    [(fill_id,)] = mine.rows("SELECT fill_id FROM trading.fills")
    words = ("correct-trade", fill_id, "--wallet", "mine", "--reason", "a slip")
    for wrong, message in (
        ((), "expected what is right"),
        (("--remove", "--price", "101"), "expected what is right"),
        (("--side", "hold"), "--side: expected buy or sell"),
        (("--price", "x"), "--price: expected a number"),
        (("--price", "NaN"), "price: expected a number"),
        (("--quantity", "0"), "quantity: expected a positive number"),
        (("--undo",), "was one that stands"),
    ):
        refused = strades(*words, *wrong)
        assert (refused.code, len(refused.err.strip().splitlines())) == (2, 1), (wrong, refused.err)
        assert message in refused.err
    cash = wallet(strades)["cash"]
    assert strades(*words, "--price", "101", "--json").document["trades"] == 2
    assert float(wallet(strades)["cash"]) == float(cash) - 2
    assert strades(*words, "--undo").code == 0
    assert wallet(strades)["cash"] == cash
    assert strades("ledger", "verify").code == 0
