"""Streams and a desk in a process of its own, killed at a crash point: URL, start, end and beginning of the clock."""

import sys
from datetime import datetime

from strades_pipelines.brokerage.stream_desk import StreamDesk
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import PROJECT
from tests.ingestion.streams import fast_clock
from tests.ingestion.streams.fast_clock import FastClock, record_all

SPEED = 10.0  # what is stored a minute late is not heard: six seconds of a busy machine
STREAMS = ("gateio_trades", "gateio")


def main(url: str, start: str, end: str, began: str) -> None:
    fast_clock.SPEED = SPEED
    clock = FastClock(datetime.fromisoformat(start), datetime.fromisoformat(end), float(began))
    desk = StreamDesk(url, clock=clock.now, say=print)
    record_all(STREAMS, load_sources(PROJECT / "Sources.json"), clock, url, print, desk)


if __name__ == "__main__":
    main(*sys.argv[1:])
