"""A full disk, a read-only home, a clock that goes back, a stopped database: one line, and the next run completes."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from strades_pipelines.database.server import EmbeddedServer
from tests.end_to_end.installation import HALF_PAST, LONG, NOON, WINDOW, Installation, installation, undisturbed_outcome

pytestmark = pytest.mark.slow
ROOM = 10_000_000  # bytes; the server writes its log in files of 16 MB
TWO_DAYS_BEFORE = "2013-02-18T12:00:00Z"
needs_mount = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="to make a small disk needs root on Linux; CI has it"
)


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


def hashes_differ(made: Installation) -> list[str]:
    """The tables that are not those of two runs that nothing disturbed."""
    found = made.hashes()
    return [table for table, kept in undisturbed_outcome()["hashes"].items() if found[table] != kept]


@needs_mount
def test_a_full_disk_is_said_and_after_room_was_made_the_run_completes() -> None:
    with installation(without=LONG) as made, on_a_disk_of_its_own(made, "2G") as disk:
        made.strades("db", "url")  # makes the server
        mount(disk, f"remount,size={shutil.disk_usage(disk).used + ROOM}")
        full = made.strades("run", *WINDOW, now=NOON)
        assert full.returncode == 1
        assert "disk" in full.stderr
        assert "full" in full.stderr
        assert "Traceback" not in full.stderr
        mount(disk, "remount,size=2G")
        made.run(now=NOON)
        made.run(now=HALF_PAST)
        assert hashes_differ(made) == []


@needs_mount
def test_a_read_only_home_is_one_line_and_the_sources_can_still_be_checked() -> None:
    with installation(without=LONG) as made, on_a_disk_of_its_own(made, "10M") as disk:
        mount(disk, "remount,ro")
        done = made.strades("run", *WINDOW, now=NOON)
        assert done.returncode == 1
        assert "Read-only file system" in done.stderr
        assert done.stderr.count("\n") == 1
        assert made.strades("sources", "check").returncode == 0


def test_24_a_clock_that_goes_back_and_forth_loses_nothing_and_all_fills_trace() -> None:
    with installation(without=LONG) as made:
        for now in (NOON, TWO_DAYS_BEFORE, NOON):
            made.run(now=now)
        assert made.strades("trace", "--all").returncode == 0


def test_a_database_that_stops_during_a_run_is_said_and_the_next_run_completes() -> None:
    with installation(without=LONG) as made:
        made.strades("db", "url")
        server = EmbeddedServer(made.home / "postgres")
        stopped = threading.Thread(target=_stop_when_tables_fill, args=[made, server])
        stopped.start()
        done = made.strades("run", *WINDOW, now=NOON)
        stopped.join()
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        made.run(now=NOON)
        made.run(now=HALF_PAST)
        assert hashes_differ(made) == []


def _stop_when_tables_fill(made: Installation, server: EmbeddedServer) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with made.connect() as connection:
                if connection.execute("SELECT count(*) FROM rawsources.fetches").fetchone() not in ((0,), None):
                    server.stop()
                    return
        except Exception:  # there is no table yet
            pass
        time.sleep(0.2)
