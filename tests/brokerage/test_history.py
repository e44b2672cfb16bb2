"""History by session in the database: kept up to date at the cost of what is new, whatever comes late."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.history import measure_history, read_steps, session_periods
from strades_pipelines.brokerage.performance_report import external_flows, read_performance
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.transfers import Transfer, transfer
from strades_pipelines.brokerage.wallet_opening import open_wallet
from tests.brokerage.conftest import AAPL, MINUTE, PAPER, REPLAY, START, AddCandles, Connection, rows
from tests.brokerage.test_ledger import record
from tests.brokerage.test_statements import load, trade
from tests.dying import Died, die_at

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

DAY = timedelta(days=1)
SESSIONS = """
    SELECT session_date, opening, flows, realised, unrealised, income, fees, closing, time_weighted
    FROM results.wallet_sessions ORDER BY session_date
"""
OWNERS = """
    SELECT session_date, strategy, source, units, fills, traded, pnl FROM results.session_attribution
    ORDER BY session_date, strategy, source
"""


@pytest.fixture
def coin(market: Connection, wallet: Wallet, add_candles: AddCandles) -> Connection:
    """A coin at 100 on the first day, at 110 on the second, 99 on the third; a bar a day stands for its minutes."""
    for n, close in enumerate((100.0, 110.0, 99.0)):
        add_candles([close], start=START + n * DAY)
    return market


def move(connection: Connection, amount: str, at: datetime, now: datetime) -> None:
    moved = Transfer("paper", Decimal(amount), "USDT", at)
    transfer(connection, moved, Request("transfer", Scope("wallet", "paper"), "ann", now))


def test_days_of_a_wallet_with_their_flows_and_profits(coin: Connection, wallet: Wallet) -> None:
    record(coin, wallet, 5, "buy", "4", "100")  # fee 0.1
    move(coin, "500", START + 1.5 * DAY, START + 1.5 * DAY)
    record(coin, wallet, 2 * 24 * 60 + 5, "sell", "1", "99")
    assert measure_history(coin, wallet, now=START + 2.5 * DAY) == 3
    first, second, third = rows(coin, SESSIONS)
    assert first[:8] == (date(2024, 1, 2), 0, 1000, 0, Decimal("-0.1"), 0, Decimal("0.1"), Decimal("999.9"))
    assert first[8] == pytest.approx(-0.0001)
    # 4 units at 110: 440 - 400.1. The return is 40 of 999.9, whatever came in at noon.
    assert second[:8] == (date(2024, 1, 3), Decimal("999.9"), 500, 0, Decimal("39.9"), 0, 0, Decimal("1539.9"))
    assert second[8] == pytest.approx(40 / 999.9)
    # 98.9 less a quarter of 400.1; 3 at 99 less the rest.
    assert third[3:5] == (Decimal("-1.125"), Decimal("-3.075"))
    assert third[7] == Decimal("1000") + 500 - Decimal("400.1") + Decimal("98.9") + 3 * 99
    [(revaluation, unvalued)] = rows(coin, "SELECT DISTINCT revaluation, unvalued FROM results.wallet_sessions")
    assert (revaluation, unvalued) == (0, [])


def test_a_pass_works_out_the_open_session_alone(coin: Connection, wallet: Wallet) -> None:
    record(coin, wallet, 5, "buy", "4", "100")
    assert measure_history(coin, wallet, now=START + 2.5 * DAY) == 3
    before = rows(coin, "SELECT xmin::text FROM results.wallet_sessions ORDER BY session_date")
    assert measure_history(coin, wallet, now=START + 2.6 * DAY) == 1
    record(coin, wallet, 2 * 24 * 60 + 15 * 60, "sell", "1", "99")
    assert measure_history(coin, wallet, now=START + 2.7 * DAY) == 1
    after = rows(coin, "SELECT xmin::text FROM results.wallet_sessions ORDER BY session_date")
    assert after[:2] == before[:2]
    assert measure_history(coin, wallet, now=START + 3.1 * DAY) == 2


def test_lines_that_come_late_are_taken_in_where_they_belong(coin: Connection, wallet: Wallet) -> None:
    """A statement of the second day arrives on the third: the same history as when it had been there in time."""
    record(coin, wallet, 5, "buy", "4", "100")
    measure_history(coin, wallet, now=START + 2.5 * DAY)
    load(coin, trade(24 * 60 + 60, "buy", "1", "105", "0.3"), now=START + 2.6 * DAY)
    assert measure_history(coin, wallet, now=START + 2.7 * DAY) == 2
    incremental = rows(coin, SESSIONS), rows(coin, OWNERS)
    coin.execute("DELETE FROM results.session_attribution")
    coin.execute("DELETE FROM results.wallet_sessions")
    assert measure_history(coin, wallet, now=START + 2.7 * DAY) == 3
    assert (rows(coin, SESSIONS), rows(coin, OWNERS)) == incremental
    owners = incremental[1]
    assert [row[1:6] for row in owners if row[0] == date(2024, 1, 3)] == [
        ("person", "statement", 1, 1, 105),
        ("s", "algorithm", 4, 0, 0),
    ]
    # 110 - 105 - 0.3, and 4 units from 100 to 110.
    assert [row[6] for row in owners if row[0] == date(2024, 1, 3)] == [Decimal("4.7"), 40]


def test_the_owners_of_each_session_add_up_to_the_wallet(coin: Connection, wallet: Wallet) -> None:
    record(coin, wallet, 5, "buy", "4", "100")
    load(coin, trade(10, "buy", "1", "101", "0.3"), trade(30 * 60, "sell", "2", "108"), now=START + 2 * DAY)
    measure_history(coin, wallet, now=START + 2.5 * DAY)
    differences = rows(
        coin,
        """
        SELECT s.closing - s.opening - s.flows - s.income - s.revaluation - sum(a.pnl)
        FROM results.wallet_sessions AS s INNER JOIN results.session_attribution AS a USING (wallet, session_date)
        GROUP BY s.wallet, s.session_date
        """,
    )
    assert differences == [(0,), (0,), (0,)]


def test_sessions_are_those_of_the_exchange_where_it_has_some(market: Connection, add_days: AddCandles) -> None:
    """Fridays and Mondays: what happens on a weekend belongs to Monday's session."""
    friday = datetime.fromisoformat("2024-01-05T00:00:00+00:00")
    template = replace(PAPER, instruments=("yahoo:AAPL",), interval="1d", currency="USD", opened_at=friday)
    wallet = open_wallet(market, template, now=friday)
    for day in (5, 8, 9):
        market.execute(
            "INSERT INTO records.sessions VALUES ('XNYS', %s, %s, %s, false)",
            [date(2024, 1, day), f"2024-01-{day:02}T14:30:00Z", f"2024-01-{day:02}T21:00:00Z"],
        )
    market.commit()
    add_days([100.0], start=friday)
    add_days([104.0], start=friday + 3 * DAY)
    moved = Transfer("paper", Decimal(100), "USD", friday + 1.5 * DAY)
    transfer(market, moved, Request("transfer", Scope("wallet", "paper"), "ann", friday + 2 * DAY))
    periods = session_periods(market, wallet, friday, friday + 3 * DAY)
    assert [(period.session_date.day, period.starts_at.day) for period in periods] == [(5, 5), (8, 5)]
    market.commit()
    measure_history(market, wallet, now=friday + 3.95 * DAY)
    found = rows(market, "SELECT session_date, flows, valued_at FROM results.wallet_sessions ORDER BY 1")
    assert [(day.day, flows) for day, flows, _ in found] == [(5, 1000), (8, 100), (9, 0)]
    assert found[0][2] == datetime.fromisoformat("2024-01-05T21:00:00+00:00")
    assert wallet.listings[0].listing_id == AAPL


def test_cash_in_euros_is_valued_at_the_rates_of_the_day(market: Connection, add_days: AddCandles) -> None:
    template = replace(PAPER, instruments=("yahoo:AAPL",), interval="1d", currency="USD")
    wallet = open_wallet(market, template, now=START)
    for n, rate in enumerate((1.1, 1.2)):
        market.execute(
            "INSERT INTO records.observations VALUES ('ECB:USD', %s, %s, 'rate', NULL, %s, 'assumed', 1, %s)",
            [START + n * DAY, rate, START + (n + 0.6) * DAY, START],
        )
    market.commit()
    moved = Transfer("paper", Decimal(100), "EUR", START + 0.7 * DAY)
    transfer(market, moved, Request("transfer", Scope("wallet", "paper"), "ann", START + 0.7 * DAY))
    measure_history(market, wallet, now=START + 1.9 * DAY)
    found = rows(
        market, "SELECT flows, revaluation, closing, unvalued FROM results.wallet_sessions ORDER BY session_date"
    )
    assert found == [(1110, 0, 1110, []), (0, 10, 1120, [])]
    assert external_flows(market, wallet) == ([(START, Decimal(1000)), (START + 0.7 * DAY, Decimal(110))], [])


def test_returns_of_a_span_link_its_sessions_and_weigh_its_flows(coin: Connection, wallet: Wallet) -> None:
    """All is put in on the first day: 10 units at 100, fee 0.1. Each day's return is that of the coin."""
    record(coin, wallet, 5, "buy", "9.999", "100")
    move(coin, "100", START + 1.5 * DAY, START + 1.5 * DAY)
    measure_history(coin, wallet, now=START + 3 * DAY - MINUTE)
    found = read_performance(coin, wallet, None, None)
    values = [row["closing"] for row in found.sessions]
    assert values[:2] == [Decimal("999.9"), Decimal("1199.89")]
    assert found.time_weighted == pytest.approx(
        float(values[0]) / 1000 * (float(values[1]) - 100) / float(values[0]) * float(values[2]) / float(values[1]) - 1
    )
    years = [(3 - 1 / 1440) / 365, (1.5 - 1 / 1440) / 365]
    assert found.money_weighted is not None
    grown = 1000 * (1 + found.money_weighted) ** years[0] + 100 * (1 + found.money_weighted) ** years[1]
    assert grown == pytest.approx(float(values[2]))
    [owner] = found.owners
    assert (owner["strategy"], owner["source"], owner["fills"]) == ("s", "algorithm", 1)
    assert owner["pnl"] == values[2] - 1100
    later = read_performance(coin, wallet, date(2024, 1, 3), date(2024, 1, 4))
    assert [row["session_date"].day for row in later.sessions] == [3]
    assert later.time_weighted == later.sessions[0]["time_weighted"]
    assert read_performance(coin, wallet, date(2025, 1, 1), None).money_weighted is None


def test_a_replay_has_its_history_up_to_the_end_of_its_window(
    market: Connection, add_candles: AddCandles, adbc: "AdbcConnection"
) -> None:
    add_candles([100.0, 101.0, 102.0, 99.0, 98.0, 102.0, 103.0])
    end = START + 5 * MINUTE
    name = replay(adbc, REPLAY, start=START, end=end, now=START + DAY).wallet or ""
    measure_history(market, load_wallet(market, name), now=START + 9 * DAY)
    [(valued_at, closing, revaluation)] = rows(
        market, "SELECT valued_at, closing, revaluation FROM results.wallet_sessions"
    )
    [(equity,)] = rows(market, "SELECT equity FROM results.equity ORDER BY time DESC LIMIT 1")
    assert (valued_at, revaluation) == (end - timedelta(microseconds=1), 0)
    assert float(closing) == pytest.approx(equity)


def test_an_early_deposit_without_a_rate_is_named(market: Connection, wallet: Wallet) -> None:
    moved = Transfer("paper", Decimal(3), "GT", START)
    transfer(market, moved, Request("transfer", Scope("wallet", "paper"), "ann", START))
    measure_history(market, wallet, now=START + MINUTE)
    assert rows(market, "SELECT closing, unvalued FROM results.wallet_sessions") == [(1000, ["GT"])]
    assert external_flows(market, wallet)[1] == ["GT"]


def test_sessions_that_were_not_committed_have_left_nothing(coin: Connection, wallet: Wallet) -> None:
    with die_at("results.sessions_written"), pytest.raises(Died):
        measure_history(coin, wallet, now=START + DAY)
    coin.rollback()
    assert rows(coin, SESSIONS) == []
    assert measure_history(coin, wallet, now=START + 0.5 * DAY) == 1


def test_the_steps_of_an_open_session_are_few_however_long_the_wallet_trades(coin: Connection, wallet: Wallet) -> None:
    for number in range(5):
        record(coin, wallet, number, "buy", "0.1", "100")
    record(coin, wallet, 2 * 24 * 60 + 5, "buy", "0.1", "100")
    steps: list[Any] = read_steps(coin, wallet, START + 2 * DAY, START + 3 * DAY, 100)
    assert [step.entry.kind for step in steps] == ["fill", "fee"]
