import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.server_programs import ServerError
from tests.waiting import wait_until

START = """
import sys
from pathlib import Path
from strades_pipelines.database.server import EmbeddedServer
EmbeddedServer(Path(sys.argv[1]), sys.argv[2]).start()
"""
# The main thread has a second after the end of its initdb, as it has while queries are ended.
STOPPABLE_START = f"""
import time
from strades_pipelines.system import stopping
stopping.arm()
tidying = stopping.at_stop(lambda: time.sleep(1))
tidying.__enter__()
{START}
stopping.begin_nothing_more_if_requested()  # as every command does at its end
"""


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    """A server of its own, in a folder that other users may enter."""
    folder = Path(tempfile.mkdtemp(prefix="strades-server-"))
    folder.chmod(0o755)
    made = EmbeddedServer(folder / "postgres")
    yield made
    made.stop()


def number(server: EmbeddedServer, statement: str = "SELECT count(*) FROM kept") -> int:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return int(row[0])


def keep_a_row(server: EmbeddedServer) -> None:
    with psycopg.connect(server.start()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


@pytest.mark.slow
def test_it_comes_back_with_its_rows_after_kill_9(server: EmbeddedServer) -> None:
    keep_a_row(server)
    os.kill(postmaster(server), signal.SIGKILL)
    server.start()
    assert number(server) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "left", ["", "999999999\n", f"{os.getpid()}\n"], ids=["empty", "dead process", "a process that is no server"]
)
def test_a_stale_pid_file_does_not_stop_it(server: EmbeddedServer, left: str) -> None:
    keep_a_row(server)
    server.stop()
    (server.data / "postmaster.pid").write_text(left)
    server.start()
    assert number(server) == 1


@pytest.mark.slow
def test_two_starters_at_once_share_one_server(server: EmbeddedServer) -> None:
    command = [sys.executable, "-c", START, str(server.folder), ""]
    starters = [subprocess.Popen(command) for _ in range(2)]
    assert [starter.wait() for starter in starters] == [0, 0]
    assert number(server, "SELECT 1") == 1


@pytest.mark.slow
def test_it_moves_to_another_port_when_its_own_is_taken(server: EmbeddedServer) -> None:
    import socket

    server.start()
    server.stop()
    with socket.socket() as other:
        # What is left of the server's closed connections keeps the port from nobody but who does not say this.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int((server.folder / "port").read_text())))
        other.listen()
        server.start()
        assert number(server, "SELECT 1") == 1


@pytest.mark.slow
def test_it_runs_under_a_home_that_only_its_owner_may_enter(server: EmbeddedServer) -> None:
    server.folder.parent.chmod(0o700)
    keep_a_row(server)
    assert number(server) == 1


@pytest.mark.slow
def test_it_listens_on_loopback_only_and_wants_the_password(server: EmbeddedServer) -> None:
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)
    password = (server.folder / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url().replace(password, "guessed"))
    assert (server.folder / "password").stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a $HOME b", "it's", 'say "x"', "back\\slash `id`", "zażółć 数据 %20", "-D"])
def test_it_runs_in_a_folder_of_any_name(server: EmbeddedServer, name: str) -> None:
    made = EmbeddedServer(server.folder.parent / name / "postgres")
    try:
        keep_a_row(made)
        assert made.stop()
        made.start()
        assert number(made) == 1
    finally:
        made.stop()


def test_a_folder_with_a_line_break_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"^'.*two\\nlines': expected a folder without line breaks.*$"):
        EmbeddedServer(tmp_path / "two\nlines").start()


@pytest.mark.slow
@pytest.mark.parametrize("group", [True, False], ids=["with its initdb", "alone"])
@pytest.mark.parametrize("moment", ["folder", "PG_VERSION", "global/pg_control", "0.3", "0.6"])
def test_a_first_start_killed_at_any_moment_can_be_done_again(server: EmbeddedServer, moment: str, group: bool) -> None:
    command = [sys.executable, "-c", START, str(server.folder), ""]
    starter = subprocess.Popen(command, start_new_session=True)
    making = server.folder / "data.new"
    await_any(starter, making if moment[0] != "g" and moment[0] != "P" else making / moment, server.data / "PG_VERSION")
    if moment[0] == "0":
        time.sleep(float(moment))
    os.killpg(starter.pid, signal.SIGKILL) if group else starter.kill()
    starter.wait()
    keep_a_row(server)
    assert number(server) == 1
    assert {path.name for path in server.folder.iterdir()} == {"data", "lock", "password", "port"}


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["folder", "PG_VERSION", "global/pg_control"])
def test_a_first_start_that_is_told_to_stop_can_be_done_again(server: EmbeddedServer, moment: str) -> None:
    starter = subprocess.Popen([sys.executable, "-c", STOPPABLE_START, str(server.folder), ""])
    making = server.folder / "data.new"
    await_any(starter, making if moment == "folder" else making / moment, server.data / "PG_VERSION")
    starter.terminate()
    assert starter.wait() != 0
    keep_a_row(server)
    assert number(server) == 1


def await_any(starter: "subprocess.Popen[bytes]", *paths: Path) -> None:
    """Return as soon as one of the files exists."""
    while not any(path.exists() for path in paths):
        assert starter.poll() is None, "it ended before it made one"
        time.sleep(0.001)


@pytest.mark.slow
def test_the_server_is_no_child_of_the_process_that_started_it(server: EmbeddedServer) -> None:
    server.start()
    assert psutil.Process(postmaster(server)).ppid() != os.getpid()
    assert os.getsid(postmaster(server)) != os.getsid(0)


def test_a_server_that_recovers_from_a_crash_is_waited_for_and_keeps_its_port(
    server: EmbeddedServer,
) -> None:
    """One of its processes crashed, as on a full disk: until it has worked through its log it answers nobody."""
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE long_log AS SELECT generate_series(1, 500000) AS number")
    process = psutil.Process(postmaster(server))
    [checkpointer] = [child for child in process.children() if "checkpointer" in " ".join(child.cmdline())]
    checkpointer.kill()
    wait_until(lambda: not server.running())
    assert server.start() == url
    assert postmaster(server) == process.pid
    assert number(server, "SELECT max(number) FROM long_log") == 500_000


@pytest.mark.slow
def test_an_archive_that_cannot_be_reached_keeps_nobody_from_working(
    server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    disk = server.folder.parent / "disk"
    made = EmbeddedServer(server.folder, archive=disk / "archive")
    made.start()
    made.stop()
    disk.rename(disk.with_name("unmounted"))
    made.start()
    assert number(made, "SELECT 1") == 1
    assert not disk.exists()  # an archive in its place would fill the system's disk
    assert "is its disk mounted?" in caplog.text
    made.stop()
    disk.write_text("no folder")
    made.start()
    assert number(made, "SELECT 1") == 1
