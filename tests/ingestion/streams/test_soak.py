"""A stream that is recorded for long takes no more memory, files and connections, and loses and doubles nothing.

A second is a minute of the market (`fast_clock`). `make soak` records for as many seconds as `STRADES_SOAK` says and
prints what was measured; here they are few. The recorder is a process of its own, without the sandbox's memory.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import psutil

from strades_pipelines.settings import PROJECT
from tests.ingestion.streams.conftest import Streaming
from tests.ingestion.streams.test_streams import GATE, TRADES, tape

SECONDS = float(os.environ.get("STRADES_SOAK", "16"))
SAMPLES = 40  # over that time
GROWTH_MB = 12.0  # between the second quarter and the last: allocators round up, leaks go on
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@dataclass(frozen=True)
class Sample:
    """What the recorder held at a moment: megabytes, open descriptors, threads, and connections to the database."""

    seconds: float
    megabytes: float
    descriptors: int
    threads: int
    connections: int


def started(streaming: Streaming) -> "subprocess.Popen[bytes]":
    """A recorder of Gate.io's trades on the clock of the test."""
    clock = streaming.clock
    words = (streaming.url, clock.start.isoformat(), clock.end.isoformat(), str(clock.began))
    command = [sys.executable, "-m", "tests.ingestion.streams.stream_child", *words]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)


def watched(process: "subprocess.Popen[bytes]", streaming: Streaming) -> list[Sample]:
    """Samples of the recorder from when it keeps frames to when the clock is at its end."""
    seen, clock = psutil.Process(process.pid), streaming.clock
    while not streaming.rows("SELECT 1 FROM rawsources.frames LIMIT 1"):
        assert process.poll() is None, "the recorder has ended"
        time.sleep(0.1)
    samples = []
    while not clock.is_over:
        with seen.oneshot():
            megabytes, threads = seen.memory_info().rss / 1e6, seen.num_threads()
        [(connections,)] = streaming.rows(CONNECTIONS)
        samples.append(Sample(time.monotonic() - clock.began, megabytes, seen.num_fds(), threads, connections))
        time.sleep(SECONDS / SAMPLES)
    return samples


def quarters(samples: Sequence[Sample], of: Callable[[Sample], float]) -> tuple[float, float]:
    """The highest value in the second quarter of the samples, and in the last."""
    each = len(samples) // 4
    return max(map(of, samples[each : 2 * each])), max(map(of, samples[-each:]))


def lost_and_doubled(streaming: Streaming, symbol: str) -> tuple[int, int, int]:
    """How many trades were kept, how many of the tape are not among them, and how many are there again."""
    kept = streaming.rows(TRADES, symbol)
    wanted = tape(symbol, kept[0][1], streaming.clock.end)
    return len(kept), len(set(wanted) - set(kept)), len(kept) - len({row[0] for row in kept})


def test_26_a_long_recording_holds_its_memory_and_connections_and_loses_nothing(streaming: Streaming) -> None:
    clock = streaming.clock
    clock.end = clock.start = clock.start - timedelta(minutes=SECONDS)  # so that all of it is in the past
    for kind, chance in (("lost_event", 0.02), ("duplicate_event", 0.05), ("late_event", 0.02), ("disconnect", 0.004)):
        streaming.fault(GATE, kind, chance=chance, seconds=30)
    clock.restart(SECONDS)
    process = started(streaming)
    try:
        samples = watched(process, streaming)
        assert process.wait(timeout=240) == 0
    finally:
        process.kill()
        process.wait()
    sums = [lost_and_doubled(streaming, symbol) for symbol in ("BTC_USDT", "ETH_USDT")]
    kept, lost, doubled = (sum(column) for column in zip(*sums, strict=True))
    [(frames, ways)] = streaming.rows("SELECT count(*), count(DISTINCT connection) FROM rawsources.frames")
    memory = quarters(samples, lambda sample: sample.megabytes)
    descriptors = quarters(samples, lambda sample: sample.descriptors)
    connections = quarters(samples, lambda sample: sample.connections)
    print(
        f"\n{SECONDS:g} s, {SECONDS / 60:.1f} hours of the market: {frames:,} frames over {ways} connections,"
        f" {kept:,} trades kept, {lost} lost, {doubled} doubled; second and last quarter at most {memory[0]:.1f} and"
        f" {memory[1]:.1f} MB, {descriptors[0]} and {descriptors[1]} descriptors, {connections[0]} and"
        f" {connections[1]} connections to the database, {max(sample.threads for sample in samples)} threads"
    )
    assert (lost, doubled) == (0, 0)
    assert len(samples) >= SAMPLES // 4, "too few samples to tell anything"
    assert memory[1] - memory[0] < GROWTH_MB
    assert descriptors[1] <= descriptors[0] + 4  # a connection that is made anew has its own for a moment
    assert connections[1] <= connections[0] + 1
