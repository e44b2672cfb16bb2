"""Trades asked for over HTTP are the venue's tape: whatever the size of a page, the order, and four at once."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from sandbox.market import PAIRS, SIZE_DECIMALS
from sandbox.tape import trades_oldest_first
from sandbox.world import microseconds
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.ask import Span
from strades_pipelines.datamanager.planning import Request, plan
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Instrument, Sources, Website
from strades_pipelines.ingestion.loader import load_stored
from tests.ingestion.conftest import add_listing
from tests.sandbox.serving import Served
from tests.scrapers.conftest import HELD, Crawl

NOW = datetime.fromisoformat(HELD)
MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
START, PARTITION = MIDNIGHT - timedelta(minutes=4), timedelta(minutes=1)
ROWS = """
    SELECT t.trade_id, extract(epoch FROM t.event_time)::text, t.price, t.size, t.side FROM records.trades AS t
    ORDER BY length(t.trade_id), t.trade_id
"""


def partitions(size: int) -> list[Request]:
    """Gate.io's trades of four minutes in four questions, in pages of `size` rows."""
    protocol = load_protocol("gateio_trades")
    assert protocol.ask.paging
    asked = replace(
        protocol.ask,
        chunk=Span(seconds=int(PARTITION.total_seconds())),
        paging=replace(protocol.ask.paging, size=size),
        parameters={**protocol.ask.parameters, "limit": str(size)},
    )
    instrument = Instrument("001CC", "BTC_USDT", "BTC", "spot", "1m", START, None, "spot", "USDT")
    website = Website(
        "gateio_trades", "X", "https://x.example/", True, "markets", protocol.name, "", ("001CC",), "", "gateio", None
    )
    changed, sources = replace(protocol, ask=asked), Sources((website,), (instrument,))
    return plan(website, sources, window=(START, MIDNIGHT), now=NOW, log={}, protocol=changed)


def digest(rows: list[tuple[Any, ...]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def tape(seed: int) -> list[tuple[Any, ...]]:
    """The market's own trades of these minutes, as a database writes them."""
    pair = PAIRS["BTC_USDT"]
    since, until = microseconds(START), microseconds(MIDNIGHT) - 1
    return [
        (
            str(trade.number),
            f"{trade.time // 1_000_000}.{trade.time % 1_000_000:06}",
            trade.price / 10**pair.price_decimals,
            trade.size / 10**SIZE_DECIMALS,
            "buy" if trade.buy else "sell",
        )
        for trade in trades_oldest_first(seed, pair, since=since, until=until, count=1_000)
    ]


@pytest.mark.parametrize(
    ("size", "processes", "order"), [(1, 4, range(4)), (7, 4, range(4)), (1_000, 4, range(4)), (7, 1, (2, 0, 3, 1))]
)
def test_12_partitions_in_any_order_and_four_at_once_in_pages_of_any_size_have_one_hash(
    size: int,
    processes: int,
    order: Sequence[int],
    crawl: Crawl,
    sandbox: Served,
    database_url: str,
    connection: psycopg.Connection[Any],
) -> None:
    with connect(database_url) as listings:
        add_listing(listings, "gateio", "BTC_USDT")
    in_time = partitions(size)
    assert len(in_time) == 4
    asked = [in_time[number] for number in order]

    def materialize(number: int) -> list[Any]:
        own = [replace(request, source=f"gateio_trades_{number}") for request in asked[number::processes]]
        more = {"meanwhile": lambda _: None} if processes > 1 else {}  # real processes: forks come one by one
        done = crawl(*map(asdict, own), run_id=f"run-{number}", source=f"gateio_trades_{number}", **more)
        assert done.code == 0, done
        assert done.summary["failed"] == []
        return load_stored(url=database_url, now=NOW).refused

    with ThreadPoolExecutor(processes) as pool:
        assert list(pool.map(materialize, range(processes))) == [[]] * processes
    wanted = tape(sandbox.app.world.seed)
    assert 30 <= len(wanted) <= 32
    assert digest(connection.execute(ROWS).fetchall()) == digest(wanted)
    [bodies] = connection.execute("SELECT count(*) FROM rawsources.fetches WHERE outcome = 'stored'").fetchone() or [0]
    assert bodies >= len(wanted) // size
