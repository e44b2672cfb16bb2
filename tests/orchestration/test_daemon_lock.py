"""Of two daemons of Dagster on one database the second ends, and the first that is killed leaves its place."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import dagster as dg
import psycopg
import pytest
from dagster._daemon.types import DaemonHeartbeat
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

from strades_pipelines.orchestration import daemon_lock
from strades_pipelines.orchestration.daemon_lock import REFUSED, DaemonLock
from strades_pipelines.orchestration.dagster_storage import HeldRunStorage
from strades_pipelines.system.ports import free_port
from tests.orchestration.test_dagster_storage import OURS
from tests.waiting import wait_until

DAEMON = [str(Path(sys.executable).with_name("dagster-daemon")), "run"]
END_LOCKING = """
    SELECT pg_terminate_backend(l.pid, 5000) FROM pg_locks AS l
    INNER JOIN pg_database AS d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND d.datname = current_database()
"""
HEARTBEATS = "SELECT count(*) FROM daemon_heartbeats WHERE \"timestamp\" AT TIME ZONE 'UTC' > to_timestamp(%s)"


@pytest.fixture
def home(database_url: str, tmp_path: Path) -> Path:
    """The home of an instance whose tables are there."""
    (tmp_path / "dagster.yaml").write_text(OURS.format(database_url))
    with dg.DagsterInstance.from_config(str(tmp_path)):
        return tmp_path


def engine_of(url: str) -> Engine:
    """An engine as Dagster makes it."""
    url = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    return create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)


@contextmanager
def daemon(home: Path, workspace: Sequence[str] = ("--empty-workspace",)) -> Iterator["subprocess.Popen[str]"]:
    """`dagster-daemon run`; killed at the end."""
    environment = os.environ | {"DAGSTER_HOME": str(home)}
    process = subprocess.Popen(
        [*DAEMON, *workspace], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_second_daemon_is_refused_and_one_after_a_kill_is_not(home: Path, database_url: str) -> None:
    def beats(since: float) -> Callable[[], bool]:
        def has_written() -> bool:
            with psycopg.connect(database_url) as connection:
                return bool((connection.execute(HEARTBEATS, [since]).fetchone() or [0])[0])

        return has_written

    with ExitStack() as stack:
        begun = time.time()
        first = stack.enter_context(daemon(home))
        wait_until(beats(begun), seconds=60)
        second = stack.enter_context(daemon(home))
        _, log = second.communicate(timeout=90)
        assert second.returncode == 1, log
        assert log.splitlines().count(REFUSED) == 1
        assert first.poll() is None
        first.kill()
        first.wait()
        begun = time.time()
        third = stack.enter_context(daemon(home))
        wait_until(beats(begun), seconds=60)
        assert third.poll() is None


def test_a_refused_daemon_writes_no_heartbeat(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_lock, "PATIENCE_SECONDS", 0.0)
    with dg.DagsterInstance.from_config(str(home)) as one, dg.DagsterInstance.from_config(str(home)) as other:
        one.add_daemon_heartbeat(DaemonHeartbeat(1.0, "SENSOR", "one", []))
        for _ in range(2):
            with pytest.raises(SystemExit):
                other.add_daemon_heartbeat(DaemonHeartbeat(2.0, "SENSOR", "other", []))
        one.add_daemon_heartbeat(DaemonHeartbeat(3.0, "SENSOR", "one", []))
        assert other.get_daemon_heartbeats()["SENSOR"].daemon_id == "one"


def test_the_lock_is_taken_again_when_the_server_ended_its_connection(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_lock, "PATIENCE_SECONDS", 0.0)
    engine = engine_of(database_url)
    lock = DaemonLock(engine)
    assert lock.is_held()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(END_LOCKING)
    assert lock.is_held()
    assert not DaemonLock(engine).is_held()


WAITING = """
    SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'SELECT pg_try_advisory_lock%%' AND pid <> %s
"""


def test_a_daemon_that_loses_its_connection_while_it_waits_has_no_lock(database_url: str) -> None:
    engine = engine_of(database_url)
    first, second = DaemonLock(engine), DaemonLock(engine)
    assert first.is_held()
    answers: list[bool] = []
    asking = Thread(target=lambda: answers.extend([second.is_held(), second.is_held()]))
    with psycopg.connect(database_url, autocommit=True) as connection:
        [holder] = connection.execute("SELECT pid FROM pg_locks WHERE locktype = 'advisory'").fetchone() or (0,)
        asking.start()
        wait_until(lambda: bool(connection.execute(WAITING, [holder]).fetchone()), seconds=4)
        for (pid,) in connection.execute(WAITING, [holder]).fetchall():
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
    asking.join()
    assert answers == [False, False]
    assert first.is_held()


def test_a_database_that_does_not_answer_ends_the_daemon(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(daemon_lock, "ANSWER_SECONDS", 0.3)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        storage = instance.run_storage
        assert isinstance(storage, HeldRunStorage)
        storage._daemon_lock = DaemonLock(engine_of(f"postgresql://nobody@127.0.0.1:{free_port()}/none"))
        with pytest.raises(SystemExit):
            instance.add_daemon_heartbeat(DaemonHeartbeat(1.0, "SENSOR", "one", []))
    assert "the lock of the daemon cannot be had" in capsys.readouterr().err
