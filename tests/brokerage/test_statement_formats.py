"""Statements are read strictly: what a row says, or what is wrong with it."""

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from alpaca.trading.models import NonTradeActivity, TradeActivity
from hypothesis import given
from hypothesis import strategies as st

from strades_pipelines.brokerage.statement_formats import (
    FORMATS,
    StatementCash,
    StatementError,
    StatementTrade,
    read_statement,
)

D = Decimal
GENERIC = "time,kind,instrument,side,quantity,price,fee,fee_currency,amount,currency,id\n"
ALPACA = "id,activity_type,transaction_time,type,price,qty,side,symbol,order_id,date,net_amount,per_share_amount\n"
GATE = "id,create_time,create_time_ms,currency_pair,side,role,amount,price,order_id,fee,fee_currency,point_fee,gt_fee\n"


def faults(text: str, name: str = "generic") -> list[str]:
    with pytest.raises(StatementError) as refused:
        read_statement(text.encode(), name)
    return refused.value.faults


def test_a_generic_statement_has_trades_and_cash() -> None:
    body = GENERIC + (
        "2024-03-01T10:00:00+01:00,,AAPL,buy,2,150.25,0.5,USD,,,T1\n"
        "2024-03-02T10:00:00Z,dividend,,,,,,,1.25,USD,\n"
        '2024-03-03T10:00:00Z,charge,,,,,,,"-3",,C1\n'
    )
    at = datetime(2024, 3, 1, 9, tzinfo=UTC)
    assert read_statement(body.encode(), "generic") == [
        StatementTrade(2, at, "AAPL", "buy", D(2), D("150.25"), D("0.5"), "USD", "T1"),
        StatementCash(3, datetime(2024, 3, 2, 10, tzinfo=UTC), "dividend", "USD", D("1.25"), None),
        StatementCash(4, datetime(2024, 3, 3, 10, tzinfo=UTC), "charge", None, D(-3), "C1"),
    ]


def test_an_excel_export_with_a_byte_order_mark_and_blank_lines_is_read() -> None:
    body = "\ufefftime,instrument,side,quantity,price\r\n2024-03-01T10:00:00Z,AAPL,buy,2,1E-05\r\n\r\n"
    [trade] = read_statement(body.encode(), "generic")
    assert isinstance(trade, StatementTrade)
    assert (trade.price, trade.fee, trade.trade_id) == (D("0.00001"), D(0), None)


def test_alpacas_columns_are_the_fields_of_its_own_clients_activities() -> None:
    known = {*FORMATS["alpaca"].required, *FORMATS["alpaca"].optional}
    assert {*TradeActivity.model_fields, *NonTradeActivity.model_fields} <= known


def test_alpacas_fills_and_its_other_activities() -> None:
    """The values of its reference's examples: a fill of `AAPL`, and a dividend of `T` on 2019-08-01."""
    body = ALPACA + (
        "20190524113406977::8efc7b9a-8b2b-4000-9955-d36e7db0df74,FILL,2019-05-24T15:34:06.977Z,fill,1.63,3,"
        "sell_short,LPCN,904837e3-3b76-47ec-b432-046db621571b,,,\n"
        "20190801011955195::5f596936-6f23-4cef-bdf1-3806aae57dbf,DIV,,,,2,,T,,2019-08-01,1.02,0.51\n"
        "20190802::w,CSW,,,,,,,,2019-08-02,-100,\n"
    )
    trade, dividend, withdrawal = read_statement(body.encode(), "alpaca")
    assert isinstance(trade, StatementTrade)
    assert (trade.side, trade.quantity, trade.price) == ("sell", D(3), D("1.63"))
    assert trade.trade_id == "20190524113406977::8efc7b9a-8b2b-4000-9955-d36e7db0df74"
    # Midnight in New York is 04:00 UTC in summer.
    day = datetime(2019, 8, 1, 4, tzinfo=UTC)
    identity = "20190801011955195::5f596936-6f23-4cef-bdf1-3806aae57dbf"
    assert dividend == StatementCash(3, day, "dividend", "USD", D("1.02"), identity)
    assert isinstance(withdrawal, StatementCash)
    assert (withdrawal.kind, withdrawal.amount) == ("withdrawal", D(-100))


def test_gates_trades_with_their_fees() -> None:
    """The example of its reference (also in ccxt's `parse_trade`), and the same with its fee in GT."""
    body = GATE + (
        "2876130500,1645464610,1645464610777.399200,DOGE_USDT,sell,taker,10.97,0.137384,125924049993,"
        "0.00301420496,USDT,0,0\n"
        "2876130501,1645464610,,DOGE_USDT,buy,taker,10,0.137384,125924049994,0,DOGE,0,0.002\n"
        "2876130502,1645464610,,DOGE_USDT,buy,taker,10,0.137384,125924049995,0.01,DOGE,0,0\n"
    )
    first, in_gt, in_units = read_statement(body.encode(), "gate")
    at = datetime(2022, 2, 21, 17, 30, 10, 777399, tzinfo=UTC)
    told = D("10.97"), D("0.137384"), D("0.00301420496")
    assert first == StatementTrade(2, at, "DOGE_USDT", "sell", *told, "USDT", "2876130500")
    assert isinstance(in_gt, StatementTrade)
    assert isinstance(in_units, StatementTrade)
    assert (in_gt.fee, in_gt.fee_currency) == (D("0.002"), "GT")
    assert (in_units.fee, in_units.fee_currency) == (D("0.01"), "DOGE")


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("2024-03-01T10:00:00,,AAPL,buy,2,1,,,,,", "time: expected ISO 8601 with an offset, was '2024-03-01T10:00:00'"),
        ("2024-03-01T10:00:00Z,,AAPL,hold,2,1,,,,,", "side: expected buy or sell, was 'hold'"),
        ("2024-03-01T10:00:00Z,,AAPL,buy,0,1,,,,,", "quantity: expected a positive number, was 0"),
        ("2024-03-01T10:00:00Z,,AAPL,buy,-2,1,,,,,", "quantity: expected a positive number, was -2"),
        ("2024-03-01T10:00:00Z,,AAPL,buy,NaN,1,,,,,", "quantity: expected a number, was 'NaN'"),
        ("2024-03-01T10:00:00Z,,AAPL,buy,2,1e99,,,,,", "price: expected less than 10^15"),
        ('2024-03-01T10:00:00Z,,AAPL,buy,"1,5",1,,,,,', "quantity: expected a number, was '1,5'"),
        ("2024-03-01T10:00:00Z,,AAPL,buy,2,1,,usd,,,", "fee_currency: expected 2 to 12 capital letters or digits"),
        ("2024-03-01T10:00:00Z,,,buy,2,1,,,,,", "instrument: expected a text of 1 to 100 characters, was ''"),
        ("2024-03-01T10:00:00Z,,AAPL,buy,2,1,,,5,,", "amount: expected nothing in a row of this kind, was '5'"),
        ("2024-03-01T10:00:00Z,gift,,,,,,,5,,", "kind: expected trade, deposit, withdrawal, dividend"),
        ("2024-03-01T10:00:00Z,transfer,,,,,,,5,,", "kind: expected trade, deposit, withdrawal, dividend"),
        ("2024-03-01T10:00:00Z,deposit,,,,,,,-5,,", "amount: expected a positive deposit, was -5"),
        ("2024-03-01T10:00:00Z,interest,,,,,,,0,,", "amount: expected an amount other than 0, was 0"),
        ("2024-03-01T10:00:00Z,interest,AAPL,buy,,,,,1,,", "side: expected nothing in a row of this kind"),
        ("2024-03-01T10:00:00Z,,AAPL,buy,2,1,,,,", "expected 11 cells, was 10"),
        ("2024-03-01T10:00:00Z,,AAPL,buy,2,1,,,,,a\x1fb", "id: expected a text of 1 to 100 characters"),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_column_expected_and_found(row: str, fault: str) -> None:
    good = "2024-03-01T10:00:00Z,,AAPL,buy,2,1,,,,,\n"
    [line] = faults(GENERIC + good + row + "\n" + good)
    assert line.startswith(f"row 3: {fault}")


def test_every_fault_is_named_up_to_twenty() -> None:
    assert len(faults(GENERIC + "2024-03-01T10:00:00Z,,AAPL,buy,x,1,,,,,\n" * 3)) == 3
    many = faults(GENERIC + "x,,AAPL,buy,2,1,,,,,\n" * 30)
    assert (len(many), many[-1]) == (21, "and 10 more faults")


@pytest.mark.parametrize(
    ("text", "name", "fault"),
    [
        ("", "generic", "row 1: expected the column time, was missing"),
        ("time,instrument,side,quantity\n", "generic", "row 1: expected the column price, was missing"),
        (GENERIC.replace("kind", "colour"), "generic", "row 1: expected a column of this format, was 'colour'"),
        (GENERIC.replace("kind", "id"), "generic", "row 1: expected the column id once"),
        (GENERIC + '"2024', "generic", "row 2: expected CSV, was unexpected end of data"),
        (ALPACA + "x,SPLIT,,,,,,,,2019-08-01,0,\n", "alpaca", "row 2: activity_type: expected one that moves cash"),
        (ALPACA + "x,DIV,,,,,,,,1 August,1,\n", "alpaca", "row 2: date: expected a day as YYYY-MM-DD, was '1 August'"),
        (
            GATE + "1,1,,A_B,sell,,1,1,1,1,B,0,1\n",
            "gate",
            "row 2: gt_fee: expected a fee of one kind, was fee and gt_fee",
        ),
        (GATE + "1,1e14,,A_B,sell,,1,1,1,1,B,,\n", "gate", "row 2: create_time: expected seconds since 1970"),
    ],
)
def test_a_file_of_another_form_is_refused(text: str, name: str, fault: str) -> None:
    assert faults(text, name)[0].startswith(fault)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(StatementError, match="expected UTF-8 text, was another at byte 1"):
        read_statement(b"a\xff", "generic")


@given(st.sampled_from(sorted(FORMATS)), st.text(max_size=200) | st.lists(st.text(max_size=20)).map(",".join))
def test_whatever_a_file_holds_it_is_read_or_refused(name: str, text: str) -> None:
    header = ",".join((*FORMATS[name].required, *FORMATS[name].optional))
    for body in (text, f"{header}\n{text}"):
        with suppress(StatementError):
            read_statement(body.encode("utf-8", "replace"), name)
