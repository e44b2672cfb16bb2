"""Base backups of the embedded server, all its databases at once: a full one a week, increments on it in between.

With the WAL archive they lead back to any moment, see `recovery`; `backup.py` saves one world in one file.
"""

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from strades_pipelines.database.archive_copies import copy_to_store
from strades_pipelines.database.backup import BackupError, BackupFailed, Progress, first_error
from strades_pipelines.database.backup_chains import (
    FULL,
    INCREMENT,
    NAME,
    chains,
    first_segment,
    superseded,
    taken_at,
)
from strades_pipelines.database.connection import advisory_lock, embedded_server
from strades_pipelines.database.psql import libpq_variables
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.sizes import folder_size
from strades_pipelines.database.timelines import taken_over, timeline_at
from strades_pipelines.database.wal_archive import base_backups, segments
from strades_pipelines.database.wal_segment import SUFFIX
from strades_pipelines.settings import settings

FULL_EVERY = timedelta(days=7)


@dataclass(frozen=True)
class BaseBackup:
    """A base backup that was taken: its folder, whether it stands alone, its size in bytes and how long it took."""

    folder: Path
    is_full: bool
    size: int
    seconds: float


def take_base_backup(server: EmbeddedServer, *, full: bool = False, progress: Progress) -> BaseBackup:
    """Take a base backup into the server's archive, then delete chains and WAL segments that are no longer needed.

    Where the server has a store, copy there what it lacks; nothing is deleted there.

    An increment where the newest full backup is young enough and of this server's timeline; else a full one.

    Args:
        full: a full one in any case.

    Raises:
        BackupError: this server archives nothing, or the archive is another server's.
        BackupFailed: what pg_basebackup said, or the store.
    """
    archive = checked_archive(server)
    with advisory_lock(server.url(), "base_backup") as connection:
        for left_by_a_kill in base_backups(archive).glob("*.part"):
            shutil.rmtree(left_by_a_kill)
        begun = datetime.now(UTC)
        identity = _identity(connection)
        _check_timeline(archive, identity[1])
        parent = None if full else _parent(archive, identity, now=begun)
        progress(f"copying {'what changed' if parent else 'all'}")
        part = base_backups(archive) / "new.part"
        fault = _copy(server, part, parent)
        if fault and parent:  # summaries of the WAL are missing, say: they are kept for ten days
            progress(f"an increment is not possible ({fault}): copying all")
            shutil.rmtree(part, ignore_errors=True)
            parent, fault = None, _copy(server, part, None)
        if fault:
            raise BackupFailed(f"pg_basebackup failed: {fault}")
        ended = datetime.now(UTC)
        stamp = (ended + timedelta(seconds=1)).strftime(NAME)
        folder = part.rename(part.with_name(stamp + (INCREMENT if parent else FULL)))
        _delete_old(server, archive, now=ended)
        if server.store is not None:
            copy_to_store(archive, server.store, progress=progress)
    return BaseBackup(folder, parent is None, folder_size(folder), (ended - begun).total_seconds())


def own_server() -> EmbeddedServer:
    """The embedded server, which runs afterwards.

    Raises:
        BackupError: this installation works with another server.
    """
    if settings().database_url is not None:
        raise BackupError("DATABASE_URL names another server: who runs it archives it, see docs/deploy.md")
    server = embedded_server()
    server.start()
    return server


def checked_archive(server: EmbeddedServer) -> Path:
    """The folder of a running server's archive.

    Raises:
        BackupError: there is none, or the server was started without it.
    """
    if server.archive is None:
        raise BackupError("STRADES_ARCHIVE is not set: name a folder, on another disk than the home")
    with psycopg.connect(server.url()) as connection:
        row = connection.execute("SELECT current_setting('archive_mode')").fetchone()
    if row != ("on",):
        raise BackupError("the server runs since before STRADES_ARCHIVE was set: `strades db stop`, then start again")
    return server.archive


def _identity(connection: psycopg.Connection[Any]) -> tuple[int, int]:
    """The system identifier of a server and its timeline."""
    row = connection.execute(
        "SELECT (SELECT system_identifier FROM pg_control_system()), (SELECT timeline_id FROM pg_control_checkpoint())"
    ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


def _check_timeline(archive: Path, timeline: int) -> None:
    """Raise BackupError where a server that was recovered from the archive took over, and this is the one before it."""
    if (newest := timeline_at(archive, None)) > timeline:
        raise BackupError(
            f"{archive}: a recovered server took over (timeline {newest}; this one is on {timeline}): name another "
            "folder in STRADES_ARCHIVE"
        )


def _parent(archive: Path, identity: tuple[int, int], *, now: datetime) -> Path | None:
    """The backup that an increment can build on; None where a full one is due.

    Raises:
        BackupError: the archive is another server's.
    """
    found = chains(archive)
    if not found:
        return None
    manifest = json.loads((found[-1][-1] / "backup_manifest").read_bytes())
    system, timeline = identity
    if manifest["System-Identifier"] != system:
        raise BackupError(f"{archive}: expected backups of this server, were another's; name another STRADES_ARCHIVE")
    is_same_line = manifest["WAL-Ranges"][-1]["Timeline"] == timeline
    return found[-1][-1] if is_same_line and now - taken_at(found[-1][0]) < FULL_EVERY else None


def _copy(server: EmbeddedServer, folder: Path, parent: Path | None) -> str | None:
    """Run pg_basebackup; returns the first error that it told, None for success."""
    options = ["--checkpoint=fast", "--wal-method=stream", "--manifest-checksums=SHA256", "--no-password"]
    if parent is not None:
        options.append(f"--incremental={parent / 'backup_manifest'}")
    variables = {**libpq_variables(server.url()), "LC_ALL": "C"}
    done = server.programs.run("pg_basebackup", f"--pgdata={folder}", *options, variables=variables)
    return first_error(done.stderr) if done.returncode else None


def _delete_old(server: EmbeddedServer, archive: Path, *, now: datetime) -> None:
    """Delete the chains that nobody needs for the last week, and the segments of before those that stay.

    Increments go before what they build on: what a kill leaves is a shorter chain, never increments of another one.
    """
    found = chains(archive)
    old = superseded(found, now=now, switched=max(taken_over(archive).values(), default=None))
    for chain in old:
        for folder in reversed(chain):
            shutil.rmtree(folder)
    first = first_segment(found[len(old) :])
    done = server.programs.run("pg_archivecleanup", f"--strip-extension={SUFFIX}", str(segments(archive)), first)
    if done.returncode:
        raise BackupFailed(f"pg_archivecleanup failed: {first_error(done.stderr)}")
