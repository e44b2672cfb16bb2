"""Sources are fetched side by side: a host that never answers costs the run its own budget, and nobody else a thing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import dagster as dg
import psycopg
import pytest

from strades_pipelines.datamanager import planning
from strades_pipelines.datamanager.ask import Auth
from strades_pipelines.datamanager.protocol import Protocol
from strades_pipelines.datamanager.protocols import load_protocol
from strades_pipelines.datamanager.sources import Sources, Website
from strades_pipelines.defs.rawsources.assets import build_source_asset
from strades_pipelines.resources.database import Database
from strades_pipelines.resources.spiders import SpiderRunner
from strades_pipelines.settings import settings
from tests.scrapers.scripted import Line, scripted

FEED = (
    b'<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>'
    b"<item><title>a</title><link>https://example.org/a</link></item></channel></rss>"
)
BUDGET = 60.0
CLOCK = "2026-11-01T00:00:30Z"


@dataclass
class Router:
    """A server that hands requests on to the `good` one, but takes those of the host `tarpit` and does not answer.

    It holds them until `others` other hosts have been asked, for good where that never comes.
    """

    good: str
    tarpit: str
    others: int
    asked: set[str] = field(default_factory=set)
    held: list[socket.socket] = field(default_factory=list)

    def handle(self, taken: socket.socket) -> None:
        """Answer one request."""
        asked = taken.recv(65_536)
        name = asked.split(b"/")[1].decode()
        if name == self.tarpit:
            self.held.append(taken)
        else:
            self.asked.add(name)
            host, port = self.good.removeprefix("http://").split(":")
            with taken, socket.create_connection((host, int(port))) as server:
                server.sendall(asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                while answer := server.recv(65_536):
                    taken.sendall(answer)
        if len(self.asked) == self.others:
            while self.held:
                self.held.pop().close()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its URL, while it serves."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=64)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=self.handle, args=[listener.accept()[0]], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.close()
            for each in self.held:
                each.close()


def website(n: int, **changed: Any) -> Website:
    """A feed of a host of its own."""
    return Website(
        **{
            "name": f"feed{n}",
            "title": f"feed {n}",
            "url": f"https://h{n}.example/feed",
            "fonctionnel": True,
            "category": "news",
            "protocol": "feed",
            "schedule": "0 * * * *",
            "financial_instruments": (),
            "licence": "none",
            "venue": f"feed{n}",
            "history_from": None,
            "budget_seconds": BUDGET,
            **changed,
        }
    )


def fetch(sources: Sources, database_url: str) -> dg.ExecuteInProcessResult:
    """One run of the assets of all sources."""
    return dg.materialize(
        [build_source_asset(each, sources) for each in sources.websites],
        resources={"database": Database(url=database_url), "spiders": SpiderRunner()},
        partition_key="2026-11-01",
        raise_on_error=False,
    )


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The sandbox world under a held clock."""
    monkeypatch.setenv("STRADES_SANDBOX_NOW", CLOCK)
    yield monkeypatch
    settings.cache_clear()


def test_a_tarpit_among_eleven_sources_delays_none_of_the_others(
    world: pytest.MonkeyPatch, connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    sources = Sources(tuple(website(n) for n in range(11)), ())
    script = {f"/h{n}.example/feed": [Line(200, FEED)] for n in range(11)}
    with scripted(script) as good:
        # The first step is the tarpit's: it is let go only when the ten others have been asked in the meantime.
        router = Router(good, tarpit="h0.example", others=10)
        with router.serving() as url:
            world.setenv("STRADES_SANDBOX_URL", url)
            settings.cache_clear()
            started = monotonic()
            result = fetch(sources, database_url)
            took = monotonic() - started
    assert len(router.asked) == 10
    assert took < BUDGET
    stored = connection.execute("SELECT source FROM rawsources.fetches WHERE outcome = 'stored'").fetchall()
    assert {name for (name,) in stored} == {f"feed{n}" for n in range(1, 11)}
    assert [event.step_key for event in result.all_events if event.is_step_failure] == ["rawsources__feed0"]


def test_a_source_is_crawled_once_at_a_time_also_by_two_runs(
    world: pytest.MonkeyPatch, connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    sources = Sources((website(1),), ())
    with scripted({"/h1.example/feed": [Line(200, FEED)]}) as url:
        world.setenv("STRADES_SANDBOX_URL", url)
        settings.cache_clear()
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(hashtext('strades.crawl.feed1'))")  # as a crawl of it holds it
            threading.Timer(6.0, other.execute, ["SELECT pg_advisory_unlock_all()"]).start()
            started = monotonic()
            result = fetch(sources, database_url)
            assert monotonic() - started > 6.0
    assert result.success
    assert connection.execute("SELECT count(*) FROM rawsources.fetches").fetchone() == (1,)


def test_a_key_that_is_not_set_fails_its_source_alone_in_one_line(
    world: pytest.MonkeyPatch, connection: "psycopg.Connection[Any]", database_url: str
) -> None:
    def with_auth(name: str) -> Protocol:
        loaded = load_protocol("feed")
        auth = Auth("query", "api_key", "NOWHERE_API_KEY") if name == "keyed" else None
        return replace(loaded, name=name, ask=replace(loaded.ask, auth=auth))

    world.setattr(planning, "load_protocol", lambda name: with_auth(name) if name == "keyed" else load_protocol(name))
    sources = Sources((website(1, protocol="keyed"), website(2)), ())
    with scripted({"/h2.example/feed": [Line(200, FEED)]}) as url:
        world.setenv("STRADES_SANDBOX_URL", url)
        settings.cache_clear()
        result = fetch(sources, database_url)
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    description = failure.step_failure_data.user_failure_data
    assert description is not None
    assert str(description.description).startswith("protocol keyed: NOWHERE_API_KEY is not set: put ")
    assert connection.execute("SELECT source, outcome FROM rawsources.fetches").fetchall() == [("feed2", "stored")]
