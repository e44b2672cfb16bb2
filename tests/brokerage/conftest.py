"""A market of two coins with minute bars and two stocks with daily ones, in a fresh database."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.body_store import keep_body
from strades_pipelines.database.connection import connect
from tests.waiting import wait_until

START = datetime(2024, 1, 2, tzinfo=UTC)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
BTC, ETH, AAPL, IBM = 11, 12, 21, 22
LISTINGS = [
    (BTC, "gateio", "BTC_USDT", "USDT", "0.1", "0.00001", "raw", "24/7"),
    (ETH, "gateio", "ETH_USDT", "USDT", "0.01", "0.00001", "raw", "24/7"),
    (AAPL, "yahoo", "AAPL", "USD", "0.01", "1", "split", "XNYS"),
    (IBM, "yahoo", "IBM", "USD", "0.01", "1", "split", "XNYS"),
]
DAILY_BARS = """
    CREATE TABLE cleaned.daily_bars (
        listing_id integer, venue text, symbol text, session_date date, open_time timestamptz, close_time timestamptz,
        open float8, high float8, low float8, close float8, volume float8, currency text, total_return_factor float8,
        knowledge_time timestamptz, fetch_id bigint, recorded_at timestamptz
    );
    GRANT SELECT ON cleaned.daily_bars TO strades_app
"""

Connection = psycopg.Connection[Any]
AddCandles = Callable[..., None]
AddTrades = Callable[..., None]
SentTrade = tuple[int, float, float, str]  # number, seconds after a start, size, side
AddQuotes = Callable[..., None]
# Number, seconds after a start, bid, its size, ask, its size.
SentQuote = tuple[int, float, float | None, float | None, float | None, float | None]

PAPER = WalletTemplate(
    name="paper",
    mode="paper",
    strategy="sma_cross",
    parameters={"fast": 1, "slow": 2, "size": 2.0},
    instruments=("gateio:BTC_USDT",),
    interval="1m",
    currency="USDT",
    cash=Decimal(1000),
    fee_rate=Decimal("0.001"),
    max_age=15 * MINUTE,
    opened_at=START,
)
REPLAY = replace(PAPER, name="replayed", mode="replay", opened_at=None)


@pytest.fixture
def market(connection: Connection, database_url: str) -> Connection:
    """The four listings and an empty table of daily bars."""
    with connect(database_url, role="strades_dbt") as dbt:
        dbt.execute(DAILY_BARS)
        dbt.execute("SELECT trading.watch_daily_bars()")
    for listing in LISTINGS:
        connection.execute("INSERT INTO records.listings VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", listing)
    connection.commit()
    return connection


@pytest.fixture
def add_candles(market: Connection) -> AddCandles:
    """Adds minute bars from `start` on; a bar opens at the close before it unless `opens` says otherwise."""

    def add(
        closes: Sequence[float],
        *,
        opens: Sequence[float] | None = None,
        start: datetime = START,
        listing: int = BTC,
        recorded_at: datetime = START,
    ) -> None:
        opens = opens or [*closes[:1], *closes[:-1]]
        bars = []
        for n, (open_, close) in enumerate(zip(opens, closes, strict=True)):
            end = start + (n + 1) * MINUTE
            prices = open_, max(open_, close), min(open_, close), close
            bars.append([listing, end - MINUTE, end, *prices, end, recorded_at])
        market.cursor().executemany(
            "INSERT INTO records.candles VALUES (%s, '1m', %s, %s, %s, %s, %s, %s, 1, 1, 1, %s, 'stated', 1, %s)", bars
        )
        market.commit()

    return add


@pytest.fixture
def add_fetch(market: Connection) -> Callable[[datetime], int]:
    """Stores a fetch of a stream that was answered at a time; returns its id. Commits nothing."""
    answers: list[int] = []

    def add(at: datetime) -> int:
        answers.append(len(answers) + 1)
        with market.cursor() as cursor:
            sha256 = keep_body(cursor, str(answers).encode())
            cursor.execute(
                "INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, method, url, given, month,"
                " fetched_at, answered_at, outcome, sha256, run_id) VALUES"
                " (%s, 's', 'p', %s, 'STREAM', 'u', '{}', '2024-01-01', %s, %s, 'stored', %s, 'r')",
                [answers[-1], str(answers[-1]), at, at, sha256],
            )
        return answers[-1]

    return add


@pytest.fixture
def add_trades(market: Connection, add_fetch: Callable[[datetime], int]) -> AddTrades:
    """Stores trades of one answer that came `came` seconds after `start`, and was stored then."""

    def add(trades: Sequence[SentTrade], *, came: float, listing: int = BTC, start: datetime = START) -> None:
        at = start + came * SECOND
        fetch_id = add_fetch(at)
        for number, happened, size, side in trades:
            event = start + happened * SECOND
            row = [listing, str(number), event, 100.0, size, side, event, fetch_id, at]
            market.execute("INSERT INTO records.trades VALUES (%s, %s, %s, %s, %s, %s, %s, 'stated', %s, %s)", row)
        market.commit()

    return add


@pytest.fixture
def add_quotes(market: Connection, add_fetch: Callable[[datetime], int]) -> AddQuotes:
    """Stores quotes of one batch that came `came` seconds after `start`, and was stored then."""

    def add(quotes: Sequence[SentQuote], *, came: float, listing: int = BTC, start: datetime = START) -> None:
        at = start + came * SECOND
        fetch_id = add_fetch(at)
        for number, happened, *sides in quotes:
            event = start + happened * SECOND
            row = [listing, str(number), event, *sides, event, fetch_id, at]
            market.execute("INSERT INTO records.quotes VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'stated', %s, %s)", row)
        market.commit()

    return add


@pytest.fixture
def add_days(market: Connection, database_url: str) -> AddCandles:
    """Adds daily bars of a stock: sessions of 14:30 to 21:00 UTC, on every day from `start` on."""

    def add(
        closes: Sequence[float], *, start: datetime = START, listing: int = AAPL, recorded_at: datetime = START
    ) -> None:
        with connect(database_url, role="strades_dbt") as dbt:
            bars = []
            for n, close in enumerate(closes):
                opened = start + timedelta(days=n, hours=14, minutes=30)
                closed = start + timedelta(days=n, hours=21)
                row = [listing, "yahoo", "", opened.date(), opened, closed, *[close] * 4, None, "USD", 1, closed, 1]
                bars.append([*row, recorded_at])
            dbt.cursor().executemany(f"INSERT INTO cleaned.daily_bars VALUES ({', '.join(['%s'] * 16)})", bars)

    return add


@pytest.fixture
def wallet(market: Connection) -> Wallet:
    """An open paper wallet."""
    return open_wallet(market, PAPER, now=START)


def wait_for_older_transactions(connection: Connection) -> None:
    """Changes are deleted once no transaction of the server is older, and the server of the tests has others."""
    over = "changed_by < pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    wait_until(lambda: rows(connection, f"SELECT bool_and({over}) FROM trading.input_changes") == [(True,)])


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query, in a transaction of their own."""
    found = connection.execute(query).fetchall()
    connection.commit()
    return found
