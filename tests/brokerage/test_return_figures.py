"""Figures of returns in the database: those of `strades history`, arithmetic, and only what is new."""

from datetime import timedelta
from decimal import Decimal

import pytest

from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.performance_report import read_performance
from strades_pipelines.brokerage.portfolio import Wallet
from tests.brokerage.conftest import START, AddCandles, Connection, rows
from tests.brokerage.test_history import DAY, coin, move  # noqa: F401
from tests.brokerage.test_ledger import record

RETURNS = """
    SELECT sessions, ended_sessions, measured_at, ended_at, time_weighted, money_weighted, worst_return, best_return
    FROM results.return_statistics
"""
BAND = "SELECT growth, lower, median, upper FROM results.growth_bands ORDER BY session_date"


def test_both_returns_are_those_of_strades_history(coin: Connection, wallet: Wallet) -> None:  # noqa: F811
    record(coin, wallet, 5, "buy", "4", "100")  # fee 0.1
    move(coin, "500", START + 1.5 * DAY, START + 1.5 * DAY)
    now = START + 2.5 * DAY
    measure_history(coin, wallet, now=now)
    [(sessions, ended, measured_at, ended_at, time_weighted, money_weighted, worst, best)] = rows(coin, RETURNS)
    found = read_performance(coin, wallet, None, None)
    assert (time_weighted, money_weighted) == (found.time_weighted, found.money_weighted)
    assert (sessions, ended, measured_at) == (3, 2, now)
    assert ended_at.date() == (START + 2 * DAY).date()
    # 1000 - 0.1, then 40 on 999.9, then 44 less on 1539.9.
    assert time_weighted == pytest.approx((999.9 / 1000) * (1039.9 / 999.9) * (1495.9 / 1539.9) - 1)
    # 1000 from the opening and 500 from noon of the second day grow to 1495.9 at this rate.
    years = [(now - at) / timedelta(days=365) for at in (wallet.opened_at, START + 1.5 * DAY)]
    assert 1000 * (1 + money_weighted) ** years[0] + 500 * (1 + money_weighted) ** years[1] == pytest.approx(1495.9)
    assert (worst, best) == (pytest.approx(-0.0001), pytest.approx(40 / 999.9))


def test_the_band_is_over_ended_sessions_and_made_when_one_more_has(
    coin: Connection,  # noqa: F811
    wallet: Wallet,
) -> None:
    record(coin, wallet, 5, "buy", "4", "100")
    measure_history(coin, wallet, now=START + 2.5 * DAY)
    first, second = rows(coin, BAND)
    assert [first[0], second[0]] == [pytest.approx(0.9999), pytest.approx(1.0399)]
    # Either of the two returns comes first; twice the better one is the best there is.
    assert (first[1], first[3]) == (pytest.approx(0.9999), pytest.approx(1.0399 / 0.9999))
    assert second[3] == pytest.approx((1.0399 / 0.9999) ** 2)
    assert rows(coin, "SELECT draws, seed, confidence FROM results.return_statistics") == [(1000, 1994, 0.9)]
    before = rows(coin, "SELECT xmin::text FROM results.growth_bands")
    measure_history(coin, wallet, now=START + 2.6 * DAY)
    assert rows(coin, "SELECT xmin::text FROM results.growth_bands") == before
    measure_history(coin, wallet, now=START + 3.1 * DAY)
    assert len(rows(coin, BAND)) == 3


def test_sessions_without_a_return_leave_a_named_absence(coin: Connection, wallet: Wallet) -> None:  # noqa: F811
    move(coin, "-1000", START + timedelta(minutes=1), START + timedelta(minutes=1))
    record(coin, wallet, 5, "buy", "4", "100")  # on credit: what grew from nothing grew by no ratio
    measure_history(coin, wallet, now=START + 2.5 * DAY)
    query = "SELECT time_weighted, draws, bin_edges, mean_return, ended_sessions FROM results.return_statistics"
    assert rows(coin, query) == [(None, None, [], None, 2)]
    assert rows(coin, BAND) == []


def test_a_wallet_of_one_open_session_has_its_returns_and_no_band(
    coin: Connection,  # noqa: F811
    wallet: Wallet,
    add_candles: AddCandles,
) -> None:
    record(coin, wallet, 5, "buy", "1", "90")
    measure_history(coin, wallet, now=START + 0.5 * DAY)
    [(sessions, ended, _measured, ended_at, time_weighted, _money, worst, _best)] = rows(coin, RETURNS)
    assert (sessions, ended, ended_at, worst) == (1, 0, None, None)
    assert Decimal(str(round(time_weighted, 6))) == Decimal("0.0099")  # 10 less the fee of 0.1, on 1000
