"""Returns, their spread, the band and slippage on the performance page: what is stored, beside its file and query."""

import csv
from io import StringIO

import psycopg
import pytest
from django.test import Client

from dashboard.core.svg import histogram
from dashboard.gateway.reading import snapshot
from dashboard.gateway.return_figures import read_return_figures, read_slippage, slippage_by_currency
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.performance_report import read_performance
from strades_pipelines.brokerage.portfolio import Wallet, load_wallet
from tests.brokerage.conftest import START, AddCandles, rows
from tests.brokerage.test_history import DAY
from tests.brokerage.test_ledger import record
from tests.dashboard.conftest import ClientOf

Connection = psycopg.Connection[object]


@pytest.fixture
def viewer(market: Connection, wallet: Wallet, add_candles: AddCandles, site: str, client_of: ClientOf) -> Client:
    """Three days of a coin at 100, 110 and 99, of which four units were bought above and one sold below its price."""
    for n, close in enumerate((100.0, 110.0, 99.0)):
        add_candles([close], start=START + n * DAY)
    record(market, wallet, 5, "buy", "4", "101")
    record(market, wallet, 2 * 24 * 60 + 5, "sell", "1", "98.5")
    measure_history(market, wallet, now=START + 2.5 * DAY)
    return client_of("viewer")


def test_the_page_has_both_returns_of_strades_history_and_names_the_bootstrap(
    market: Connection, viewer: Client
) -> None:
    expected = read_performance(market, load_wallet(market, "paper"), None, None)
    page = viewer.get("/wallets/paper/returns/").content.decode()
    assert expected.time_weighted is not None
    assert expected.money_weighted is not None
    performance = viewer.get("/wallets/paper/performance/").content.decode()
    for value in (expected.time_weighted, expected.money_weighted):
        assert f"{abs(value) * 100:,.2f}\N{NO-BREAK SPACE}%" in performance
        assert f"{abs(value) * 100:,.2f}\N{NO-BREAK SPACE}%" in page
    for text in ("Politis and Romano 1994", "1,000 draws, seed 1994", "Freedman and Diaconis", "Perold 1988"):
        assert text in page
    assert page.count('class="bin ') == sum(1 for _ in read_bins(market))
    with snapshot():
        figures = read_return_figures("paper", points=120)
    assert figures is not None
    # The chart ends where the ended sessions end: 4 x 110 less 404.1 on 1000.
    assert figures.growth[-1] == pytest.approx(1.0359)
    assert len(figures.times) == figures.ended_sessions == 2


def read_bins(market: Connection) -> list[int]:
    [(counts,)] = rows(market, "SELECT bin_counts FROM results.return_statistics")
    return list(counts)


def test_slippage_is_shown_by_fill_and_in_sum_and_saved_with_its_query(market: Connection, viewer: Client) -> None:
    page = viewer.get("/wallets/paper/returns/").content.decode()
    # 4 x 1 and 1 x 0.5 of 4 x 100 + 99.
    assert "4.50\N{NO-BREAK SPACE}USDT" in page
    assert "0.90\N{NO-BREAK SPACE}%" in page
    with snapshot():
        [total] = slippage_by_currency(read_slippage("paper"))
    saved = list(csv.DictReader(StringIO(viewer.get("/wallets/paper/slippage.csv").content.decode())))
    assert [row["slippage"] for row in saved] == ["0.5", "4"]
    assert sum(float(row["slippage"]) for row in saved) == float(total.slippage) == 4.5
    returns = list(csv.DictReader(StringIO(viewer.get("/wallets/paper/returns.csv").content.decode())))
    assert [row["session_date"] for row in returns] == ["2024-01-04", "2024-01-03", "2024-01-02"]
    assert returns[0]["growth"] == ""
    assert float(returns[1]["growth"]) == pytest.approx(1.0359)
    for name in ("slippage", "returns"):
        query = viewer.get(f"/wallets/paper/{name}.csv?query").content.decode()
        assert query.startswith("-- Rows as of ")
        with psycopg.connect(market.info.dsn, password=market.info.password) as other:
            assert len(other.execute(query.encode()).fetchall()) == len(saved if name == "slippage" else returns)


def test_a_bin_is_as_high_as_it_holds_returns_and_says_so() -> None:
    drawn = histogram([-0.02, 0.0, 0.02], [1, 4], title="t & t", unit="sessions")
    low, high = (float(part.split('"')[0]) for part in drawn.split('height="')[1:])
    assert high == pytest.approx(4 * low, rel=0.01)
    assert "0.00\N{NO-BREAK SPACE}% … 2.00\N{NO-BREAK SPACE}%: 4 sessions" in drawn
    assert "t &amp; t" in drawn
    assert histogram([0.1, 0.1], [3], title="", unit="") == histogram([], [], title="", unit="") == ""
