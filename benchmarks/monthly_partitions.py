"""What partitions cost and give: loads and reads of a table with one for each month, beside the same table without any.

Trades lie in 24 months, as an installation of two years has them. Daily bars lie in 240: why candles have none.
"""

import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import psycopg
import pyarrow as pa

from strades_pipelines.database.bulk import load
from strades_pipelines.database.connection import adbc_connect, connect
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.monthly_tables import MONTHLY_TABLES, month_after
from strades_pipelines.database.roles import create_roles
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.ingestion.month_partitions import create_month
from strades_pipelines.ingestion.record_tables import TARGETS, Target
from strades_pipelines.market.records import TIME

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

FIRST = datetime(2006, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
BATCHES, ROWS = 40, 10_000
LISTINGS, YEARS = 100, 20
REPEATS = 7
# The same columns, checks, indexes and triggers, and no partitions.
WHOLE = """
    CREATE TABLE records.whole_trades (LIKE records.trades INCLUDING ALL);
    ALTER TABLE records.whole_trades ADD FOREIGN KEY (listing_id) REFERENCES records.listings;
    SELECT ops.mark_changes('records.whole_trades', 'inputs', 'trading.note_trades()');
    CREATE TABLE records.whole_candles (LIKE records.candles INCLUDING ALL);
    CREATE TABLE records.monthly_candles (LIKE records.candles INCLUDING ALL) PARTITION BY RANGE (open_time);
    INSERT INTO records.listings SELECT n, 'v', n::text, 'USD', 0.1, 0.1, 'raw', '24/7'
    FROM generate_series(1, 100) AS n
"""
MILLION = """
    INSERT INTO records.trades_default
    SELECT 1, n::text, '2020-01-01Z'::timestamptz + n * interval '2 s', 1, 1, 'buy', '2020-01-01Z', 'stated', 1, now()
    FROM generate_series(1, 1000000) AS n
"""
MONTHS = {"trades": 24, "candles": 12 * YEARS}


def main() -> None:
    """Print ratios of a table with partitions to one without, each the median of pairs in turn."""
    with tempfile.TemporaryDirectory(prefix="strades-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedServer(Path(folder) / "postgres")
        try:
            with psycopg.connect(server.start(), autocommit=True) as connection:
                create_roles(connection)
                connection.execute("CREATE DATABASE bench")
            url = server.url("bench")
            migrate(url, world="sandbox")
            _measure(url)
        finally:
            server.stop()


def _measure(url: str) -> None:
    with connect(url) as connection:
        for statement in WHOLE.split(";\n"):
            connection.execute(statement.encode())
        _cut(connection)
        connection.commit()
    trades = [_trades(number) for number in range(BATCHES)]
    _compare_loads(url, "trades, 24 months", "trade", ("records.trades", "records.whole_trades"), trades)
    bars = [_bars(listing) for listing in range(1, LISTINGS + 1)]
    _compare_loads(url, "daily bars, 240 months", "candle", ("records.monthly_candles", "records.whole_candles"), bars)
    with connect(url) as connection:
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
        month = "event_time >= '2026-05-01Z' AND event_time < '2026-06-01Z'"
        _compare_reads(connection, "all trades of a month", "trades", f"sum(price) FROM {{}} WHERE {month}")
        one = "sum(price) FROM {} WHERE fetch_id = 7"
        _compare_reads(connection, "trades of a fetch", "trades", one)
        series = "sum(close) FROM {} WHERE listing_id = 7 AND \"interval\" = '1d'"
        _compare_reads(connection, "20 years of a series of daily bars", "candles", series)
    _measure_move(url)


def _cut(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Make the partitions of the months up to `NOW`."""
    table = MONTHLY_TABLES["records.trades"]
    month = date(2024, 12, 1)
    for _ in range(MONTHS["trades"]):
        create_month(connection.cursor(), table, month)
        month = month_after(month)
    month = FIRST.date()
    for _ in range(MONTHS["candles"]):
        end = month_after(month)
        connection.execute(
            f"CREATE TABLE records.monthly_candles_{month:%Y_%m} PARTITION OF records.monthly_candles"
            f" FOR VALUES FROM ('{month}Z') TO ('{end}Z')".encode()
        )
        month = end


def _trades(number: int) -> pa.Table:
    """A batch of one listing: trades of a day and a half, batches two weeks apart."""
    start = int((NOW - timedelta(days=15 * (BATCHES - number))).timestamp() * 1e6)
    times = pa.array(start + np.arange(ROWS) * 13_000_000, pa.int64()).cast(TIME)
    ids = pa.array([f"{number}-{n}" for n in range(ROWS)])
    columns = {"listing_id": _same(1 + number % 7, ROWS), "trade_id": ids, "event_time": times}
    columns |= {"price": pa.array(100 + np.arange(ROWS) % 7.0), "size": pa.array(np.ones(ROWS))}
    columns |= {"side": pa.repeat(pa.scalar("buy"), ROWS)}
    return pa.table(columns | _stamps(times, number))


def _bars(listing: int) -> pa.Table:
    """20 years of daily bars of a listing."""
    count = int(365.25 * YEARS)
    opens = int(FIRST.timestamp() * 1e6) + np.arange(count) * 86_400_000_000
    close = pa.array(opens + 86_400_000_000, pa.int64()).cast(TIME)
    prices = pa.array(np.full(count, 100.0))
    columns = {"listing_id": _same(listing, count), "interval": pa.repeat(pa.scalar("1d"), count)}
    columns |= {"open_time": pa.array(opens, pa.int64()).cast(TIME), "close_time": close}
    return pa.table(
        columns | dict.fromkeys(("open", "high", "low", "close", "volume"), prices) | _stamps(close, listing)
    )


def _same(value: int, count: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.int32()), count)


def _stamps(known: pa.Array, fetch_id: int) -> dict[str, pa.Array]:
    count = len(known)
    basis = pa.repeat(pa.scalar("stated"), count)
    return {"knowledge_time": known, "knowledge_basis": basis, "fetch_id": pa.repeat(pa.scalar(fetch_id), count)}


def _compare_loads(url: str, title: str, kind: str, tables: tuple[str, str], batches: list[pa.Table]) -> None:
    """Load each batch into both tables, in turn, and once more unchanged."""
    for what in ("first load", "the same again"):
        seconds: dict[str, list[float]] = {table: [] for table in tables}
        with adbc_connect(url) as connection, connection.cursor() as cursor:
            for number, batch in enumerate(batches):
                for table in tables if number % 2 else tables[::-1]:
                    seconds[table].append(_timed(partial(_load, cursor, table, TARGETS[kind], batch)))
                    connection.commit()
        _print(f"{title}: {what}", *(median(seconds[table]) for table in tables))


def _load(cursor: "Cursor", table: str, target: Target, batch: pa.Table) -> None:
    load(cursor, table, batch, key=target.key, now=NOW, revisions=None, ignore=target.ignore, single_writer=True)


def _compare_reads(connection: "psycopg.Connection[tuple[object, ...]]", title: str, entity: str, query: str) -> None:
    names = ("records.trades" if entity == "trades" else "records.monthly_candles", f"records.whole_{entity}")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(REPEATS):
        for name in names:
            text = f"SELECT {query.format(name)}".encode()
            seconds[name].append(_timed(partial(connection.execute, text)))
    _print(title, *(median(seconds[name]) for name in names))


def _measure_move(url: str) -> None:
    """What a million rows cost: trades that get the partition of their month, and the new key of migration 0091."""
    with connect(url) as connection:
        connection.execute(MILLION)
        connection.execute("CREATE TABLE old_frames (LIKE rawsources.frames)")
        connection.execute(
            "INSERT INTO old_frames SELECT 1, n, 's', now(), 1, repeat('x', 200)::bytea"
            " FROM generate_series(1, 1000000) AS n"
        )
        connection.commit()
        with connection.cursor() as cursor:
            table = MONTHLY_TABLES["records.trades"]
            moving = _timed(partial(create_month, cursor, table, date(2020, 1, 1)))
        keying = _timed(
            partial(connection.execute, "ALTER TABLE old_frames ADD PRIMARY KEY (connection, sequence, received_at)")
        )
        connection.commit()
    print(f"{'a million trades into the partition of their month':50} {moving:8.1f} s")
    print(f"{'the key of a million frames (migration 0091)':50} {keying:8.1f} s")


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _print(title: str, monthly: float, whole: float) -> None:
    print(f"{title:50} {1000 * monthly:8.1f} ms, {1000 * whole:8.1f} ms without partitions: {monthly / whole:.2f}")


if __name__ == "__main__":
    main()
