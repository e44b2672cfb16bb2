"""Stored bodies without a crawl: what the spiders would have written."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import zstandard

from strades_pipelines.database.connection import connect
from strades_pipelines.market.ids import int31, int63

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GATE = {"symbol": "BTC_USDT", "interval": "1m", "venue": "gateio", "calendar": "24/7"}
Store = Callable[..., int]


def gate_row(minute: int, close: float = 101.0, closed: str = "true") -> list[str]:
    """One candle of Gate.io `minute` minutes after 2026-11-01: open 100, high 102, low 99."""
    time = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp()) + 60 * minute
    return [str(time), "1000.5", str(close), "102.0", "99.0", "100.0", "10.25", closed]


def gate_body(*rows: list[str]) -> bytes:
    """A body of Gate.io candles."""
    return json.dumps(list(rows)).encode()


@pytest.fixture
def store(database_url: str) -> Store:
    """`store(body, ...) -> fetch_id`: a stored fetch, committed; the Gate listing exists."""
    with connect(database_url) as connection:
        add_listing(connection, "gateio", "BTC_USDT")
    return lambda body, **fetch: store_body(database_url, body, **fetch)


def add_listing(connection: psycopg.Connection[Any], venue: str, symbol: str, calendar: str = "24/7") -> None:
    """A listing with sizes that do not matter."""
    connection.execute(
        "INSERT INTO records.listings VALUES (%s, %s, %s, 'USD', 0.01, 1, 'raw', %s)",
        [int31(venue, symbol), venue, symbol, calendar],
    )


def store_body(
    url: str,
    body: bytes,
    *,
    protocol: str = "gateio_candles",
    source: str = "gateio",
    request_key: str = "key",
    given: Mapping[str, str] = GATE,
    fetched_at: datetime = NOW,
    answered_at: datetime | None = None,
    outcome: str = "stored",
    window: tuple[datetime, datetime] | None = None,
    etag: str | None = None,
    run_id: str = "run",
    corrupt: bool = False,
) -> int:
    """Write a body and its fetch; `corrupt` stores other bytes than those its hash is of."""
    sha256 = hashlib.sha256(body).digest()
    fetch_id = int63(source, request_key, url, fetched_at, outcome, sha256)
    packed = zstandard.compress(body[::-1] if corrupt else body)
    with connect(url) as connection:
        connection.execute(
            "INSERT INTO rawsources.bodies VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", [sha256, len(body), packed]
        )
        connection.execute(
            "INSERT INTO rawsources.fetches (fetch_id, source, protocol, request_key, url, given, window_start,"
            " window_end, month, status, etag, fetched_at, answered_at, outcome, sha256, run_id)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 200, %s, %s, %s, %s, %s, %s)",
            [
                fetch_id,
                source,
                protocol,
                request_key,
                "https://example.org/" + request_key,
                json.dumps(dict(given)),
                window and window[0],
                window and window[1],
                fetched_at.replace(day=1),
                etag,
                fetched_at,
                answered_at,
                outcome,
                sha256,
                run_id,
            ],
        )
    return fetch_id
