"""An installation with something on every page: a morning of minute bars, trades, news, filings, statistics, gaps."""

import json
import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.command_log import Request, Scope
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.history import measure_history
from strades_pipelines.brokerage.live import measure
from strades_pipelines.brokerage.person_orders import decide_by_hand
from strades_pipelines.brokerage.portfolio import load_wallet
from strades_pipelines.brokerage.replay import replay
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.market.order_terms import MARKET, OrderRequest, TradingDecision
from strades_pipelines.market.wallet_limits import parse_limits
from tests.brokerage.conftest import AAPL, BTC, DAILY_BARS, ETH, LISTINGS, MINUTE, PAPER, REPLAY, START, Connection
from tests.dashboard.conftest import NEWS_TABLE, store
from tests.dbt_project.building import run_dbt

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as AdbcConnection

NOW = START + timedelta(hours=9)
BARS, DAYS = 539, 200
MARTS = ("run", "--select", "lineage_nodes", "lineage_edges")  # of the 4D view
SERIES = "US:GDP"
QUARTER = datetime(2023, 7, 1, tzinfo=UTC)
CANDLES = "INSERT INTO records.candles VALUES (%s, '1m', %s, %s, %s, %s, %s, %s, %s, 1, 1, %s, 'stated', 1, %s)"
GAPS = (
    'CREATE TABLE cleaned.gaps (listing_id integer, "interval" text, gap_start timestamptz, gap_end timestamptz, '
    "missing bigint, cause text); GRANT SELECT ON cleaned.gaps TO strades_dashboard, strades_app; "
    f"INSERT INTO cleaned.gaps VALUES ({AAPL}, '1d', '2023-11-01', '2023-11-08', 7, 'fetch_failed'), "
    f"({BTC}, '1m', '2024-01-01', '2024-01-02', 9, 'no_trades')"
)
TITLES = (
    "Bitcoin rises for a third day as funds buy",
    "Apple shows its results on 1 February",
    "Exchange halts withdrawals of a small coin <b>for an hour</b>",
    "Bitcoin falls below its average of fifty days",
    "IBM is granted more patents than any other in 2023",
)


def fill(url: str) -> None:
    """Put it into a migrated database."""
    with connect(url) as connection, adbc_connect(url) as adbc:
        _make_market(connection, url)
        _trade(connection, adbc, url)
        _publish(connection, url)
    with connect(url, role="strades_dbt") as dbt:
        dbt.execute("ALTER TABLE cleaned.daily_bars ADD COLUMN quoted_venue text DEFAULT 'yahoo'")
    run_dbt(url, MARTS)


def _make_market(connection: Connection, url: str) -> None:
    for listing in LISTINGS:
        connection.execute("INSERT INTO records.listings VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", listing)
    for listing_id, price in ((BTC, 102.0), (ETH, 55.0)):
        rows = []
        for n, (before, close) in enumerate(_walk(price, BARS)):
            end = START + (n + 1) * MINUTE
            prices = before, round(max(before, close) + 0.1, 2), round(min(before, close) - 0.1, 2), close
            rows.append([listing_id, end - MINUTE, end, *prices, round(5 + abs(close - before) * 40, 2), end, end])
        connection.cursor().executemany(CANDLES, rows)
    store(connection, 1, json.dumps([["1704153600", "1", "102.1", "102.4", "101.8", "102.0"]]).encode(), at=NOW)
    connection.execute(
        "INSERT INTO records.bar_series VALUES (%s, '1d', 'yahoo', '2020-01-01', NULL, 60, NULL, 0)", [AAPL]
    )
    connection.commit()
    with connect(url, role="strades_dbt") as dbt:
        dbt.execute(DAILY_BARS + ";" + GAPS)
        dbt.execute("SELECT trading.watch_daily_bars()")
        for n, (before, close) in enumerate(_walk(180.0, DAYS, step=0.02)):
            day = START + timedelta(days=n - DAYS)
            opened, closed = day + timedelta(hours=14, minutes=30), day + timedelta(hours=21)
            prices = before, max(before, close) + 1, min(before, close) - 1, close
            row = [AAPL, "yahoo", "AAPL", opened.date(), opened, closed, *prices, 1e6, "USD", 1, closed, 1, closed]
            dbt.execute(f"INSERT INTO cleaned.daily_bars VALUES ({', '.join(['%s'] * len(row))})", row)


def _walk(price: float, count: int, *, step: float = 0.003) -> Iterator[tuple[float, float]]:
    """Pairs of an opening and a close: a random walk around a slow wave, the same each time."""
    chance = random.Random(7)
    for n in range(count):
        before, price = price, price * (1 + chance.gauss(0, step) + step * 0.6 * math.sin(n / 25))
        yield round(before, 2), round(price, 2)


def _trade(connection: Connection, adbc: "AdbcConnection", url: str) -> None:
    """A wallet with some thirty fills, one by hand, and a decision that waits; another one's replay."""
    choosing = parse_limits({"chosen_only": True})
    template = replace(PAPER, instruments=("gateio:BTC_USDT", "gateio:ETH_USDT"), limits=choosing)
    wallet = open_wallet(connection, template, now=START)
    connection.commit()
    with connect(url) as theirs:
        venue = PaperBroker(theirs, wallet)
        for n in range(32):
            at = START + (16 * n + 2) * MINUTE
            _decide(connection, float((2, 0, 3, 1)[n % 4]), at)
            if n == 5:
                asked = Request("order", Scope("wallet", "paper"), "alice", at)
                decide_by_hand(connection, wallet, wallet.listings[0], OrderRequest(Decimal(1), MARKET), asked)
                connection.commit()
            for now in (at + MINUTE / 2, at + 2 * MINUTE):
                execute_pending(connection, venue, "paper", now=now)
    _decide(connection, 4.0, NOW - 2 * MINUTE)
    measure(connection, adbc, "paper", now=NOW)
    measure_history(connection, load_wallet(connection, "paper"), now=NOW)
    stock = replace(REPLAY, instruments=("yahoo:AAPL",), interval="1d", currency="USD", cash=Decimal(10_000))
    stock = replace(stock, parameters={"fast": 5, "slow": 20, "size": 20.0})
    replay(adbc, stock, start=START - timedelta(days=DAYS), end=NOW, now=NOW)


def _decide(connection: Connection, target: float, at: datetime) -> None:
    reason = "the fast average is above the slow one" if target else "the fast average fell below the slow one"
    made = TradingDecision("paper", "sma_cross", 0, BTC, at, "bar", "bar@", 0, 0.0, target, reason, {})
    assert insert(connection, "signals.decisions", decision_row(made, at))
    connection.execute(
        "UPDATE signals.decisions SET inputs = inputs || jsonb_build_object('bars', jsonb_build_object("
        "'listing_id', %s::int, 'interval', '1m', 'first_open_time', '2024-01-02T00:00:00Z', "
        "'last_open_time', '2024-01-02T00:01:00Z'))",
        [BTC],
    )
    connection.commit()


def _publish(connection: Connection, url: str) -> None:
    """News, filings and a statistic that its bureau revised."""
    store(connection, 101, b"<feed/>", at=NOW - timedelta(hours=8), url="https://wire.example/feed")
    with connect(url, role="strades_dbt") as dbt:
        dbt.execute(NEWS_TABLE)
        for n, title in enumerate(TITLES):
            at = NOW - timedelta(minutes=40 * (n + 1))
            connection.execute(
                "INSERT INTO records.articles VALUES ('wire', %s, 'https://wire.example/1', %s, %s, NULL, '{}', 'en', "
                "'{}', %s, %s, 'stated', 101, %s)",
                [f"a{n}", title, f"{title}. The market took notice.", at, at, at],
            )
            connection.execute(
                "INSERT INTO ops.article_tones VALUES ('wire', %s, %s, 'words-1', %s, 9, '{11}')", [f"a{n}", at, n]
            )
            dbt.execute(
                "INSERT INTO cleaned.news VALUES ('wire', %s, %s, %s, '', NULL, %s, 101, %s, %s)",
                [f"a{n}", AAPL if n in (1, 4) else BTC, title, at, at, at.date()],
            )
    for n, form in enumerate(("10-K", "8-K", "4")):
        at = NOW - timedelta(days=30 * n + 1)
        connection.execute(
            "INSERT INTO records.documents VALUES ('sec', %s, '0000320193', %s, %s, 'https://sec.example/1', "
            "'2023-09-30', %s, %s, 'stated', 101, %s)",
            [f"0000320193-23-{n}", form, f"{form} of Apple Inc.", at, at, at],
        )
    for n in range(12):
        at = NOW - timedelta(days=91 * n + 5)
        value = [SERIES, QUARTER - timedelta(days=91 * n), 2.0 + n % 3, "percent a year", None, at, "stated", 101, at]
        connection.execute(f"INSERT INTO records.observations VALUES ({', '.join(['%s'] * len(value))})", value)
    connection.commit()


@contextmanager
def refusing_connections(server: str, database: str) -> Iterator[None]:
    """End every connection to a database, and let nobody in until the block ends."""
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS false')
        try:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
            yield
        finally:
            admin.execute(f'ALTER DATABASE "{database}" ALLOW_CONNECTIONS true')


def rows_of(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, on a connection of its own."""
    with connect(url) as connection:
        return connection.execute(query).fetchall()
