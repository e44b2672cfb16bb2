"""Frames to a handler through a stream's recorder, beside a bare `websockets` client that parses them.

The recorder reads, routes and batches as it always does, and hands its batches to a writer that keeps nothing: what the
database takes is measured elsewhere (`benchmarks.stream_latency`).
"""

import asyncio
import gc
import json
import os
import re
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event, Thread

import numpy as np
import psutil
from websockets.asyncio.client import connect

from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Instrument, load_sources
from strades_pipelines.ingestion.streams.frame_store import Frame, StreamSource
from strades_pipelines.ingestion.streams.recorder import StreamRecorder
from strades_pipelines.ingestion.streams.routing import Route, Router
from strades_pipelines.ingestion.streams.writer import Coverage, State, StreamWriter, Taken
from strades_pipelines.settings import PROJECT, settings

SECONDS = float(os.environ.get("INGESTION_STREAM_SECONDS", "10"))
RATE = int(os.environ.get("INGESTION_STREAM_RATE", "20000"))
OURS = "recorder of a stream"
Receive = Callable[[], Coroutine[None, None, None]]  # notes the nanoseconds from each frame's sending to its handler
SENT = re.compile(rb'"sent":(\d+)')


def main() -> None:
    """Print rate, delays, processor time and growth of memory of both, one after the other."""
    print(f"stream of {RATE:,} messages/s for {SECONDS:g} s")
    ninety_nine = {name: _measure(name, prepare) for name, prepare in (("bare websockets", _bare), (OURS, _ours))}
    print(f"p99 / bare p99                   {ninety_nine[OURS] / ninety_nine['bare websockets']:.2f}")


def _measure(name: str, prepare: "Callable[[int, array[int]], Receive]") -> float:
    """Print what a receiver does; returns its 99th percentile, milliseconds."""
    found = array("q")
    with _served() as port:
        receive = prepare(port, found)
        gc.collect()
        gc.freeze()  # as `strades stream` does
        started, busy = time.perf_counter(), time.process_time()
        with _sampled(found) as sizes:
            asyncio.run(receive())
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    delays = np.array(found) / 1e6
    half, most = np.percentile(delays, [50, 99])
    settled = sizes[len(sizes) // 4 :]  # the first quarter loads what is loaded once
    grown = (settled[-1] - settled[0]) / 1e6 / (len(settled) / 60)
    print(
        f"{name:24} {len(delays) / seconds:10,.0f} messages/s, p50 {half:.2f} ms, p99 {most:.2f} ms, "
        f"{busy / len(delays) * 1e6:.1f} us of processor each, {grown:+.2f} MB a minute"
    )
    return float(most)


@contextmanager
def _sampled(found: "array[int]") -> Iterator[list[int]]:
    """The bytes of this process, once a second, without those of what was found."""
    sizes: list[int] = []
    ended = Event()

    def sample() -> None:
        while not ended.wait(1.0):
            sizes.append(psutil.Process().memory_info().rss - found.itemsize * len(found))

    thread = Thread(target=sample)
    thread.start()
    try:
        yield sizes
    finally:
        ended.set()
        thread.join()


@contextmanager
def _served() -> Iterator[int]:
    command = [sys.executable, "-m", "benchmarks.ingestion.stream_server", str(SECONDS), str(RATE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def _bare(port: int, delays: "array[int]") -> Receive:
    async def receive() -> None:
        async with connect(f"ws://127.0.0.1:{port}", compression=None, proxy=None) as socket:
            async for frame in socket:
                delays.append(time.monotonic_ns() - json.loads(frame)["data"]["sent"])

    return receive


def _ours(port: int, delays: "array[int]") -> Receive:
    os.environ["STRADES_SANDBOX_URL"] = f"http://127.0.0.1:{port}"
    settings.cache_clear()
    sources, protocol = load_sources(PROJECT / "Sources.json"), load_protocol("binance_trades")
    pair = next(one for one in sources.instruments if one.kind == "crypto")
    pair = replace(pair, symbol="BTCUSDT")
    website = replace(sources.websites[0], name="bench", protocol="binance_trades")
    source = StreamSource(website, protocol, {pair.id: pair}, "wss://data-stream.binance.vision/stream")
    router = TimedRouter(protocol, [pair], delays)

    async def receive() -> None:
        ended = asyncio.Event()

        def say(line: str) -> None:
            if "connecting again" in line:
                ended.set()

        recorder = StreamRecorder(source, KeepsNothing(source, ""), clock=lambda: datetime.now(UTC), say=say)
        recorder.router = router
        recording = asyncio.create_task(recorder.run())
        await ended.wait()
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)
        assert len(delays) == recorder.counts.frames

    return receive


class TimedRouter(Router):
    """Notes how long after its sending each frame was routed."""

    def __init__(self, protocol: Protocol, instruments: Sequence[Instrument], delays: "array[int]") -> None:
        super().__init__(protocol, instruments)
        self.delays = delays

    def route(self, frames: Sequence[bytes]) -> list[Route]:
        """Route, and note."""
        routes, now = super().route(frames), time.monotonic_ns()
        for frame, route in zip(frames, routes, strict=True):
            found = SENT.search(frame)
            assert found is not None
            assert route.instrument is not None
            self.delays.append(now - int(found[1]))
        return routes


class KeepsNothing(StreamWriter):
    """In the place of a database."""

    def open(self, now: datetime) -> Mapping[str, Coverage]:
        """Nothing is there."""
        return dict.fromkeys(self.source.instruments, Coverage(None, None))

    def store(self, frames: Sequence[Frame], now: datetime) -> Taken:
        """Nothing."""
        return Taken(0, 0)

    def build_bars(self, instrument: str, start: datetime, end: datetime, now: datetime) -> int:
        """Nothing."""
        return 0

    def keep_states(self, states: Mapping[str, State], now: datetime) -> None:
        """Nothing."""
