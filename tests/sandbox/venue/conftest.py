"""Venues in time that a test moves, and a running sandbox in real time."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.venue.calls import Request
from sandbox.venue.venue import Venue
from sandbox.venue.venues import alpaca_venue, gate_venue
from sandbox.world import Reply
from tests.sandbox.serving import Served, served

START = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


def ask(
    venue: Venue,
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: dict[str, Any] | bytes | None = None,
) -> Reply:
    """The answer of a venue to a request that does get one."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    reply = venue.handle(Request(method, path, query, headers, sent)).reply
    assert reply is not None
    return reply


@pytest.fixture
def clock() -> Clock:
    """Time of a test, from 2026-11-02 15:00 UTC on."""
    return Clock()


@pytest.fixture
def alpaca(clock: Clock) -> Venue:
    """Alpaca without a socket."""
    return alpaca_venue(clock, seed=1)


@pytest.fixture
def gate(clock: Clock) -> Venue:
    """Gate.io without a socket."""
    return gate_venue(clock, seed=1)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One sandbox in real time for all tests of the venues."""
    with served(now=None, extra=tmp_path_factory.mktemp("extra")) as server:
        yield server


@pytest.fixture
def server(sandbox: Served) -> Served:
    """The sandbox without faults, limits and orders."""
    for venue in sandbox.app.venues.values():
        venue.faults.rules.clear()
        venue.limits_are_on = False
    return sandbox
