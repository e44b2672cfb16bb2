"""The archive's copy on an object store leads back alone; what is damaged there or half-written is no backup."""

import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import zstandard

from strades_pipelines.database.archive_copies import copy_to_store, fetch_from_store
from strades_pipelines.database.archive_store import ArchiveStore
from strades_pipelines.database.backup import BackupError, BackupFailed
from strades_pipelines.database.base_backup import take_base_backup
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.recovery import recover
from strades_pipelines.database.recovery_drill import run_drill
from strades_pipelines.database.roles import create_roles
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.wal_archive import segments
from strades_pipelines.ingestion.bodies import count_whole_bodies
from tests.database.object_store_server import KEY, SECRET, ObjectStoreServer, serving
from tests.waiting import wait_until


def quiet(line: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def objects() -> Iterator[ObjectStoreServer]:
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def server(objects: ObjectStoreServer) -> Iterator[EmbeddedServer]:
    """A server with a world, whose archive has a copy in the store."""
    folder = Path(tempfile.mkdtemp(prefix="strades-copies-"))
    folder.chmod(0o755)
    keys = folder / "keys"
    keys.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    store = ArchiveStore(objects.address, keys)
    made = EmbeddedServer(folder / "postgres", "-c synchronous_commit=off", archive=folder / "archive", store=store)
    with psycopg.connect(made.start(), autocommit=True) as connection:
        create_roles(connection)
        connection.execute("CREATE DATABASE world")
    migrate(made.url("world"), world="sandbox")
    take_base_backup(made, progress=quiet)
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


def of(server: EmbeddedServer) -> tuple[Path, ArchiveStore]:
    """The archive and its store."""
    assert server.archive is not None
    assert server.store is not None
    return server.archive, server.store


def close_segment(server: EmbeddedServer) -> str:
    """The name of the segment's object."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_logical_emit_message(true, 'test', 'x')")
        row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    assert row is not None
    return f"strades/wal/{row[0]}.gz"


def test_a_drill_recovers_by_the_store_alone_and_finds_what_is_damaged_there(
    server: EmbeddedServer, objects: ObjectStoreServer
) -> None:
    archive, _ = of(server)
    increment = take_base_backup(server, progress=quiet).folder.name
    lost = archive.with_name("lost")
    time.sleep(1.1)  # names are rounded up to the next second

    def drill() -> str | None:
        ran = run_drill(server, "world", count_bodies=count_whole_bodies, progress=quiet)
        assert ran.fault is not None or ran.base_backup == increment
        assert {path.name for path in archive.iterdir()} == {"wal", "base"}
        return ran.fault

    (archive / "base").rename(lost)
    (archive / "base").mkdir(mode=0o700)
    try:
        assert drill() is None
    finally:
        (archive / "base").rmdir()
        lost.rename(archive / "base")
    segment = close_segment(server)
    wait_until(lambda: segment in objects.objects)
    whole = objects.objects[segment]
    objects.objects[segment] = whole[: len(whole) // 2]
    try:
        assert "the recovery ended" in (drill() or "")
    finally:
        objects.objects[segment] = whole


def test_a_machine_that_is_lost_comes_back_as_of_a_moment(
    server: EmbeddedServer, objects: ObjectStoreServer, tmp_path: Path
) -> None:
    _, store = of(server)
    time.sleep(1.1)
    with psycopg.connect(server.url("world"), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.moments AS SELECT 1 AS x")
    time.sleep(0.2)
    moment = datetime.now(UTC)
    time.sleep(0.2)
    with psycopg.connect(server.url("world"), autocommit=True) as connection:
        connection.execute("INSERT INTO public.moments SELECT 2")
    segment = close_segment(server)
    wait_until(lambda: segment in objects.objects)
    for at, rows in ((moment, 1), (None, 2)):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            archive = Path(folder) / "archive"
            fetch_from_store(store, archive, at, progress=quiet)
            back = recover(archive, Path(folder) / "back", server.folder / "password", at=at, progress=quiet).server
            try:
                with psycopg.connect(back.url("world")) as connection:
                    assert connection.execute("SELECT count(*) FROM public.moments").fetchone() == (rows,)
            finally:
                back.stop()
    with pytest.raises(BackupError, match="expected a base backup of before that moment, was none; the oldest is of"):
        fetch_from_store(store, tmp_path / "early", datetime(2020, 1, 1, tzinfo=UTC), progress=quiet)


@pytest.mark.parametrize("damage", ["cut off", "another byte", "nothing", "another content, well packed"])
def test_a_base_backup_that_is_damaged_in_the_store_is_refused(
    server: EmbeddedServer, objects: ObjectStoreServer, tmp_path: Path, damage: str
) -> None:
    _, store = of(server)
    name = max(name for name in objects.objects if name.endswith("-full.tar.zst"))
    whole = objects.objects[name]
    tar = zstandard.ZstdDecompressor().decompressobj().decompress(whole)
    middle = len(tar) // 2
    objects.objects[name] = {
        "cut off": whole[:-5000],
        "another byte": whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:],
        "nothing": b"",
        "another content, well packed": zstandard.compress(tar[:middle] + bytes([tar[middle] ^ 1]) + tar[middle + 1 :]),
    }[damage]
    try:
        with pytest.raises(BackupFailed, match=r"-full.tar.zst is damaged: expected"):
            fetch_from_store(store, tmp_path / "archive", None, progress=quiet)
    finally:
        objects.objects[name] = whole
    assert [path.name for path in (tmp_path / "archive" / "base").iterdir()] == []


def test_a_copy_that_is_killed_in_the_middle_is_completed_by_the_next(
    server: EmbeddedServer, objects: ObjectStoreServer, tmp_path: Path
) -> None:
    archive, store = of(server)
    kept = dict(objects.objects)
    for name in [name for name in objects.objects if "/base/" in name]:
        del objects.objects[name]
    objects.silent_about = ".tar.zst"
    before = len(objects.requests)
    copying = multiprocessing.get_context("spawn").Process(
        target=copy_to_store, args=(archive, store), kwargs={"progress": quiet}
    )
    copying.start()
    wait_until(lambda: any(".tar.zst" in line for line in objects.requests[before:]), seconds=60)
    copying.kill()
    copying.join()
    assert not [name for name in objects.objects if "/base/" in name]
    # What pyarrow leaves where an error ends a write early: an object, but no note of it.
    cut = min(name for name in kept if name.endswith(".tar.zst"))
    objects.objects[cut] = kept[cut][:1000]
    objects.silent_about = ""
    with pytest.raises(BackupError, match="never: `strades db base-backup`"):
        fetch_from_store(store, tmp_path / "archive", None, progress=quiet)
    copy_to_store(archive, store, progress=quiet)
    assert set(objects.objects) == set(kept)
    fetch_from_store(store, tmp_path / "again", None, progress=quiet)


def test_a_segment_waits_while_the_store_refuses_it(server: EmbeddedServer, objects: ObjectStoreServer) -> None:
    archive, _ = of(server)
    objects.refuses_writes = True
    segment = close_segment(server)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        wait_until(lambda: connection.execute("SELECT last_failed_wal FROM pg_stat_archiver").fetchone() != (None,))
        assert (segments(archive) / Path(segment).name).exists()
        assert segment not in objects.objects
        waiting = connection.execute("SELECT name FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'").fetchall()
        assert f"{Path(segment).stem}.ready" in {name for (name,) in waiting}
    objects.refuses_writes = False
    close_segment(server)  # wakes the archiver
    wait_until(lambda: segment in objects.objects, seconds=120)
    assert SECRET not in (server.data / "server.log").read_text()
