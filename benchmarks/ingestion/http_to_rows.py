"""Pages over HTTP to committed rows with their bytes kept, beside httpx and `pandas.to_sql`, which keep none."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from operator import truediv
from statistics import median

import pandas as pd
import sqlalchemy

from benchmarks.databases import empty_database
from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.planning import plan, spider_plan
from strades_pipelines.datamanager.sources import Sources, load_sources
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.resources.spiders import SpiderRunner
from strades_pipelines.settings import PROJECT, settings

PAGES, BARS, MINUTE, TURNS = 100, 1000, 60_000, 3
FIRST = 1_767_540_000_000  # 2026-01-04, milliseconds since the epoch: pages begin at multiples of 1,000 minutes
START = datetime.fromtimestamp(FIRST / 1000, UTC)
END = START + timedelta(minutes=PAGES * BARS)
NAMES = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "trade_count"]


def main() -> None:
    """Print the candles a second of both, medians of turns that begin on an empty database, and their ratio."""
    ours, peer = [], []
    with _served() as port:
        for _ in range(TURNS):
            with empty_database() as url:
                ours.append(_ours(port, url))
                if (seconds := _peer(port, url)) is not None:
                    peer.append(seconds)
    for name, turns in (("fetched, kept, loaded", ours), ("httpx and pandas.to_sql", peer)):
        if turns:
            print(f"{name:32} {PAGES * BARS / median(turns):10,.0f} candles/s   ({median(turns):.2f} s)")
    if peer:
        print(f"times httpx and to_sql           {median(map(truediv, peer, ours)):10.1f}")


@contextmanager
def _served() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.ingestion.page_server", *map(str, (FIRST, PAGES, BARS))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def _ours(port: int, url: str) -> float:
    os.environ["STRADES_SANDBOX_URL"] = f"http://127.0.0.1:{port}"
    settings.cache_clear()
    sources = _sources()
    [website] = sources.websites
    sync_listings(sources, url=url, now=END)
    runner = SpiderRunner()
    warm_up = plan(
        website, sources, window=(START, START + timedelta(minutes=BARS)), now=END + timedelta(days=1), log={}
    )
    runner.run(_unlimited(spider_plan(website, warm_up, run_id="warm-up")), database=url)
    load_stored(url=url, now=END)
    with connect(url) as connection:  # the first page again: it is among those that are measured
        connection.execute("TRUNCATE rawsources.fetches, records.candles, records.parses")
    started = time.perf_counter()
    requests = plan(website, sources, window=(START, END), now=END + timedelta(days=1), log={})
    summary = runner.run(_unlimited(spider_plan(website, requests, run_id="bench")), database=url)
    loaded = load_stored(url=url, now=END + timedelta(days=1))
    seconds = time.perf_counter() - started
    assert not summary["failed"], summary["failed"][:1]
    assert loaded.tables["records.candles"].inserted == PAGES * BARS, loaded
    return seconds


def _peer(port: int, url: str) -> float | None:
    try:
        import httpx  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        print("httpx is not installed: no peer")
        return None
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    started = time.perf_counter()
    with httpx.Client() as client, engine.begin() as connection:
        for start in range(FIRST, FIRST + PAGES * BARS * MINUTE, BARS * MINUTE):
            answer = client.get(f"http://127.0.0.1:{port}/api/v3/klines", params={"startTime": start})
            frame = pd.DataFrame([row[:9] for row in answer.json()], columns=NAMES)
            frame = frame.astype(dict.fromkeys([*NAMES[1:6], "quote_volume"], float))
            for name in ("open_time", "close_time"):
                frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True)
            frame.to_sql("peer", connection, schema="public", if_exists="append", index=False)
    return time.perf_counter() - started


def _unlimited(document: dict[str, object]) -> dict[str, object]:
    """The plan without the provider's limit: it is not what is measured."""
    return document | {"rate": {"requests_per_second": 10_000, "concurrency": 8, "burst": 1000}}


def _sources() -> Sources:
    """One website of Binance's candles with one pair."""
    every = load_sources(PROJECT / "Sources.json")
    pair = next(one for one in every.instruments if one.kind == "crypto" and one.interval == "1m")
    pair = replace(pair, symbol="BTCUSDT", start_date=START)
    website = replace(
        next(one for one in every.websites if pair.id in one.financial_instruments),
        name="bench",
        protocol="binance_candles",
        venue="binance",
        financial_instruments=(pair.id,),
        history_from=None,
    )
    return Sources((website,), (pair,))
