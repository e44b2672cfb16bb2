from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from strades_pipelines.brokerage.replay import replay
from tests.brokerage.conftest import AAPL, IBM, REPLAY, START, AddCandles, Connection, rows

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
