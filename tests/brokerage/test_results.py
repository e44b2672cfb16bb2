from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.wallet_opening import open_wallet
from tests.brokerage.conftest import AAPL, BTC, IBM, REPLAY, START, AddCandles, Connection, rows
from tests.brokerage.test_sleeves import SHARED

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

TWO = replace(REPLAY, instruments=("yahoo:AAPL", "yahoo:IBM"), interval="1d", currency="USD")


@pytest.fixture
def replayed(adbc: "AdbcConnection", add_days: AddCandles) -> str:
    """Two stocks through a week: IBM's are bought once and held, AAPL's go up, down and up."""
    add_days([100.0, 101.0, 99.0, 98.0, 102.0, 103.0])
    add_days([50.0, 51.0, 52.0, 54.0, 55.0, 56.0], listing=IBM)
    end = START + timedelta(days=10)
    return replay(adbc, TWO, start=START, end=end, now=end).wallet or ""


@pytest.mark.usefixtures("replayed")
def test_the_listings_bring_what_the_wallet_brought_at_every_instant(market: Connection) -> None:
    differences = rows(
        market,
        """
        SELECT e.equity - w.opening_cash::float8 - sum(l.pnl)
        FROM results.equity AS e INNER JOIN trading.wallets AS w USING (wallet)
        INNER JOIN results.listing_equity AS l USING (wallet, time)
        GROUP BY e.time, e.equity, w.opening_cash
        """,
    )
    assert len(differences) == 6
    assert [difference for (difference,) in differences] == pytest.approx([0.0] * 6, abs=1e-9)


@pytest.mark.usefixtures("replayed")
def test_a_listing_is_measured_against_holding_it(market: Connection) -> None:
    found = {
        listing: (pnl, fees, statistics, benchmark)
        for listing, pnl, fees, statistics, benchmark in rows(
            market, "SELECT listing_id, pnl, fees, statistics, benchmark FROM results.listing_performance"
        )
    }
    # IBM: two bought at 52, the open after the second close; held to 56.
    pnl, fees, statistics, benchmark = found[IBM]
    assert (pnl, fees) == (pytest.approx(2 * (56 - 52) - 0.104), pytest.approx(0.104))
    assert (statistics["round_trips"], statistics["hit_rate"]) == (0, None)
    assert benchmark["total_return"] == pytest.approx(56 / 50 - 1)
    # AAPL: bought at 99, sold at 98, bought at 103 (an open is the close of its day here), which it ends at.
    pnl, fees, statistics, _ = found[AAPL]
    assert (statistics["round_trips"], statistics["hit_rate"]) == (1, 0.0)
    assert pnl == pytest.approx(2 * (98 - 99) - fees)
    query = "SELECT listing_id, side, entry_price, exit_price, profit FROM results.round_trips ORDER BY sequence"
    assert rows(market, query) == [
        (AAPL, "long", 99, 98, 2 * (98 - 99) - Decimal("0.001") * 2 * (98 + 99)),
        (IBM, "long", 52, None, None),
        (AAPL, "long", 103, None, None),
    ]


@pytest.mark.usefixtures("replayed")
def test_a_strategy_is_its_wallets_taken_together(market: Connection) -> None:
    ((strategy, wallets, capital, total_return, drawdown, round_trips, hit_rate, benchmark),) = rows(
        market,
        """
        SELECT strategy, wallets, capital, total_return, max_drawdown, round_trips, hit_rate, benchmark_return
        FROM results.by_strategy
        """,
    )
    ((statistics,),) = rows(market, "SELECT statistics FROM results.performance")
    assert (strategy, wallets, capital, round_trips, hit_rate) == ("sma_cross", 1, 1000, 1, 0)
    assert total_return == pytest.approx(statistics["total_return"])
    assert drawdown == pytest.approx(statistics["max_drawdown"])
    assert benchmark == pytest.approx((103 / 100 + 56 / 50) / 2 - 1)
    assert len(rows(market, "SELECT 1 FROM results.by_listing")) == 2


def test_a_strategys_part_of_a_wallet_has_its_capital_once_and_begins_when_it_was_opened(market: Connection) -> None:
    """A wallet of 1,000 over four sessions, whose instrument is worth 1, 1.1, 1.1 and 1.21 times its first close.

    `trend` (60 %) loses 50 and 10 and gives way to `trend2` (60 %) with the third session, which makes 30 in the
    fourth: 600 became 550, 540, 540 and 570, beside 600 * 1.21. `slow` (40 %) comes with the
    third session and makes 20: 420 of 400, beside 400 * 1.21 / 1.1.
    """
    open_wallet(market, SHARED, now=START)
    third = START + timedelta(days=2)
    market.execute("UPDATE trading.sleeves SET strategy = 'other', opened_at = %s WHERE sleeve = 'slow'", [third])
    market.execute("UPDATE trading.sleeves SET retired_at = %s WHERE sleeve = 'trend'", [third])
    market.execute(
        """
        INSERT INTO trading.sleeves
        SELECT wallet, 'trend2', strategy, parameters, instruments, capital_percent, code_hash, %s, NULL
        FROM trading.sleeves WHERE sleeve = 'trend'
        """,
        [third],
    )
    made = [{"trend": -50}, {"trend": -10}, {}, {"trend2": 30, "slow": 20}]
    for n, (pnls, held) in enumerate(zip(made, (0, 100, 100, 210), strict=True)):
        start = START + timedelta(days=n)
        session = {"at": start, "day": start.date(), "end": start + timedelta(days=1), "flows": 0 if n else 1000}
        market.execute(
            """
            INSERT INTO results.wallet_sessions
            VALUES ('paper', %(day)s, %(at)s, %(end)s, 0, %(flows)s, 0, 0, 0, 0, 0, 0, NULL, '{}', 0, '{}')
            """,
            session,
        )
        for sleeve, pnl in pnls.items():
            market.execute(
                """
                INSERT INTO results.session_attribution VALUES ('paper', %s, %s, %s, 'algorithm', 0, 1, 100, 1, %s)
                """,
                [start.date(), BTC, sleeve, pnl],
            )
        market.execute(
            """
            INSERT INTO results.listing_equity (wallet, listing_id, day, time, quantity, value, pnl, benchmark)
            VALUES ('paper', %s, %s, %s, 0, 0, 0, %s)
            """,
            [BTC, start.date(), start, held],
        )
    market.execute("INSERT INTO results.performance VALUES ('paper', '{}', '{}')")
    query = """
        SELECT strategy, wallets, capital, final_equity, max_drawdown, fees, benchmark_return
        FROM results.by_strategy ORDER BY strategy
    """
    expected = [
        ("other", 1, 400, 420, 0, 1, pytest.approx(0.1)),
        ("sma_cross", 1, 600, 570, pytest.approx(540 / 550 - 1), 3, pytest.approx(0.21)),
    ]
    assert rows(market, query) == expected
    # The last that was retired keeps its capital, or its losses would be of nothing.
    market.execute("UPDATE trading.sleeves SET retired_at = %s WHERE retired_at IS NULL", [START + timedelta(days=4)])
    assert rows(market, query) == expected
