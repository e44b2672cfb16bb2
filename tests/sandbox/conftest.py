"""A world for handlers called directly, and a running server."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from sandbox.world import World
from tests.sandbox.serving import SEED, Served, served

HELD = "2026-11-01T00:00:30Z"
Worlds = Callable[[str], World]


@pytest.fixture
def world_at(tmp_path: Path) -> Worlds:
    """Makes a world whose clock is held at a time in ISO 8601."""

    def at(now: str) -> World:
        held = datetime.fromisoformat(now)
        return World(now=lambda: held, clock_held=True, seed=SEED, extra=tmp_path)

    return at


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests of a run."""
    with served(now=HELD, extra=tmp_path_factory.mktemp("extra")) as server:
        yield server


@pytest.fixture
def server(running: Served) -> Iterator[Served]:
    """The server, well-behaved, every bucket full."""
    running.reset()
    yield running
    running.reset()
