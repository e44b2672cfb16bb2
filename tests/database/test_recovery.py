"""A server comes back from its archive as of any moment: base backups, increments, WAL, and the drill."""

import gzip
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import zstandard

from strades_pipelines.database.backup import BackupError, BackupFailed
from strades_pipelines.database.backup_chains import FULL, INCREMENT, NAME, chains, taken_at
from strades_pipelines.database.base_backup import take_base_backup
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.recovery import EMPTY_FOLDERS, recover
from strades_pipelines.database.recovery_drill import run_drill
from strades_pipelines.database.roles import create_roles
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.wal_archive import base_backups, segments
from strades_pipelines.ingestion.bodies import count_whole_bodies
from strades_pipelines.supervision.alert_rules import alerts_due
from strades_pipelines.supervision.metrics import read_metrics
from tests.waiting import wait_until

BODY = b"bytes of a source, as they came"


def quiet(line: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A server with a world and an archive, whose name has what a shell and PostgreSQL read otherwise."""
    folder = Path(tempfile.mkdtemp(prefix="strades-archive-"))
    folder.chmod(0o755)
    made = EmbeddedServer(folder / "postgres", "-c synchronous_commit=off", archive=folder / "its %p 'archive'")
    with psycopg.connect(made.start(), autocommit=True) as connection:
        create_roles(connection)
        connection.execute("CREATE DATABASE world")
    migrate(made.url("world"), world="sandbox")
    with psycopg.connect(made.url("world")) as connection:
        packed = zstandard.ZstdCompressor().compress(BODY)
        row = [hashlib.sha256(BODY).digest(), len(BODY), packed]
        connection.execute("INSERT INTO rawsources.bodies (sha256, size, body) VALUES (%s, %s, %s)", row)
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


def archive_of(server: EmbeddedServer) -> Path:
    assert server.archive is not None
    return server.archive


def test_a_drill_before_the_first_base_backup_says_so(server: EmbeddedServer) -> None:
    drill = run_drill(server, "world", count_bodies=count_whole_bodies, progress=quiet)
    assert drill.fault is not None
    assert "expected a base backup of before that moment, was none" in drill.fault


def test_a_row_that_was_deleted_is_back_and_bodies_are_whole(server: EmbeddedServer) -> None:
    full = take_base_backup(server, progress=quiet)
    with psycopg.connect(server.url("world"), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.grown AS SELECT generate_series(1, 1000) AS x")
    increment = take_base_backup(server, progress=quiet)
    assert (full.is_full, increment.is_full) == (True, False)
    assert increment.size < full.size / 2
    time.sleep(1.1)  # names are rounded up to the next second
    drill = run_drill(server, "world", count_bodies=count_whole_bodies, progress=quiet)
    assert drill.fault is None
    assert drill.base_backup == increment.folder.name
    assert drill.bodies == 1
    assert drill.rto_seconds is not None
    assert 0 < drill.rto_seconds < 120
    assert drill.archive_seconds is not None
    assert drill.rpo_seconds == 300 + drill.archive_seconds
    assert not (archive_of(server) / "drill").exists()
    with psycopg.connect(server.url("world")) as connection:
        assert connection.execute("SELECT count(*) FROM ops.recovery_marks").fetchone() == (0,)
        rows = connection.execute("SELECT drill, bodies FROM ops.recovery_drills WHERE fault IS NULL").fetchall()
    assert rows == [(drill.drill, 1)]


def test_a_body_that_rotted_is_found_by_the_drill(server: EmbeddedServer) -> None:
    with psycopg.connect(server.url("world")) as connection:
        packed = zstandard.ZstdCompressor().compress(BODY + b"!")
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE rawsources.bodies SET body = %s", [packed])
    try:
        drill = run_drill(server, "world", count_bodies=count_whole_bodies, progress=quiet)
    finally:
        with psycopg.connect(server.url("world")) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("UPDATE rawsources.bodies SET body = %s", [zstandard.ZstdCompressor().compress(BODY)])
    assert drill.fault is not None
    assert hashlib.sha256(BODY).hexdigest() in drill.fault


def test_a_server_that_is_gone_comes_back_as_of_a_moment(server: EmbeddedServer, tmp_path: Path) -> None:
    """All databases, by what the archive and the password hold: the server itself is not asked."""
    if not chains(archive_of(server)):
        take_base_backup(server, progress=quiet)
    time.sleep(1.1)
    with psycopg.connect(server.url("world"), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.moments AS SELECT clock_timestamp() AS at")
        time.sleep(0.2)
        moment = datetime.now(UTC)
        time.sleep(0.2)
        connection.execute("INSERT INTO public.moments SELECT clock_timestamp()")
        connection.execute("SELECT pg_switch_wal()")
    password = server.folder / "password"
    server.stop()  # a shutdown archives what is left
    try:
        for at, rows in ((moment, 1), (None, 2)):
            with tempfile.TemporaryDirectory() as folder:
                recovered = recover(archive_of(server), Path(folder) / "back", password, at=at, progress=quiet).server
                with psycopg.connect(recovered.url("world")) as connection:
                    assert connection.execute("SELECT count(*) FROM public.moments").fetchone() == (rows,)
                    connection.execute("INSERT INTO public.moments SELECT now()")
                    assert connection.execute("SELECT current_setting('archive_mode')").fetchone() == ("off",)
                recovered.stop()
        later = datetime.now(UTC) + timedelta(hours=1)
        with pytest.raises(BackupFailed, match="recovery ended before configured recovery target was reached"):
            recover(archive_of(server), tmp_path / "later", password, at=later, progress=quiet)
        with pytest.raises(BackupError, match="expected a base backup of before that moment"):
            recover(
                archive_of(server), tmp_path / "early", password, at=datetime(2020, 1, 1, tzinfo=UTC), progress=quiet
            )
    finally:
        server.start()


def test_a_recovery_stops_at_a_damaged_segment_and_says_so(server: EmbeddedServer) -> None:
    """PostgreSQL would take it for the end of the archive, and all behind it would be missing."""
    if not chains(archive_of(server)):
        take_base_backup(server, progress=quiet)
    closed = []
    with psycopg.connect(server.url(), autocommit=True) as connection:
        for _ in range(2):
            connection.execute("SELECT pg_logical_emit_message(true, 'test', 'x')")
            row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
            assert row is not None
            closed.append(segments(archive_of(server)) / f"{row[0]}.gz")
    wait_until(closed[-1].exists)
    whole = closed[0].read_bytes()
    closed[0].write_bytes(whole[: len(whole) // 2])
    try:
        with tempfile.TemporaryDirectory() as folder, pytest.raises(BackupFailed, match="the recovery ended"):
            recover(archive_of(server), Path(folder) / "back", server.folder / "password", at=None, progress=quiet)
    finally:
        closed[0].write_bytes(whole)


def test_a_segment_that_cannot_be_archived_is_told_until_it_is(server: EmbeddedServer) -> None:
    """Something else lies in the archive under the name of the next segment."""

    def failing() -> list[str]:
        samples = read_metrics(lambda: server.url("world"), lambda: server.url("world"))
        return [lag.what for lag in alerts_due(samples) if lag.what.startswith("WAL")]

    def next_segment() -> Path:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            row = connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone()
            connection.execute("SELECT pg_logical_emit_message(true, 'test', 'x')")
        assert row is not None
        return segments(archive_of(server)) / f"{row[0]}.gz"

    assert failing() == []
    stranger = next_segment()
    stranger.write_bytes(gzip.compress(b"of another server"))
    stranger.chmod(0o644)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_switch_wal()")
    wait_until(failing, seconds=60)
    assert gzip.decompress(stranger.read_bytes()) == b"of another server"
    stranger.unlink()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_switch_wal()")  # wakes the archiver
    wait_until(lambda: not failing(), seconds=120)


def test_another_servers_archive_is_refused(server: EmbeddedServer) -> None:
    take_base_backup(server, progress=quiet)
    manifest = chains(archive_of(server))[-1][-1] / "backup_manifest"
    as_it_was = manifest.read_bytes()
    manifest.write_bytes(as_it_was.replace(b'"System-Identifier": ', b'"System-Identifier": 1'))
    with pytest.raises(BackupError, match=r"expected backups of this server, were another's"):
        take_base_backup(server, progress=quiet)
    manifest.write_bytes(as_it_was)


def test_without_an_archive_there_is_no_base_backup(server: EmbeddedServer, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="STRADES_ARCHIVE is not set"):
        take_base_backup(EmbeddedServer(server.folder), progress=quiet)


def test_chains_begin_with_a_full_backup(tmp_path: Path) -> None:
    names = [f"{datetime(2026, 1, day, tzinfo=UTC):{NAME}}{kind}" for day, kind in enumerate(
        [INCREMENT, FULL, INCREMENT, INCREMENT, FULL], 1)]  # fmt: skip
    for name in names:
        (base_backups(tmp_path) / name).mkdir(parents=True)
    assert [[path.name for path in chain] for chain in chains(tmp_path)] == [names[1:4], names[4:]]
    assert taken_at(base_backups(tmp_path) / names[1]) == datetime(2026, 1, 2, tzinfo=UTC)


def test_an_archive_comes_back_from_an_object_store_which_knows_files_alone(
    server: EmbeddedServer, tmp_path: Path
) -> None:
    time.sleep(1.1)  # names of backups are of whole seconds
    taken = take_base_backup(server, progress=quiet)
    empty = {str(each.relative_to(taken.folder)) for each in taken.folder.rglob("*") if is_empty_folder(each)}
    assert empty <= set(EMPTY_FOLDERS)
    with psycopg.connect(server.url("world"), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.stored AS SELECT 7 AS x")
        closed = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    assert closed is not None
    wait_until((segments(archive_of(server)) / f"{closed[0]}.gz").exists)
    with tempfile.TemporaryDirectory() as folder:
        owner = archive_of(server).stat()
        archive = Path(folder) / "archive"
        Path(folder).chmod(0o755)
        for file in archive_of(server).rglob("*"):
            if file.is_file():
                copy = archive / file.relative_to(archive_of(server))
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
        for each in (archive, *archive.rglob("*")):
            os.chown(each, owner.st_uid, owner.st_gid)
        server.stop()
        try:
            recovered = recover(
                archive, Path(folder) / "new", server.folder / "password", at=None, progress=quiet
            ).server
            try:
                with psycopg.connect(recovered.url("world")) as connection:
                    assert connection.execute("SELECT x FROM public.stored").fetchall() == [(7,)]
            finally:
                recovered.stop()
        finally:
            server.start()


def is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
