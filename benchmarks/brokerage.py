"""From a decision to an order on the wire, intents a second, and what a pass costs a wallet that is old.

Against the sandbox's Alpaca over HTTP, in a process of its own, with its limits off, and a PostgreSQL of its own with
`synchronous_commit` and `fsync` on. What counts are ratios, measured in one go. `BROKERAGE_ORDERS` (100,000) and
`BROKERAGE_DAYS` (365) make the old wallet smaller.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import requests

from strades_pipelines.brokerage.brokers.alpaca.broker import AlpacaBroker, new_client
from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import VenueOrder
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.live import decide
from strades_pipelines.brokerage.portfolio import open_wallet
from strades_pipelines.brokerage.trading_rows import decision_row, insert
from strades_pipelines.brokerage.wallets import WalletTemplate
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.pipelining import commit_lazily
from strades_pipelines.database.roles import create_roles, in_database
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.market.order_terms import Order, OrderRequest, OrderTerms, TradingDecision

ORDERS = int(os.environ.get("BROKERAGE_ORDERS", "100000"))
DAYS = int(os.environ.get("BROKERAGE_DAYS", "365"))
SINGLE, MANY, PASSES = 60, 100, 30
MINUTE = timedelta(minutes=1)
HOST = "paper-api.alpaca.markets"
KEYS = "sandbox-key", "sandbox-secret"
BTC, AAPL = 1, 2
LISTINGS = [
    (BTC, "gateio", "BTC_USDT", "USDT", "0.1", "0.00001", "raw", "24/7"),
    (AAPL, "yahoo", "AAPL", "USD", "0.01", "1", "split", "XNYS"),
]
TEMPLATE = WalletTemplate(
    name="young",
    mode="paper",
    strategy="sma_cross",
    parameters={"fast": 20, "slow": 50, "size": 0.01},
    instruments=("gateio:BTC_USDT",),
    interval="1m",
    currency="USDT",
    cash=Decimal(1_000_000_000),
    fee_rate=Decimal("0.001"),
    max_age=timedelta(minutes=15),
    opened_at=None,
)
CANDLES = """
    INSERT INTO records.candles (listing_id, "interval", open_time, close_time, open, high, low, close, volume,
        knowledge_time, knowledge_basis, fetch_id, recorded_at)
    SELECT %(listing)s, '1m', minute, minute + interval '1 minute', price, price + 1, price - 1, price, 10,
        minute + interval '1 minute', 'stated', 1, minute + interval '1 minute'
    FROM generate_series(
        %(start)s::timestamptz, %(end)s::timestamptz - interval '1 minute', interval '1 minute'
    ) AS minute
    CROSS JOIN LATERAL (
        SELECT round(cast(100 + 10 * sin(extract(epoch FROM minute) / 7000) AS numeric), 1) AS price
    ) AS prices
"""
# So many market orders, bought and sold in turn, each filled: as a year of trading leaves them.
PAST = (
    """
    CREATE TEMPORARY TABLE past ON COMMIT DROP AS
    SELECT n, 'd' || n AS decision_id, 'i' || n AS intent_id, CASE WHEN n %% 2 = 0 THEN 'buy' ELSE 'sell' END AS side,
        %(start)s::timestamptz + n * (%(end)s::timestamptz - %(start)s::timestamptz) / (%(count)s + 1) AS at
    FROM generate_series(0, %(count)s - 1) AS n
    """,
    """
    INSERT INTO signals.decisions (decision_id, wallet, strategy, listing_id, decided_at, trigger_kind, trigger_id,
        ordinal, previous_target, target, reason, inputs, recorded_at)
    SELECT decision_id, 'old', 'past', %(listing)s, at, 'bar', '', 0, 0, 0, '', '{}', at FROM past
    """,
    """
    INSERT INTO trading.intents (intent_id, decision_id, wallet, listing_id, leg, side, quantity, broker, intended_at,
        recorded_at)
    SELECT intent_id, decision_id, 'old', %(listing)s, 0, side, 1, 'paper', at, at FROM past
    """,
    """
    INSERT INTO trading.order_events (intent_id, sequence, state, filled, recorded_at)
    SELECT past.intent_id, states.place - 1, states.name, CASE states.name WHEN 'filled' THEN 1 ELSE 0 END, past.at
    FROM past CROSS JOIN unnest(ARRAY['planned', 'submitting', 'filled']) WITH ORDINALITY AS states (name, place)
    """,
    """
    INSERT INTO trading.orders (intent_id, wallet, broker, state, submitted_at, updated_at, sequence, filled)
    SELECT intent_id, 'old', 'paper', 'filled', at, at, 2, 1 FROM past
    """,
    """
    INSERT INTO trading.fills (fill_id, intent_id, wallet, listing_id, side, quantity, price, fee, currency, filled_at,
        known_at, recorded_at)
    SELECT 'f' || n, intent_id, 'old', %(listing)s, side, 1, 100, 0, 'USDT', at, at, at FROM past
    """,
    """
    INSERT INTO trading.ledger SELECT 'old', n + 1, 'fill', 'f' || n, at, 'USDT', 0, 1000000000, '', '' FROM past
    """,
)


def main() -> None:
    """Print the figures of an order, of many, and of passes."""
    with database() as url, sandbox() as address:
        print(f"load {os.getloadavg()[0]:.1f} at the start")
        with connect(url) as connection, connect(url) as theirs, closing(adbc_connect(url)) as adbc:
            for listing in LISTINGS:
                connection.execute("INSERT INTO records.listings VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", listing)
            now = datetime.now(UTC).replace(second=0, microsecond=0)
            fill(connection, now - timedelta(hours=1), now, listing=AAPL)
            venue = TimedBroker(AlpacaBroker(new_client(*KEYS, f"{address}/{HOST}"), {AAPL: "AAPL"}))
            one_order(connection, venue, address)
            many_orders(connection, venue)
            passes(connection, theirs, adbc)
        print(f"load {os.getloadavg()[0]:.1f} at the end")


def one_order(connection: psycopg.Connection[Any], venue: "TimedBroker", address: str) -> None:
    """A decision stored and sent, beside a bare commit and a bare round trip, in turn."""
    open_at_alpaca(connection, "single")
    session = requests.Session()
    headers = dict(zip(("APCA-API-KEY-ID", "APCA-API-SECRET-KEY"), KEYS, strict=True))
    connection.execute("CREATE TABLE public.commits (n integer)")
    connection.commit()
    spent: dict[str, list[float]] = {"commit": [], "round trip": [], "wire": [], "answer": []}
    for n in range(SINGLE):
        spent["commit"].append(timed(lambda: commit_bare(connection)))
        spent["round trip"].append(timed(lambda: session.get(f"{address}/{HOST}/v2/clock", headers=headers)))
        started = time.perf_counter()
        store(connection, "single", n)
        execute_pending(connection, venue, "single", now=datetime.now(UTC))
        spent["wire"].append(venue.requested_at[-1] - started)
        spent["answer"].append(venue.answered_at[-1] - started)
        execute_pending(connection, venue, "single", now=datetime.now(UTC))  # its fill, so that none is under way
    for what, times in spent.items():
        # The first ones pay for what is loaded late.
        p50, p99 = np.percentile(times[5:], [50, 99]) * 1000
        print(f"{what:10}  p50 {p50:6.2f} ms  p99 {p99:6.2f} ms")
    floor = np.median(spent["commit"]) + np.median(spent["round trip"])
    for what in ("wire", "answer"):
        print(f"{what} to a commit and a round trip: {np.median(spent[what]) / floor:.2f}")


def many_orders(connection: psycopg.Connection[Any], venue: "TimedBroker") -> None:
    """Decisions that wait, sent in one pass."""
    open_at_alpaca(connection, "many")
    for n in range(MANY):
        store(connection, "many", n)
    started = time.perf_counter()
    done = execute_pending(connection, venue, "many", now=datetime.now(UTC))
    spent = time.perf_counter() - started
    print(f"{len(done.sent)} intents in one pass: {len(done.sent) / spent:.0f} a second")


def passes(connection: psycopg.Connection[Any], theirs: psycopg.Connection[Any], adbc: Any) -> None:
    """A new minute for a wallet of a day and for one of a year with its past orders, in turn."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    wallets = {"young": now - timedelta(days=1), "old": now - timedelta(days=DAYS)}
    fill(connection, wallets["old"] - timedelta(days=1), now)
    for name, opened_at in wallets.items():
        open_wallet(connection, replace(TEMPLATE, name=name, opened_at=opened_at), now=now)
    span = {"start": wallets["old"], "end": now, "count": ORDERS, "listing": BTC}
    # What triggers would make of the rows is among them; one by one that takes longer than all the rest.
    tables = ("signals.decisions", "trading.intents", "trading.order_events", "trading.orders", "trading.fills")
    for table in tables:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    for statement in PAST:
        connection.execute(statement, span)
    connection.execute("UPDATE signals.decisions SET is_pending = false WHERE wallet = 'old'")
    for table in tables:
        connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    connection.commit()
    connection.autocommit = True
    connection.execute("ANALYZE")
    connection.autocommit = False
    spent: dict[str, list[float]] = {name: [] for name in wallets}
    for name in wallets:
        first = timed(lambda name=name: decide(connection, adbc, name, now=now))  # type: ignore[misc]
        print(f"{name}: from the opening {first:.2f} s")
        one_pass(connection, theirs, adbc, name, now)  # all that was decided then is too old, and refused
    for n in range(PASSES):
        fill(connection, now + n * MINUTE, now + (n + 1) * MINUTE)
        at = now + (n + 1) * MINUTE + MINUTE / 30
        # In turn, so that neither always finds what the other has left in memory.
        for name in list(wallets)[:: 1 if n % 2 else -1]:
            spent[name].append(timed(lambda name=name, at=at: one_pass(connection, theirs, adbc, name, at)))  # type: ignore[misc]
    for name, times in spent.items():
        print(f"{name}: a pass {np.median(times) * 1000:.1f} ms (p99 {np.percentile(times, 99) * 1000:.1f})")
    print(f"a pass of the old one to one of the young one: {np.median(spent['old']) / np.median(spent['young']):.2f}")


def one_pass(
    connection: psycopg.Connection[Any], theirs: psycopg.Connection[Any], adbc: Any, name: str, now: datetime
) -> None:
    decide(connection, adbc, name, now=now)
    wallet = open_wallet(connection, replace(TEMPLATE, name=name, opened_at=opened(connection, name)), now=now)
    execute_pending(connection, PaperBroker(theirs, wallet), name, now=now)


def opened(connection: psycopg.Connection[Any], name: str) -> datetime:
    row = connection.execute("SELECT opened_at FROM trading.wallets WHERE wallet = %s", [name]).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


def open_at_alpaca(connection: psycopg.Connection[Any], name: str) -> None:
    template = replace(TEMPLATE, name=name, instruments=("yahoo:AAPL",), currency="USD", fee_rate=Decimal(0))
    open_wallet(connection, replace(template, broker="alpaca"), now=datetime.now(UTC) - MINUTE)


def store(connection: psycopg.Connection[Any], wallet: str, n: int) -> None:
    """Store a decision for a market order of its own."""
    at = datetime.now(UTC)
    request = OrderRequest(Decimal(1), OrderTerms())
    made = TradingDecision(wallet, "bench", 0, AAPL, at, "bar", "b", n, 0.0, 0.0, "why", {}, request)
    insert(connection, "signals.decisions", decision_row(made, at))
    commit_lazily(connection)  # as `decide` does


def commit_bare(connection: psycopg.Connection[Any]) -> None:
    connection.execute("INSERT INTO public.commits VALUES (1)")
    connection.commit()


def fill(connection: psycopg.Connection[Any], start: datetime, end: datetime, *, listing: int = BTC) -> None:
    connection.execute(CANDLES, {"listing": listing, "start": start, "end": end})
    connection.commit()


def timed(work: Callable[[], object]) -> float:
    """The seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


class TimedBroker:
    """A venue that notes when it was asked for an order, and when it had answered."""

    def __init__(self, broker: AlpacaBroker, first: "TimedBroker | None" = None) -> None:
        self.requested_at: list[float] = first.requested_at if first else []
        self.answered_at: list[float] = first.answered_at if first else []
        self._lanes: list[TimedBroker] = []
        self._broker = broker
        self.name, self.grace = broker.name, broker.grace
        self.links_orders, self.lacks = broker.links_orders, broker.lacks
        self.lookup, self.cancel = broker.lookup, broker.cancel

    def lanes(self) -> Sequence["TimedBroker"]:
        """The broker and others, each with a session of its own."""
        if not self._lanes:
            self._lanes = [self, *(TimedBroker(broker, self) for broker in self._broker.lanes()[1:])]
        return self._lanes

    def submit(self, order: Order, *, at: datetime) -> VenueOrder:
        """Place the order."""
        self.requested_at.append(time.perf_counter())
        try:
            return self._broker.submit(order, at=at)
        finally:
            self.answered_at.append(time.perf_counter())


@contextmanager
def database() -> Iterator[str]:
    """A migrated database on a server of its own, as it comes."""
    with tempfile.TemporaryDirectory(prefix="strades-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedServer(Path(folder) / "postgres")
        owner = server.start()
        try:
            with psycopg.connect(owner, autocommit=True) as connection:
                create_roles(connection)
                connection.execute("CREATE DATABASE bench")
            url = in_database(owner, "bench")
            migrate(url, world="sandbox")
            yield url
        finally:
            server.stop()


@contextmanager
def sandbox() -> Iterator[str]:
    """The sandbox in a process of its own, its venues' limits off."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "STRADES_SANDBOX_URL": address}
    command: Sequence[str] = [sys.executable, "-m", "sandbox"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                requests.get(f"{address}/-/venue", timeout=5)
                break
            except requests.ConnectionError:
                time.sleep(0.2)
        requests.post(f"{address}/-/venue/limits", json={"venue": "alpaca", "on": False}, timeout=5).raise_for_status()
        yield address
    finally:
        process.terminate()
        process.wait()
