"""Streams of the sandbox on a fast clock."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strades_pipelines.database.connection import connect
from strades_pipelines.datamanager.listings import sync_listings
from strades_pipelines.datamanager.sources import Sources, Website, load_sources
from strades_pipelines.ingestion.streams.recorder import StreamRecorder
from strades_pipelines.settings import PROJECT, settings
from tests.ingestion.streams.fast_clock import FastClock, record_all
from tests.sandbox.serving import Served, served

Rows = list[tuple[Any, ...]]


@dataclass
class Streaming:
    """A sandbox whose market moves on `clock`, the sources, and a database."""

    sandbox: Served
    clock: FastClock
    sources: Sources
    url: str
    said: list[str] = field(default_factory=list)

    def fault(self, host: str, kind: str, **rule: Any) -> None:
        """Ask for a fault of a host's stream, as a user would."""
        self.sandbox.post("streams/faults", host=host, kind=kind, **rule)

    def use(self, protocol: str, *symbols: str) -> None:
        """Have one source, `x`: Bitcoin and Ether, by the names they have at a venue, by that protocol."""
        known = {each.id: each for each in self.sources.instruments}
        listed = tuple(
            replace(known[id_], symbol=symbol) for id_, symbol in zip(("001CC", "002CC"), symbols, strict=False)
        )
        ids = tuple(each.id for each in listed)
        website = Website("x", "X", "https://x.example/", True, "markets", protocol, "", ids, "", "x", None)
        self.sources = Sources((website,), listed)
        sync_listings(self.sources, url=self.url, now=self.clock.start)

    def record(self, name: str, minutes: float = 10) -> StreamRecorder:
        """Keep the stream of a source for some minutes of the market, from where the clock was left."""
        self.clock.stop()
        [made] = record_all([name], self.sources, self.clock, self.url, self.said.append, minutes=minutes)
        return made

    def rows(self, query: str, *values: Any) -> Rows:
        """What a query yields."""
        with connect(self.url) as connection:
            return connection.execute(query, values).fetchall()


@pytest.fixture
def streaming(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Streaming]:
    """The sandbox as it was two hours ago, and the project's sources."""
    start = (datetime.now(UTC) - timedelta(hours=2)).replace(minute=10, second=30, microsecond=0)
    clock = FastClock(start, start)
    sources = load_sources(PROJECT / "Sources.json")
    sync_listings(sources, url=database_url, now=start)
    with served(now=None, extra=tmp_path, clock=clock.now) as sandbox:
        monkeypatch.setenv("STRADES_SANDBOX_URL", sandbox.url)
        settings.cache_clear()
        yield Streaming(sandbox, clock, sources, database_url)
    settings.cache_clear()
