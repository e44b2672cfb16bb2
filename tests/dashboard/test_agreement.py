"""Pages say what the terminal says at the same moment; everybody sees the same figures: rights hide acts alone."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from dashboard.core.numbers import money_text, percent_text, plain_text
from dashboard.gateway.reading import snapshot
from dashboard.gateway.results import read_curves
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.live import measure
from strades_pipelines.brokerage.performance_report import read_performance
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.trading_context import TradingContext, read_context
from strades_pipelines.market.rounding import exact
from strades_pipelines.orchestration.main_job import PERFORMANCE
from tests.brokerage.conftest import BTC, START, rows
from tests.dashboard.conftest import CLOCK, ClientOf

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

Connection = psycopg.Connection[Any]
NUMBER = re.compile(r'<span class="num[^"]*"[^>]*>(.*?)</span>', re.DOTALL)
PLACES = ("", "wallets/", "wallets/paper/", "wallets/paper/performance/", "wallets/paper/returns/", "bots/", "markets/",
          f"markets/{BTC}/", "statistics/", "states/", "wallets/paper/comparison/", "wallets/paper/round-trips/",
          "wallets/paper/verification/", "historic/2024-01-02/?wallet=paper")  # fmt: skip
PageOf = Callable[[str], str]


@pytest.fixture
def measured(traded: Connection, adbc: "AdbcConnection") -> Connection:
    """A wallet that bought 2 at 102 and waits with a third, measured; and a value of a series of another source."""
    traded.execute(
        "INSERT INTO records.observations VALUES ('FRED:DFF', '2024-01-01Z', 5.33, 'percent', NULL, '2024-01-02Z', "
        "'stated', 1, now())"
    )
    traded.commit()
    measure(traded, adbc, "paper", now=CLOCK)
    measure_history(traded, load_wallet(traded, "paper"), now=CLOCK)
    return traded


@pytest.fixture
def page_of(measured: Connection, client_of: ClientOf) -> PageOf:
    """Gives the text of a page as a viewer has it."""
    client = client_of("viewer")
    return lambda place: client.get(f"/{place}").content.decode()


@pytest.fixture
def context(measured: Connection) -> TradingContext:
    """What `strades context` says at the pages' moment."""
    measured.commit()
    return read_context(measured, now=CLOCK)


def test_today_and_the_wallet_say_what_strades_context_says(context: TradingContext, page_of: PageOf) -> None:
    [wallet], [position] = context.wallets, context.positions
    orders = [row for row in context.pending if row["kind"] == "order"]
    [fill] = context.history
    today, page, listed = page_of(""), page_of("wallets/paper/"), page_of("wallets/")
    for text in (today, page, listed):
        assert money_text(Decimal(wallet["equity"]), "USDT") in text
    for name in ("cash", "equity", "realised", "unrealised"):
        assert money_text(Decimal(wallet[name]), "USDT", signed=name.endswith("ised")) in page, name
    for name in ("quantity", "price"):
        assert f">{plain_text(Decimal(position[name]))}</span>" in page, name
        assert plain_text(Decimal(position[name])) in today, name
    assert money_text(Decimal(position["cost"]), "USDT") in page
    for text in (today, page):
        assert money_text(Decimal(position["unrealised"]), "USDT", signed=True) in text
    assert f'href="/trace/{fill["intent_id"]}/"' in page
    for order in orders:
        assert f'href="/trace/{order["intent_id"]}/"' in page
    [state] = context.state["wallets"].values()
    assert state == {"state": "active", "reason": None}
    assert '<span class="pill good">active</span>' in page
    [fresh] = context.freshness
    assert f'datetime="{fresh["close_time"].replace("Z", "+00:00")}"' in page_of("markets/")


def test_results_are_those_of_strades_report_and_strades_history(measured: Connection, page_of: PageOf) -> None:
    [(wallet, _mode, statistics, benchmark, fills)] = measured.execute(PERFORMANCE, [START, CLOCK]).fetchall()
    with snapshot():
        [curve] = read_curves()
    assert (curve.wallet, curve.total_return, curve.max_drawdown, curve.sharpe, curve.fees) == (
        wallet,
        *(statistics[name] for name in ("total_return", "max_drawdown", "sharpe", "fees")),
    )
    assert curve.benchmark_return == benchmark["total_return"]
    history = read_performance(measured, load_wallet(measured, "paper"), None, None)
    performance, page, today, bots = (
        page_of(place) for place in ("wallets/paper/performance/", "wallets/paper/", "", "bots/")
    )
    for value in (statistics["total_return"], benchmark["total_return"]):
        for text in (performance, page):
            assert str(percent_text(value, signed=True)) in text
    lead = percent_text(statistics["total_return"] - benchmark["total_return"], signed=True, unit="pp")
    assert str(lead) in today
    assert str(percent_text(statistics["max_drawdown"])) in performance
    assert money_text(exact(statistics["fees"]), "USDT") in page
    assert fills == sum(owner["fills"] for owner in history.owners) == statistics["trades"]
    assert f">{fills}<" in bots
    for owner in history.owners:
        assert money_text(owner["pnl"], "USDT", signed=True) in performance
    assert history.time_weighted is not None
    assert str(percent_text(history.time_weighted, signed=True)) in performance
    [(pnl,)] = rows(measured, "SELECT pnl FROM results.listing_performance")
    assert money_text(exact(pnl), "USDT", signed=True) in performance


def test_overall_data_is_what_sql_says_was_known(measured: Connection, page_of: PageOf) -> None:
    closes = rows(
        measured,
        f"SELECT close FROM records.candles WHERE listing_id = {BTC} AND knowledge_time <= '{CLOCK.isoformat()}' "
        "ORDER BY open_time DESC LIMIT 2",
    )
    last, before = (close for (close,) in closes)
    for place in ("markets/", f"markets/{BTC}/"):
        page = page_of(place)
        assert plain_text(exact(last)) in page, place
    assert str(percent_text(last / before - 1, signed=True)) in page_of("markets/")
    assert "5.33" in page_of("statistics/")
    assert "5.33" in page_of("statistics/series/?series=FRED:DFF")
    failed = rows(measured, "SELECT count(*) FROM rawsources.fetches WHERE outcome <> 'stored'")
    assert failed == [(0,)]
    assert "failed" not in "".join(NUMBER.findall(page_of("states/")))


def test_everybody_sees_the_same_figures(measured: Connection, client_of: ClientOf) -> None:
    clients = {role: client_of(role) for role in ("viewer", "analyst", "trader", "admin")}
    seen = 0
    for place in PLACES:
        figures = {role: NUMBER.findall(client.get(f"/{place}").content.decode()) for role, client in clients.items()}
        assert all(found == figures["viewer"] for found in figures.values()), place
        seen += len(figures["viewer"])
    assert seen > 100
