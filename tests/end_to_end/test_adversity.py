"""A full disk, a read-only home, a clock that goes back, a stopped database: one line, and the next run completes.

One installation suffers them, in the order of these tests. That its rows are those of two runs that nothing disturbed
proves of each what an installation of its own would.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from strades_pipelines.database.server import EmbeddedServer
from tests.end_to_end.installation import HALF_PAST, LONG, NOON, WINDOW, Installation, installation, undisturbed_outcome

pytestmark = pytest.mark.slow
ROOM = 10_000_000  # bytes; the server writes its log in files of 16 MB
TWO_DAYS_BEFORE = "2013-02-18T12:00:00Z"
CAN_MOUNT = sys.platform == "linux" and os.geteuid() == 0
needs_mount = pytest.mark.skipif(not CAN_MOUNT, reason="to make a small disk needs root on Linux; CI has it")


@contextmanager
def on_a_disk_of_its_own(made: Installation, size: str) -> Iterator[Path]:
    """Give the installation a home on a file system in memory of `size`; its path."""
    disk = Path(tempfile.mkdtemp(prefix="strades-disk-"))
    mount(disk, f"size={size}")
    made.environment["STRADES_HOME"] = str(disk / "home")
    try:
        yield disk
    finally:
        made.strades("db", "stop")
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
        disk.rmdir()


def mount(disk: Path, options: str) -> None:
    """Mount, or mount again with other options."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)], check=True)


@pytest.fixture(scope="module")
def disturbed() -> Iterator[Installation]:
    """An installation with a database and nothing in it; where that can be, its home has a disk of its own."""
    with installation(without=LONG) as made, ExitStack() as stack:
        if CAN_MOUNT:
            stack.enter_context(on_a_disk_of_its_own(made, "2G"))
        made.strades("db", "url")  # makes the server
        yield made


def server_of(made: Installation) -> EmbeddedServer:
    """The server in its home, wherever that is."""
    return EmbeddedServer(Path(made.environment["STRADES_HOME"]) / "postgres")


def test_a_database_that_stops_during_a_run_is_said(disturbed: Installation) -> None:
    stopped = threading.Thread(target=_stop_when_tables_fill, args=[server_of(disturbed)])
    stopped.start()
    done = disturbed.strades("run", *WINDOW, now=NOON)
    stopped.join()
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def _stop_when_tables_fill(server: EmbeddedServer) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with psycopg.connect(server.url("strades_sandbox")) as connection:
                if connection.execute("SELECT count(*) FROM rawsources.fetches").fetchone() not in ((0,), None):
                    server.stop()
                    return
        except Exception:  # there is no table yet
            pass
        time.sleep(0.2)


@needs_mount
def test_a_full_disk_is_said(disturbed: Installation) -> None:
    disturbed.strades("db", "url")  # starts the server
    disk = Path(disturbed.environment["STRADES_HOME"]).parent
    mount(disk, f"remount,size={shutil.disk_usage(disk).used + ROOM}")
    full = disturbed.strades("run", *WINDOW, now=NOON)
    mount(disk, "remount,size=2G")
    assert full.returncode == 1
    assert "disk" in full.stderr
    assert "full" in full.stderr
    assert "Traceback" not in full.stderr


def test_the_runs_after_leave_what_two_leave_that_nothing_disturbed(disturbed: Installation) -> None:
    disturbed.run(now=NOON)
    disturbed.run(now=HALF_PAST)
    found = disturbed.hashes()
    assert [table for table, kept in undisturbed_outcome()["hashes"].items() if found[table] != kept] == []


def test_24_a_clock_that_goes_back_and_forth_loses_nothing_and_all_fills_trace(disturbed: Installation) -> None:
    for now in (TWO_DAYS_BEFORE, HALF_PAST):
        disturbed.run(now=now)
    assert disturbed.strades("trace", "--all").returncode == 0


@needs_mount
def test_a_read_only_home_is_one_line_and_the_sources_can_still_be_checked() -> None:
    with installation(without=LONG) as made, on_a_disk_of_its_own(made, "10M") as disk:
        mount(disk, "remount,ro")
        done = made.strades("run", *WINDOW, now=NOON)
        assert done.returncode == 1
        assert "Read-only file system" in done.stderr
        assert done.stderr.count("\n") == 1
        assert made.strades("sources", "check").returncode == 0
