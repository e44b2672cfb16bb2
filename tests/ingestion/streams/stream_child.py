"""A recorder in a process of its own, killed at a crash point: URL, and start, end and beginning of the clock."""

import sys
from datetime import datetime

from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import PROJECT
from tests.ingestion.streams.fast_clock import FastClock, record


def main(url: str, start: str, end: str, began: str) -> None:
    clock = FastClock(datetime.fromisoformat(start), datetime.fromisoformat(end), float(began))
    record("gateio_trades", load_sources(PROJECT / "Sources.json"), clock, url, print)


if __name__ == "__main__":
    main(*sys.argv[1:])
