"""A restart of an account with 100,000 past orders: what it reads and asks for follows what is new."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest

from strades_pipelines.brokerage.brokers.paper import PaperBroker
from strades_pipelines.brokerage.brokers.venue import VenueAccount
from strades_pipelines.brokerage.execution import execute_pending
from strades_pipelines.brokerage.portfolio import Wallet
from strades_pipelines.brokerage.reconcile import Reconciled, reconcile
from strades_pipelines.database.connection import connect
from tests.brokerage.conftest import BTC, MINUTE, START, AddCandles, Connection, rows
from tests.brokerage.test_execution import CLOSES, DECIDED, FILLED, SENT, decision

ORDERS = 100_000
# A buy and a sale of one unit by turns at one price, a hundred an hour over the weeks before: nothing is held after
# them, and no cash was moved. Triggers are off: each would be run a hundred thousand times.
PAST = """
    SET LOCAL session_replication_role = replica;
    CREATE TEMPORARY TABLE past ON COMMIT DROP AS
    SELECT
        n,
        'past' || n AS id,
        CASE n %% 2 WHEN 0 THEN 'sell' ELSE 'buy' END AS side,
        %(first)s::timestamptz + n * interval '36 seconds' AS at
    FROM generate_series(1, %(orders)s) AS n;
    INSERT INTO signals.decisions
    SELECT id, 'paper', 'past', %(listing)s, at, 'bar', 'b', n, 0, 0, 'why', '{}', at, NULL, false FROM past;
    INSERT INTO trading.intents (
        intent_id, decision_id, wallet, listing_id, leg, side, quantity, broker, intended_at, recorded_at
    )
    SELECT id, id, 'paper', %(listing)s, 0, side, 1, 'paper', at, at FROM past;
    INSERT INTO trading.orders (
        intent_id, wallet, broker, venue_order_id, state, updated_at, submitted_at, sequence, filled
    )
    SELECT id, 'paper', 'paper', id, 'filled', at, at, 3, 1 FROM past;
    INSERT INTO trading.fills
    SELECT 'fill' || n, id, 'paper', %(listing)s, side, 1, 100, 0, 'USDT', at, at, '1m', at, at FROM past;
    INSERT INTO trading.paper_venue_orders (
        client_order_id, account, listing_id, side, quantity, accepted_at, state, filled
    )
    SELECT id, 'paper', %(listing)s, side, 1, at, 'filled', 1 FROM past;
    INSERT INTO trading.paper_venue_fills
    SELECT id, '1m@' || n, 1, 100, 0, at, '1m', at FROM past;
"""


class Counting(PaperBroker):
    """The paper venue, and how many fills it told the last time."""

    told = 0

    def account(self, since: datetime, *, at: datetime) -> VenueAccount:
        found = super().account(since, at=at)
        type(self).told = len(found.fills)
        return found


@pytest.fixture
def venue(market: Connection, wallet: Wallet, add_candles: AddCandles, database_url: str) -> Iterator[Counting]:
    """A wallet whose venue has filled one order."""
    add_candles(CLOSES)
    decision(market, 2.0, DECIDED)
    with connect(database_url) as theirs:
        made = Counting(theirs, wallet)
        for now in (SENT, FILLED):
            execute_pending(market, made, "paper", now=now)
        yield made


def past(database_url: str) -> None:
    """A hundred thousand orders that are over, the last of them ten days before the wallet's first one."""
    first = START - timedelta(days=10) - ORDERS * timedelta(seconds=36)
    with psycopg.connect(database_url) as owner:
        for statement in PAST.split(";\n"):
            if statement.strip():
                owner.execute(statement, {"first": first, "orders": ORDERS, "listing": BTC})
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("ANALYZE")


def rows_read(market: Connection) -> int:
    """The rows that queries of this database have read of trading's tables so far."""
    market.execute("SELECT pg_stat_force_next_flush()")
    market.commit()
    [(count,)] = rows(
        market,
        "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables "
        "WHERE schemaname = 'trading'",
    )
    return int(count)


def counted(market: Connection, venue: Counting, wallet: Wallet, now: datetime) -> tuple[Reconciled, int]:
    """A reconciliation and the rows that it read."""
    before = rows_read(market)
    done = reconcile(market, venue, [wallet], now=now)
    return done, rows_read(market) - before


def test_a_restart_with_a_hundred_thousand_past_orders_costs_what_is_new(
    venue: Counting, market: Connection, wallet: Wallet, database_url: str
) -> None:
    _, young = counted(market, venue, wallet, FILLED)
    past(database_url)
    done, old = counted(market, venue, wallet, FILLED + MINUTE)
    assert (done.findings, done.fills, Counting.told) == ([], 1, 1)
    assert old <= 2 * young + 100, f"{old} rows read, {young} before there were {ORDERS:,} orders"
