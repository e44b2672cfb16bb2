"""The commands of the archive, and the job of every night, on an installation with its own server."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from strades_pipelines.database.connection import embedded_server
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.defs.maintenance.base_backups import nightly_base_backup_job
from strades_pipelines.settings import settings
from tests.research.bars import Run, runner

pytestmark = pytest.mark.slow


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own, without a server yet."""
    folder = Path(tempfile.mkdtemp(prefix="strades-recovering-"))
    folder.chmod(0o755)
    monkeypatch.setenv("STRADES_HOME", str(folder / "home"))
    monkeypatch.setenv("STRADES_ARCHIVE", str(folder / "archive"))
    monkeypatch.setenv("DATABASE_URL", "")
    settings.cache_clear()
    yield folder / "home"
    embedded_server().stop()
    shutil.rmtree(folder, ignore_errors=True)
    settings.cache_clear()


@pytest.fixture
def strades(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`strades` in that home."""
    return runner(monkeypatch, capsys)


def test_a_night_is_backed_up_and_any_moment_after_it_comes_back(
    strades: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = strades("db", "drill")
    assert without.code == 1
    assert "the drill failed" in without.err
    assert strades("db", "base-backup").code == 0
    time.sleep(1.1)
    drilled = strades("db", "drill", "--json")
    assert drilled.code == 0, drilled.err
    assert drilled.document["rpo_seconds"] > 300
    assert drilled.document["base_backup"].endswith("-full")
    assert nightly_base_backup_job.execute_in_process().success

    with psycopg.connect(embedded_server().url("strades_sandbox"), autocommit=True) as connection:
        [drills] = connection.execute("SELECT count(*) FROM ops.recovery_drills WHERE fault IS NULL").fetchone() or ()
        moment = datetime.now(UTC)
        connection.execute("DELETE FROM ops.recovery_drills")
    strades("db", "stop")
    shutil.move(home / "postgres" / "data", home / "postgres" / "lost")
    back = strades("db", "recover", home / "back", "--at", moment.isoformat(), "--json")
    assert back.code == 0, back.err
    recovered = EmbeddedServer(home / "back")
    assert not recovered.running()
    with psycopg.connect(recovered.start()) as connection:
        assert connection.info.dbname == "postgres"
    with psycopg.connect(recovered.url("strades_sandbox")) as connection:
        found = connection.execute("SELECT count(*) FROM ops.recovery_drills WHERE fault IS NULL").fetchone()
    recovered.stop()
    assert (found, drills) == ((2,), 2)

    for words, said in (
        (("recover", home / "back"), "expected a new folder, was there already"),
        (("recover", home / "other", "--from-store"), "STRADES_ARCHIVE_STORE is not set"),
        (("recover", home / "other", "--at", "yesterday"), "--at: expected a moment"),
        (("recover", home / "other", "--at", "2026-11-30T12:00:00"), "expected a moment with its time zone"),
    ):
        refused = strades("db", *words)
        assert refused.code == 2
        assert said in refused.err
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@127.0.0.1:1/none")
    settings.cache_clear()
    refused = strades("db", "base-backup")
    assert refused.code == 2
    assert "DATABASE_URL names another server" in refused.err
