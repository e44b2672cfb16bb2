"""Prove that the archive brings a deleted row back: a deliberate DELETE, and a recovery to a second before it.

The drill recovers beside the server, in the archive's folder, and removes what it made. Its row in
`ops.recovery_drills` says what was measured: how much a loss of the machine may cost (RPO), and how long until a
server answers again (RTO).
"""

import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import scalar_row

from strades_pipelines.database.archive_copies import fetch_from_store
from strades_pipelines.database.archive_store import ArchiveStore, object_name
from strades_pipelines.database.backup import BackupFailed, Progress
from strades_pipelines.database.base_backup import checked_archive
from strades_pipelines.database.connection import WORLD_DATABASES, advisory_lock
from strades_pipelines.database.recovery import Recovery, recover
from strades_pipelines.database.roles import in_database
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.wal_archive import ARCHIVE_TIMEOUT, segments
from strades_pipelines.database.wal_segment import SUFFIX

BEFORE_DELETE = timedelta(seconds=1)
MARK_AHEAD_SECONDS = 1.5  # so that the moment lies between the mark and its DELETE
LONGEST_ARCHIVING = 120.0  # seconds
CountBodies = Callable[["psycopg.Connection[Any]"], int]


@dataclass(frozen=True)
class Drill:
    """One drill; the columns of `ops.recovery_drills`, which describe themselves there."""

    drill: str
    started_at: datetime
    target_time: datetime | None = None
    base_backup: str | None = None
    archive_seconds: float | None = None
    rpo_seconds: float | None = None
    rto_seconds: float | None = None
    bodies: int | None = None
    fault: str | None = None


def run_drill(server: EmbeddedServer, world: str, *, count_bodies: CountBodies, progress: Progress) -> Drill:
    """Run a drill on the server and record it, whether it went well or not.

    Where the server's archive has a copy in a store, the drill recovers by that alone, and the RTO includes the
    transfer: a loss of the machine takes the folder with it.

    Args:
        world: the database whose row is deleted, and where the drill is recorded.
        count_bodies: verifies the SHA-256 of each body of a database; raises ValueError at one that is wrong.

    Raises:
        BackupError: the server archives nothing.
    """
    archive = checked_archive(server)
    drill = Drill(secrets.token_hex(8), datetime.now(UTC))
    folder, fetched = archive / "drill", archive / "drill.fetched"
    with advisory_lock(server.url(), "recovery_drill"):
        for left in (folder, fetched):  # by a killed drill; its server ended with its folder
            shutil.rmtree(left, ignore_errors=True)
        try:
            drill = _delete_a_mark(server, archive, world, drill, progress)
            begun = time.monotonic()
            source = archive
            if server.store is not None:
                fetch_from_store(server.store, fetched, drill.target_time, progress=progress)
                source = fetched
            recovery = recover(source, folder, server.folder / "password", at=drill.target_time, progress=progress)
            drill = replace(drill, base_backup=recovery.base_backup, rto_seconds=time.monotonic() - begun)
            progress("verifying bodies")
            drill = replace(drill, bodies=_verify(recovery, drill, world, count_bodies))
        except (OSError, ValueError, RuntimeError, psycopg.Error) as error:
            drill = replace(drill, fault=" ".join(str(error).split()) or type(error).__name__)
        finally:
            _remove(folder)
            shutil.rmtree(fetched, ignore_errors=True)
        with psycopg.connect(server.url(world)) as connection:
            _record(connection, drill)
    return drill


def other_worlds(server: EmbeddedServer, world: str) -> list[str]:
    """The databases of this server that are worlds, but for `world`."""
    with psycopg.connect(server.url()) as connection:
        made = {name for (name,) in connection.execute("SELECT datname FROM pg_database")}
    return sorted(made & set(WORLD_DATABASES.values()) - {world})


def _delete_a_mark(server: EmbeddedServer, archive: Path, world: str, drill: Drill, progress: Progress) -> Drill:
    """Write a row, delete it, and wait until the WAL of both is archived."""
    progress("deleting a row on purpose")
    with psycopg.connect(server.url(world), autocommit=True, row_factory=scalar_row) as connection:
        connection.execute("INSERT INTO ops.recovery_marks VALUES (%s, clock_timestamp())", [drill.drill])
        time.sleep(MARK_AHEAD_SECONDS)
        deleted_at = connection.execute("SELECT clock_timestamp()").fetchone()
        connection.execute("DELETE FROM ops.recovery_marks WHERE drill = %s", [drill.drill])
        begun = time.monotonic()
        # A segment that is not full would wait for `archive_timeout`.
        segment = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
    progress("waiting for the archive")
    while not _is_archived(f"{segment}{SUFFIX}", archive, server.store):
        if time.monotonic() - begun > LONGEST_ARCHIVING:
            raise BackupFailed(f"segment {segment} was not archived within {LONGEST_ARCHIVING:.0f} s; see the log")
        time.sleep(0.05 if server.store is None else 0.5)
    seconds = time.monotonic() - begun
    assert deleted_at is not None
    return replace(
        drill,
        target_time=deleted_at.astimezone(UTC) - BEFORE_DELETE,
        archive_seconds=seconds,
        rpo_seconds=ARCHIVE_TIMEOUT.total_seconds() + seconds,
    )


def _is_archived(segment: str, archive: Path, store: ArchiveStore | None) -> bool:
    is_local = (segments(archive) / segment).exists()
    return is_local and (store is None or store.read(object_name(segment)) is not None)


def _verify(recovery: Recovery, drill: Drill, world: str, count_bodies: CountBodies) -> int:
    """How many bodies of all worlds are whole in the recovered server, which must have the row that was deleted.

    Raises:
        BackupFailed: it has not.
        ValueError: a body is not what its hash says.
    """
    bodies = 0
    for database in (world, *other_worlds(recovery.server, world)):
        with psycopg.connect(in_database(recovery.server.url(), database)) as connection:
            if database == world:
                found = connection.execute("SELECT FROM ops.recovery_marks WHERE drill = %s", [drill.drill])
                if found.rowcount != 1:
                    raise BackupFailed(f"the deleted row is not back as of {drill.target_time}")
            bodies += count_bodies(connection)
    return bodies


def _remove(folder: Path) -> None:
    server = EmbeddedServer(folder)
    if server.data.exists():
        server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _record(connection: "psycopg.Connection[Any]", drill: Drill) -> None:
    names = list(drill.__dataclass_fields__)
    places = ", ".join(["%s"] * len(names))
    connection.execute(
        f"INSERT INTO ops.recovery_drills ({', '.join(names)}) VALUES ({places})".encode(),
        [getattr(drill, name) for name in names],
    )
