"""The embedded database under the supervisor: killed, hung, stopped."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.settings import settings
from strades_pipelines.supervision import down
from strades_pipelines.supervision.database_part import EmbeddedDatabase, database_answers, postmaster
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server of this test."""
    home = Path(tempfile.mkdtemp(prefix="strades-part-"))
    home.chmod(0o755)
    made = EmbeddedServer(home / "postgres", "-c fsync=off")
    yield made
    pid = postmaster(made)
    if pid is not None:
        made.stop()


def test_a_database_that_was_killed_or_hangs_is_started_again(server: EmbeddedServer) -> None:
    part = EmbeddedDatabase(server, lambda _: None)
    part.start()
    wait_until(lambda: part.is_started, seconds=60)
    for number in (signal.SIGKILL, signal.SIGSTOP):
        before = postmaster(server)
        assert before is not None
        os.kill(before, number)
        if number == signal.SIGKILL:
            assert wait_until(part.ended) == "is not running"
        part.kill()
        part.start()
        wait_until(lambda before=before: postmaster(server) not in (None, before), seconds=60)  # type: ignore[misc]
        wait_until(lambda: part.is_started, seconds=60)
        assert database_answers(server.url()) is None
        assert part.ended() is None


@pytest.mark.parametrize("hangs", [False, True])
def test_the_database_is_stopped_also_when_it_hangs(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    monkeypatch.setenv("STRADES_HOME", str(server.folder.parent))
    settings.cache_clear()
    server.start()
    pid = postmaster(server)
    assert pid is not None
    if hangs:
        os.kill(pid, signal.SIGSTOP)
    assert down.stop_database()
    wait_until(lambda: postmaster(server) is None)
    assert not down.stop_database()
    settings.cache_clear()
