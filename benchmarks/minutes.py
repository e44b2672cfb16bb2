"""A year of one-minute bars of 20 symbols, 10.5 million rows, then one more hour of each.

The prices follow a sine: only their number and shape matter. `MINUTES_SYMBOLS` (20) and `MINUTES_DAYS` (365) make it
smaller. The year is written as a load would leave it, the hour comes as stored bodies.
"""

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import zstandard

from benchmarks.run import empty_home
from benchmarks.universe import NEXT, prepare, step
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.market.ids import int63

SYMBOLS = int(os.environ.get("MINUTES_SYMBOLS", "20"))
DAYS = int(os.environ.get("MINUTES_DAYS", "365"))
LAYERS = ("records", "staging", "cleaned", "marts")
END = datetime(NEXT.year, NEXT.month, NEXT.day, 20, tzinfo=UTC)
START = END - timedelta(days=DAYS)
HOUR = timedelta(hours=1)
CANDLES = """
    INSERT INTO records.candles (listing_id, "interval", open_time, close_time, open, high, low, close, volume,
        knowledge_time, knowledge_basis, fetch_id, recorded_at)
    SELECT listing_id, '1m', minute, minute + interval '1 minute', price, price * 1.001, price * 0.999, price, 10,
        minute + interval '1 minute', 'stated', %(fetch_id)s, %(end)s
    FROM records.listings
    CROSS JOIN generate_series(%(start)s, %(end)s - interval '1 minute', interval '1 minute') AS minute
    CROSS JOIN LATERAL (SELECT 100 + 10 * sin(extract(epoch FROM minute) / 86400) AS price) AS prices
    WHERE symbol = %(symbol)s
"""
FETCH = """
    INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, window_start, window_end,
        month, status, fetched_at, outcome, sha256, run_id)
    VALUES (%s, 'gateio', 'gateio_candles', %s, 'https://api.gateio.ws/', %s, %s, %s,
        %s, 200, %s, 'stored', %s, 'bench')
"""


def main() -> None:
    """Print the figures of the year, of one more hour and of the same again."""
    with empty_home() as environment:
        url = prepare(environment, _sources())
        sync_listings(load_sources(Path(environment["STRADES_SOURCES"])), url=url, now=END)
        with psycopg.connect(url) as connection:
            for symbol in _symbols():
                fetch_id = _fetch(connection, symbol, START, END, b"[]")
                connection.execute("INSERT INTO records.parses VALUES (%s, '1', 'parsed', NULL, 0, 0)", [fetch_id])
                connection.execute(CANDLES, {"symbol": symbol, "fetch_id": fetch_id, "start": START, "end": END})
                connection.commit()
            connection.autocommit = True
            connection.execute("ANALYZE records.candles")
        first = f"{START:%Y-%m-01}"
        step(f"{SYMBOLS * DAYS * 1440:,} stored minutes", environment, url, NEXT, first, LAYERS)
        with psycopg.connect(url) as connection:
            for symbol in _symbols():
                _fetch(connection, symbol, END, END + HOUR, _hour())
        step("one more hour", environment, url, NEXT, "2026-10-01", LAYERS)
        step("nothing new", environment, url, NEXT, "2026-10-01", LAYERS)


def _symbols() -> list[str]:
    return [f"M{number:02}_USDT" for number in range(SYMBOLS)]


def _sources() -> dict[str, Any]:
    shared = {
        "type": "timeseries", "interval": "1m", "start_date": f"{START:%Y-%m-%dT%H:%M:%S}", "end_date": None,
        "kind": "crypto", "currency": "USDT", "tick_size": 0.01, "lot_size": 0.0001,
    }  # fmt: skip
    instruments = [
        {"id": f"{symbol}1", "symbol": symbol, "name": f"Synthetic {symbol}", **shared} for symbol in _symbols()
    ]
    website = {
        "name": "gateio", "title": "Synthetic minutes", "url": "https://www.gate.com/", "fonctionnel": True,
        "category": "markets", "protocol": "gateio_candles", "venue": "gateio", "schedule": "*/5 * * * *",
        "financial_instruments": [item["id"] for item in instruments], "licence": "synthetic",
        "history_from": f"{START:%Y-%m-%d}",
    }  # fmt: skip
    return {"websites": [website], "financial_instruments": instruments}


def _fetch(connection: "psycopg.Connection[Any]", symbol: str, start: datetime, end: datetime, body: bytes) -> int:
    """Store the answer to a question about [start, end), given a minute after it; returns its id."""
    sha256 = hashlib.sha256(body).digest()
    fetch_id = int63("minutes", symbol, str(start))
    given = json.dumps({"symbol": symbol, "interval": "1m", "venue": "gateio", "calendar": "24/7"})
    connection.execute(
        "INSERT INTO rawsources.bodies VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [sha256, len(body), zstandard.compress(body)],
    )
    connection.execute(
        FETCH,
        [
            fetch_id,
            f"{symbol} {start}",
            given,
            start,
            end,
            start.date().replace(day=1),
            end + timedelta(minutes=1),
            sha256,
        ],
    )
    return fetch_id


def _hour() -> bytes:
    """A body of Gate.io's format with the 60 candles from END on."""
    stamps = [int(END.timestamp()) + 60 * minute for minute in range(60)]
    return json.dumps([[str(t), "1000.5", "100.5", "101.0", "99.0", "100.0", "10.25", "true"] for t in stamps]).encode()


if __name__ == "__main__":
    main()
