"""Frames to a handler through the stream client and the router, beside a bare `websockets` client that parses them."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import psutil
from websockets.asyncio.client import connect

from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.ingestion.streams.frame_store import StreamSource
from strades_pipelines.ingestion.streams.routing import Router
from strades_pipelines.ingestion.streams.stream_client import StreamClient
from strades_pipelines.settings import PROJECT, settings

SECONDS = float(os.environ.get("INGESTION_STREAM_SECONDS", "10"))
RATE = int(os.environ.get("INGESTION_STREAM_RATE", "20000"))
SENT = re.compile(rb'"sent":(\d+)')


def main() -> None:
    """Print rate, delays and growth of memory of both, one after the other."""
    print(f"stream of {RATE:,} messages/s for {SECONDS:g} s")
    ninety_nine = {}
    for name, receive in (("bare websockets", _bare), ("stream client and router", _ours)):
        with _served() as port:
            before = psutil.Process().memory_info().rss
            started = time.perf_counter()
            delays = np.array(asyncio.run(receive(port))) / 1e6
            seconds = time.perf_counter() - started
            grown = (psutil.Process().memory_info().rss - before - delays.nbytes) / 1e6 / (seconds / 60)
        half, most = np.percentile(delays, [50, 99])
        ninety_nine[name] = most
        rate = len(delays) / seconds
        print(f"{name:32} {rate:10,.0f} messages/s, p50 {half:.2f} ms, p99 {most:.2f} ms, {grown:+.1f} MB a minute")
    ratio = ninety_nine["stream client and router"] / ninety_nine["bare websockets"]
    print(f"p99 / bare p99                   {ratio:.2f}")


@contextmanager
def _served() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.ingestion.stream_server", str(SECONDS), str(RATE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _bare(port: int) -> list[int]:
    delays = []
    async with connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None) as socket:
        async for frame in socket:
            delays.append(time.monotonic_ns() - json.loads(frame)["data"]["sent"])
    return delays


async def _ours(port: int) -> list[int]:
    os.environ["STRADES_SANDBOX_URL"] = f"http://127.0.0.1:{port}"
    settings.cache_clear()
    sources, protocol = load_sources(PROJECT / "Sources.json"), load_protocol("binance_trades")
    pair = next(one for one in sources.instruments if one.kind == "crypto")
    pair = replace(pair, symbol="BTCUSDT")
    website = replace(sources.websites[0], name="bench", protocol="binance_trades")
    source = StreamSource(website, protocol, {pair.id: pair}, "wss://data-stream.binance.vision/stream")
    router, delays = Router(protocol, [pair]), []
    ended = asyncio.Event()

    async def receive(_connection: int, _sequence: int, frame: bytes) -> None:
        assert router.route(frame).instrument == pair.id
        found = SENT.search(frame)
        assert found is not None
        delays.append(time.monotonic_ns() - int(found[1]))

    client = StreamClient(
        source, receive, clock=lambda: datetime.now(UTC), say=lambda _line: None, disconnected=ended.set
    )
    reading = asyncio.create_task(client.run())
    await ended.wait()
    reading.cancel()
    return delays
