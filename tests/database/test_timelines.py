"""Recoveries one after the other: each takes a number of its own, and nothing of the newest is lost to an older one."""

import gzip
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from strades_pipelines.database.backup import BackupError
from strades_pipelines.database.base_backup import take_base_backup
from strades_pipelines.database.recovery import recover
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.server_programs import ServerError
from strades_pipelines.database.timelines import HISTORY, as_number, is_on_timeline, taken_over, timeline_at
from strades_pipelines.database.wal_archive import make_archive, segments

TIME = datetime(2026, 1, 10, tzinfo=UTC)


def quiet(line: str) -> None:
    """No progress."""


def archive_with(folder: Path, *histories: str) -> Path:
    """An archive with timelines from the second on, taken over a day after each other."""
    segments(folder).mkdir(parents=True)
    for number, text in enumerate(histories, 2):
        path = segments(folder) / f"{number:08X}.history.gz"
        path.write_bytes(gzip.compress(text.encode()))
        seconds = (TIME + timedelta(days=number)).timestamp()
        os.utime(path, (seconds, seconds))
    return folder


def backup_of(folder: Path, timeline: int, end: str) -> Path:
    folder.mkdir()
    (folder / "backup_manifest").write_text(json.dumps({"WAL-Ranges": [{"Timeline": timeline, "End-LSN": end}]}))
    return folder


def test_a_moment_has_the_timeline_that_was_in_use(tmp_path: Path) -> None:
    archive = archive_with(tmp_path, "1\t0/5000000\tno reason\n", "1\t0/5000000\tx\n2\t0/7000000\ty\n")
    assert taken_over(archive) == {2: TIME + timedelta(days=2), 3: TIME + timedelta(days=3)}
    moments = [None, TIME + timedelta(days=4), TIME + timedelta(days=2.5), TIME]
    assert [timeline_at(archive, moment) for moment in moments] == [3, 3, 2, 1]


def test_a_takeover_keeps_its_time_where_the_history_gets_a_new_one(tmp_path: Path) -> None:
    data, archive, at = tmp_path / "data", tmp_path / "archive", TIME.timestamp()
    (data / "pg_wal").mkdir(parents=True)
    (data / "pg_wal" / "00000002.history").write_text("1\t0/5000000\tx\n")
    assert make_archive(archive, data, tmp_path / "archives") is None
    before = taken_over(archive)
    os.utime(archive / "wal" / f"00000002{HISTORY}", (at, at))
    assert make_archive(archive, data, tmp_path / "archives") is None
    assert taken_over(archive) == before != {2: TIME}


def test_a_backup_of_behind_the_moment_that_was_recovered_is_no_part_of_the_new_timeline(tmp_path: Path) -> None:
    archive = archive_with(tmp_path / "archive", "1\t1/5000000\tno reason\n")
    before, behind = backup_of(tmp_path / "a", 1, "0/FF000000"), backup_of(tmp_path / "b", 1, "1/5000001")
    newer = backup_of(tmp_path / "c", 2, "1/9000000")
    found = [[is_on_timeline(each, archive, line) for each in (before, behind, newer)] for line in (1, 2)]
    assert found == [[True, True, False], [True, False, True]]
    assert as_number("16/B374D848") == 0x16B374D848


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter; all servers in it are stopped."""
    path = Path(tempfile.mkdtemp(prefix="strades-timelines-"))
    path.chmod(0o755)
    yield path
    for made in path.iterdir():
        EmbeddedServer(made).stop()
    shutil.rmtree(path, ignore_errors=True)


def rows(server: EmbeddedServer) -> list[int]:
    with psycopg.connect(server.url()) as connection:
        return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]


def insert(server: EmbeddedServer, x: int) -> datetime:
    """Insert a row and close the segment; returns a moment after it, before the next one."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (x int)")
        connection.execute("INSERT INTO t VALUES (%s)", [x])
        time.sleep(0.3)
        moment = datetime.now(UTC)
        time.sleep(1.1)  # names of backups are of whole seconds
        connection.execute("SELECT pg_switch_wal()")
    return moment


@pytest.mark.slow
def test_a_second_recovery_takes_a_timeline_of_its_own_and_the_newest_wins(folder: Path) -> None:
    archive, first = folder / "archive", EmbeddedServer(folder / "first", archive=folder / "archive")
    password = folder / "first" / "password"

    def recovered(name: str, at: datetime | None) -> EmbeddedServer:
        recover(archive, folder / name, password, at=at, progress=quiet).server.stop()
        return EmbeddedServer(folder / name, archive=archive)

    first.start()
    take_base_backup(first, progress=quiet)
    time.sleep(1.1)
    one = insert(first, 1)
    two = insert(first, 2)
    for x in (3, 4):
        insert(first, x)
    take_base_backup(first, full=True, progress=quiet)  # behind both moments: no part of what is recovered
    first.stop()

    second, rival = recovered("second", one), recovered("rival", one)
    second.start()
    with pytest.raises(ServerError, match=r"00000002\.history\.gz: another recovered server took over"):
        rival.start()
    insert(second, 50)
    second.stop()
    newest = recovered("newest", None)  # there is no base backup of the second timeline yet
    newest.start()
    assert rows(newest) == [1, 50]
    assert sorted(taken_over(archive)) == [2, 3]
    taken = take_base_backup(newest, progress=quiet)
    assert taken.is_full
    insert(newest, 51)
    take_base_backup(newest, progress=quiet)
    newest.stop()
    assert rows_of(recovered("last", None)) == [1, 50, 51]
    assert rows_of(recovered("old", two)) == [1, 2]
    first.start()
    with pytest.raises(BackupError, match=r"a recovered server took over \(timeline 3; this one is on 1\)"):
        take_base_backup(first, progress=quiet)


def rows_of(server: EmbeddedServer) -> list[int]:
    """The rows of a server that is not to take over."""
    plain = EmbeddedServer(server.folder)
    plain.start()
    try:
        return rows(plain)
    finally:
        plain.stop()
