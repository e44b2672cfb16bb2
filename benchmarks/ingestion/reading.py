"""Stored bars as of a time into arrays: a month of one instrument, a moment of 500; beside bare ADBC."""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg

from benchmarks.databases import empty_database
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.connection import adbc_connect

BARS = int(os.environ.get("INGESTION_BARS", "10000000"))
MONTH, INSTRUMENTS, TURNS = 43_200, 500, 15
START = datetime(2026, 9, 1, tzinfo=UTC)
END = START + timedelta(minutes=MONTH)
COLUMNS = ("listing_id", "open_time", "open", "high", "low", "close", "volume")
# Instruments with a month of bars, and others with its end alone, so that a moment has 500.
FILL = """
    INSERT INTO records.candles (listing_id, "interval", open_time, close_time, open, high, low, close, volume,
        knowledge_time, knowledge_basis, fetch_id, recorded_at)
    SELECT %(listing)s, '1m', minute, minute + interval '1 minute', price, price * 1.001, price * 0.999, price, 10,
        minute + interval '1 minute', 'assumed', %(listing)s, %(end)s
    FROM generate_series(%(start)s, %(end)s - interval '1 minute', interval '1 minute') AS minute
    CROSS JOIN LATERAL (SELECT 100 + 10 * sin(extract(epoch FROM minute) / 86400) AS price) AS prices
"""


def main() -> None:
    """Print the milliseconds of both ways, in turn, and their ratio."""
    with empty_database() as url:
        stored = _fill(url)
        print(f"{stored:,} bars stored")
        moment = END - timedelta(minutes=1)
        month = f"listing_id = 1 AND \"interval\" = '1m' AND open_time >= '{START}' AND open_time < '{END}'"
        every = f"listing_id BETWEEN 1 AND {INSTRUMENTS} AND \"interval\" = '1m' AND open_time = '{moment}'"
        ids = ", ".join(map(str, range(1, INSTRUMENTS + 1)))
        every = every.replace(f"BETWEEN 1 AND {INSTRUMENTS}", f"IN ({ids})")
        _compare(url, "a month of one instrument", month, MONTH)
        _compare(url, f"a moment of {INSTRUMENTS} instruments", every, INSTRUMENTS)


def _fill(url: str) -> int:
    full = max(1, BARS // MONTH)
    with psycopg.connect(url) as connection:
        # One by one they take longer than all the rest.
        connection.execute("ALTER TABLE records.candles DISABLE TRIGGER USER")
        for listing in range(1, INSTRUMENTS + 1):
            start = START if listing <= full else END - timedelta(minutes=10)
            connection.execute(FILL, {"listing": listing, "start": start, "end": END})
        connection.execute("ALTER TABLE records.candles ENABLE TRIGGER USER")
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM (ANALYZE) records.candles")
        row = connection.execute("SELECT count(*) FROM records.candles").fetchone()
    return int(row[0]) if row else 0


def _compare(url: str, title: str, where: str, rows: int) -> None:
    names = ", ".join(COLUMNS)
    with adbc_connect(url) as connection, connection.cursor() as cursor:

        def bare() -> list[np.ndarray]:
            cursor.execute(f"SELECT {names} FROM records.candles WHERE {where} ORDER BY listing_id, open_time")
            return [column.to_numpy() for column in cursor.fetch_arrow_table().columns]

        def as_of() -> list[np.ndarray]:
            order = ("listing_id", "open_time")
            table = read_as_of(cursor, "records.candles", COLUMNS, known_at=END, where=where, order_by=order)
            return [column.to_numpy() for column in table.columns]

        seconds: dict[str, list[float]] = {"bare ADBC": [], "as of": []}
        runs: dict[str, Callable[[], list[np.ndarray]]] = {"bare ADBC": bare, "as of": as_of}
        for _ in range(TURNS):
            for name, run in runs.items():
                started = time.perf_counter()
                found = run()
                seconds[name].append(time.perf_counter() - started)
                assert len(found[0]) == rows, (len(found[0]), rows)
    medians = {name: float(np.median(spent)) * 1e3 for name, spent in seconds.items()}
    ratio = medians["as of"] / medians["bare ADBC"]
    print(f"{title:32} {medians['as of']:8.2f} ms as of, {medians['bare ADBC']:.2f} ms bare ADBC, {ratio:.2f} times")
