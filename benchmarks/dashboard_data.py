"""The synthetic database of `benchmarks.dashboard`: written straight into the tables that pages read.

Prices follow a sine and words repeat: only numbers and shapes of rows matter. `DASHBOARD_STOCKS` (500),
`DASHBOARD_YEARS` (20), `DASHBOARD_MINUTE_DAYS` (365, of 20 symbols) and `DASHBOARD_FILLS` (100,000) make it smaller.
"""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import zstandard

from benchmarks.brokerage import PAST, TEMPLATE
from strades_pipelines.brokerage.wallet_opening import open_wallet
from strades_pipelines.resources.dbt_project import database_name, ensure_manifest, invoke, load_parsed

STOCKS = int(os.environ.get("DASHBOARD_STOCKS", "500"))
YEARS = int(os.environ.get("DASHBOARD_YEARS", "20"))
MINUTE_DAYS = int(os.environ.get("DASHBOARD_MINUTE_DAYS", "365"))
FILLS = int(os.environ.get("DASHBOARD_FILLS", "100000"))
PAIRS = 20
END = datetime(2026, 10, 30, tzinfo=UTC)
WALLET, FIRST_STOCK = "old", 1001
LISTINGS = """
    INSERT INTO records.listings
    SELECT %(first)s + n, %(venue)s, %(letter)s || to_char(n, 'FM000') || %(ending)s, %(currency)s, 0.01, 0.00001,
        'split', %(calendar)s
    FROM generate_series(0, %(count)s - 1) AS n
"""
CANDLES = """
    INSERT INTO records.candles (listing_id, "interval", open_time, close_time, open, high, low, close, volume,
        knowledge_time, knowledge_basis, fetch_id, recorded_at)
    SELECT l.listing_id, %(interval)s, bar.at, bar.at + %(step)s::interval, p.price, p.price * 1.01, p.price * 0.99,
        p.price, 1000, bar.at + %(step)s::interval, 'stated', 1, bar.at + %(step)s::interval
    FROM records.listings AS l
    CROSS JOIN generate_series(%(start)s::timestamptz, %(end)s::timestamptz, %(step)s::interval) AS bar (at)
    CROSS JOIN LATERAL (SELECT 100 + 10 * sin(l.listing_id + extract(epoch FROM bar.at) / 900000) AS price) AS p
    WHERE l.listing_id BETWEEN %(first)s AND %(last)s AND (%(interval)s <> '1d' OR extract(isodow FROM bar.at) < 6)
    ORDER BY l.listing_id, bar.at
"""
STATEMENTS = (
    """
    INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, status, fetched_at,
        outcome, sha256, run_id)
    SELECT n, (ARRAY['yahoo', 'gateio', 'ecb'])[1 + n %% 3], 'feed', 'key ' || n, 'https://example.org/' || n, '{}',
        '2026-10-01', 200, '2026-10-30Z'::timestamptz - n * interval '1 minute', 'stored', sha256('[]'), 'run'
    FROM generate_series(1, 50000) AS n
    """,
    """
    INSERT INTO records.articles
    SELECT 'feed' || n %% 3, 'article ' || n, 'https://example.org/a/' || n, 'What ' || n %% 9973 || ' says of S001',
        repeat('words of a summary ', 12), NULL, '{}', 'en', '{}', at, at, 'stated', 1 + n %% 50000, at
    FROM generate_series(1, 50000) AS n
    CROSS JOIN LATERAL (SELECT '2026-10-29Z'::timestamptz - n * interval '11 minutes' AS at) AS t
    """,
    """
    INSERT INTO records.observations
    SELECT 'SERIES:' || to_char(s, 'FM000'), day, 3 + sin(s + extract(epoch FROM day) / 9000000), 'percent', NULL,
        day + interval '16 hours', 'stated', 1, day + interval '17 hours'
    FROM generate_series(1, 100) AS s
    CROSS JOIN generate_series('2006-10-30Z'::timestamptz, '2026-10-29Z', interval '1 day') AS day
    """,
    """
    INSERT INTO records.documents
    SELECT 'sec', 'filing ' || n, to_char(n %% 500, 'FM0000000000'), (ARRAY['10-K', '10-Q', '8-K', '4'])[1 + n %% 4],
        'Report ' || n, 'https://example.org/f/' || n, NULL, at, at, 'stated', 1 + n %% 50000, at
    FROM generate_series(1, 50000) AS n
    CROSS JOIN LATERAL (SELECT '2026-10-29Z'::timestamptz - n * interval '1 hour' AS at) AS t
    """,
    """
    INSERT INTO cleaned.daily_bars (listing_id, venue, symbol, session_date, open_time, close_time, open, high, low,
        close, volume, currency, total_return_factor, is_half_day, knowledge_time, fetch_id, recorded_at, quoted_venue)
    SELECT c.listing_id, l.venue, l.symbol, c.open_time::date, c.open_time, c.close_time, c.open, c.high, c.low,
        c.close, c.volume, l.currency, 1, false, c.knowledge_time, c.fetch_id, c.recorded_at, l.venue
    FROM records.candles AS c INNER JOIN records.listings AS l ON l.listing_id = c.listing_id
    WHERE c."interval" = '1d'
    """,
    """
    INSERT INTO cleaned.gaps (listing_id, "interval", gap_start, gap_end, missing, cause)
    SELECT l.listing_id, '1d', day, day + interval '1 day', 1, 'no_trades' FROM records.listings AS l
    CROSS JOIN generate_series('2020-01-06Z'::timestamptz, '2026-10-01Z', interval '30 days') AS day
    """,
    """
    INSERT INTO results.equity
    SELECT 'old', %(opened)s::timestamptz + n * (%(end)s::timestamptz - %(opened)s::timestamptz) / %(fills)s,
        500, 500, value, 1000 + n / 1000.0, value, least(0, sin(n / 5000.0)) / 10
    FROM generate_series(0, %(fills)s) AS n CROSS JOIN LATERAL (SELECT 1000 + 50 * sin(n / 5000.0) AS value) AS v
    """,
    # So that Verify finds what it finds in a sound wallet: nothing.
    """
    UPDATE results.equity SET cash = 1000000000, holdings = 0, equity = 1000000000 WHERE time = %(end)s
    """,
    """
    UPDATE trading.ledger AS l SET amount = CASE f.side WHEN 'buy' THEN -f.price ELSE f.price END, kind = 'fill'
    FROM trading.fills AS f WHERE f.fill_id = l.reference
    """,
    """
    INSERT INTO trading.ledger
    SELECT wallet, sequence + %(fills)s, 'fee', reference, occurred_at, currency, 0, balance, '', '' FROM trading.ledger
    WHERE kind = 'fill'
    """,
    """
    INSERT INTO results.performance VALUES (
        'old',
        '{"total_return": 0.1, "max_drawdown": -0.1, "sharpe": 1.2, "round_trips": 50000, "fees": 12, "trades": 100000,
          "won": 26000, "exposure": 0.5, "turnover": 90, "to": "2026-10-30T00:00:00+00:00", "returns": 365,
          "sharpe_per_return": 0.06, "skewness": 0.1, "kurtosis": 3.2, "returns_per_year": 365, "psr": 0.8}',
        '{"total_return": 0.08, "max_drawdown": -0.2, "sharpe": 0.9}'
    )
    """,
    """
    INSERT INTO results.round_trips
    SELECT 'old', n, 1, 'long', at, at + interval '2 minutes', 2, 1, 100, 100.5, 0.1, 0.4, at + interval '2 minutes'
    FROM generate_series(0, %(fills)s / 2 - 1) AS n
    CROSS JOIN LATERAL (
        SELECT %(opened)s::timestamptz + n * (%(end)s::timestamptz - %(opened)s::timestamptz) / (%(fills)s / 2) AS at
    ) AS t
    """,
    """
    INSERT INTO results.wallet_sessions
    SELECT 'old', day::date, day, day + interval '1 day', 1000, 0, 1, 0, 0, 0.1, 0, 1001, 0.001 * sin(n), '{}', n, '{}'
    FROM generate_series(%(opened)s::timestamptz, %(end)s::timestamptz - interval '1 day', interval '1 day')
        WITH ORDINALITY AS days (day, n)
    """,
    """
    INSERT INTO results.session_attribution
    SELECT 'old', session_date, 1, 'past', 'algorithm', 0, 270, 27000, 0.1, 1 FROM results.wallet_sessions
    """,
    """
    INSERT INTO results.return_statistics
    SELECT 'old', min(session_date), max(valued_at), count(*), 0.1, 0.1, '{}', count(*), max(valued_at), 0.0003, 0.001,
        -0.001, 0.001, ARRAY[-0.001, 0, 0.001], ARRAY[180, 185], 1000, 7.1, 1994, 0.9, max(last_sequence)
    FROM results.wallet_sessions
    """,
    "INSERT INTO results.growth_bands SELECT 'old', session_date, 1.1, 0.9, 1.1, 1.3 FROM results.wallet_sessions",
    """
    INSERT INTO results.fill_slippage
    SELECT fill_id, wallet, listing_id, filled_at, filled_at, side, quantity, price, currency, 99.99, 0.01
    FROM trading.fills
    """,
    """
    INSERT INTO results.listing_slippage
    SELECT wallet, listing_id, currency, count(*), 0, sum(reference * quantity), sum(slippage)
    FROM results.fill_slippage GROUP BY wallet, listing_id, currency
    """,
    "INSERT INTO results.listing_performance VALUES ('old', 1, 100, 12, '{\"total_return\": 0.1}', '{}')",
)


def fill_database(url: str, folder: Path) -> None:
    """Write all of it into a migrated database, and have PostgreSQL look at it.

    Args:
        folder: where dbt keeps what it parsed: its own tables are made empty first.
    """
    parsed = load_parsed(ensure_manifest(folder), database=database_name(url))
    invoke(("run", "--select", "staging", "cleaned"), url=url, target=folder, parsed=parsed).check()
    opened = END - timedelta(days=365)
    with psycopg.connect(url, options="-c timezone=UTC") as connection:
        # What triggers would make of the rows is among them; one by one that takes longer than all the rest.
        connection.execute("SET session_replication_role = replica")
        _fill_markets(connection)
        open_wallet(
            connection, replace(TEMPLATE, name=WALLET, instruments=("gateio:P000_USDT",), opened_at=opened), now=END
        )
        for statement in PAST:
            connection.execute(statement, {"start": opened, "end": END, "count": FILLS, "listing": 1})
        connection.execute("UPDATE signals.decisions SET is_pending = false")
        connection.execute("INSERT INTO rawsources.bodies VALUES (sha256('[]'), 2, %s)", [zstandard.compress(b"[]")])
        for statement in STATEMENTS:
            connection.execute(statement, {"opened": opened, "end": END, "fills": FILLS})
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")


def _fill_markets(connection: psycopg.Connection[Any]) -> None:
    stocks: dict[str, Any] = {"first": FIRST_STOCK, "venue": "yahoo", "letter": "S", "ending": "", "currency": "USD"}
    pairs: dict[str, Any] = {"first": 1, "venue": "gateio", "letter": "P", "ending": "_USDT", "currency": "USDT"}
    connection.execute(LISTINGS, stocks | {"calendar": "XNYS", "count": STOCKS})
    connection.execute(LISTINGS, pairs | {"calendar": "24/7", "count": PAIRS})
    day, minute = timedelta(days=1), timedelta(minutes=1)
    for first, count, interval, step, days in (
        (FIRST_STOCK, STOCKS, "1d", day, round(365.25 * YEARS)),
        (1, PAIRS, "1m", minute, MINUTE_DAYS),
    ):
        span = {"interval": interval, "step": step, "start": END - timedelta(days=days), "end": END - step}
        connection.execute(CANDLES, span | {"first": first, "last": first + count - 1})
