"""Stored bodies to committed rows: 100 bodies of 1,000 Gate.io candles, then the same again, unchanged."""

import hashlib
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import zstandard

from strades_pipelines.database.connection import connect
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.roles import create_roles
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.market.ids import int31, int63

BODIES, BARS = 100, 1000
STATISTICS_DELAY = 1.5  # seconds that the server may be late with its counts
START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
WRITES = """
    SELECT coalesce(sum(n_tup_ins), 0), coalesce(sum(n_tup_upd), 0), coalesce(sum(n_tup_del), 0),
        pg_current_wal_lsn() - '0/0'::pg_lsn
    FROM pg_stat_user_tables WHERE schemaname = 'records'
"""


def main() -> None:
    """Print the speeds, and what an unchanged reload writes."""
    with tempfile.TemporaryDirectory(prefix="strades-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedServer(Path(folder) / "postgres")
        try:
            _measure(server)
        finally:
            server.stop()


def _measure(server: EmbeddedServer) -> None:
    with psycopg.connect(server.start(), autocommit=True) as connection:
        create_roles(connection)
        connection.execute("CREATE DATABASE bench")
    url = server.url("bench")
    migrate(url, world="sandbox")
    fetch_ids = _store_bodies(url)
    load_stored(url=url, now=NOW, fetch_ids=[])  # imports
    first = _timed("stored bodies to committed rows", url, fetch_ids)
    before = _writes(url)
    again = _timed("the same again, unchanged", url, fetch_ids)
    inserted, updated, deleted, wal = (after - old for after, old in zip(_writes(url), before, strict=True))
    print(f"rows inserted, updated, deleted by the unchanged reload   {inserted}, {updated}, {deleted}")
    print(f"WAL of the unchanged reload                               {wal / (BODIES * BARS):.1f} bytes a row")
    print(f"unchanged reload / first load                             {again / first:.2f}")


def _writes(url: str) -> tuple[int, ...]:
    """Rows inserted, updated and deleted in `records` so far, and the place in the write-ahead log."""
    time.sleep(STATISTICS_DELAY)
    with connect(url) as connection:
        row = connection.execute(WRITES).fetchone()
    return tuple(map(int, row or ()))


def _timed(title: str, url: str, fetch_ids: list[int]) -> float:
    started = time.perf_counter()
    load_stored(url=url, now=NOW, fetch_ids=fetch_ids, reparse=True)
    seconds = time.perf_counter() - started
    print(f"{title:45} {BODIES * BARS / seconds:12,.0f} candles/s   ({seconds:.2f} s)")
    return seconds


def _store_bodies(url: str) -> list[int]:
    """What the spiders would have stored; returns the fetch ids."""
    given = {"symbol": "BTC_USDT", "interval": "1m", "venue": "gateio", "calendar": "24/7"}
    fetch_ids = []
    with connect(url) as connection:
        connection.execute(
            "INSERT INTO records.listings VALUES (%s, 'gateio', 'BTC_USDT', 'USDT', 0.1, 0.00001, 'raw', '24/7')",
            [int31("gateio", "BTC_USDT")],
        )
        for number in range(BODIES):
            body = _body(START + timedelta(minutes=number * BARS))
            sha256 = hashlib.sha256(body).digest()
            connection.execute(
                "INSERT INTO rawsources.bodies VALUES (%s, %s, %s)", [sha256, len(body), zstandard.compress(body, 9)]
            )
            fetch_ids.append(int63("bench", number))
            fetched_at = NOW - timedelta(seconds=BODIES - number)  # one after the other, as a crawl has them
            connection.execute(
                """
                INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, month, status,
                    fetched_at, outcome, sha256, run_id)
                VALUES (%s, 'gateio', 'gateio_candles', %s, 'https://api.gateio.ws/', %s, %s, 200,
                    %s, 'stored', %s, 'bench')
                """,
                [fetch_ids[-1], str(number), json.dumps(given), START.date(), fetched_at, sha256],
            )
    return fetch_ids


def _body(start: datetime) -> bytes:
    """A body of Gate.io's format with 1,000 final candles."""
    stamps = (int(start.timestamp()) + 60 * minute for minute in range(BARS))
    rows = [[str(t), "1000.5", f"{100 + t % 7}.5", "110.0", "99.0", "100.0", "10.25", "true"] for t in stamps]
    return json.dumps(rows).encode()


if __name__ == "__main__":
    main()
