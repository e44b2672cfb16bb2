"""Recover the embedded server from its archive, beside itself, as of any moment since the oldest base backup."""

import os
import shutil
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from strades_pipelines.database.backup import BackupError, BackupFailed, Progress, first_error
from strades_pipelines.database.backup_chains import chains, taken_at
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.server_programs import ServerError
from strades_pipelines.database.timelines import is_on_timeline, timeline_at
from strades_pipelines.database.wal_archive import recovery_options

POLL_SECONDS = 0.1
# Folders of a base backup that have no file. Object stores know files alone, and PostgreSQL misses these.
EMPTY_FOLDERS = (
    *("pg_commit_ts", "pg_dynshmem", "pg_logical/mappings", "pg_logical/snapshots", "pg_notify", "pg_replslot"),
    *("pg_serial", "pg_snapshots", "pg_stat", "pg_stat_tmp", "pg_subtrans", "pg_tblspc", "pg_twophase"),
    *("pg_wal/archive_status", "pg_wal/summaries"),
)


@dataclass(frozen=True)
class Recovery:
    """A server that was recovered and runs: the newest base backup it was made of, and how long all of it took."""

    server: EmbeddedServer
    base_backup: str
    seconds: float


def recover(archive: Path, folder: Path, password: Path, *, at: datetime | None, progress: Progress) -> Recovery:
    """Make a server in `folder`, with all databases as they were at a moment, and start it. It archives nothing.

    Args:
        archive: base backups and WAL segments, of a server that may be gone.
        password: the file of that server's owner's password.
        at: aware; None for the newest that the archive holds.

    Raises:
        BackupError: the folder is taken, or the archive does not reach back that far, or the password is missing.
        BackupFailed: PostgreSQL could not recover; with what it said.
    """
    if folder.exists():
        raise BackupError(f"{folder}: expected a new folder, was there already")
    if not password.exists():
        raise BackupError(f"{password}: expected the password of the server that was backed up; put the file back")
    begun, timeline = time.monotonic(), timeline_at(archive, at)
    chain = chain_before(archive, at, timeline)
    folder.mkdir(mode=0o755)
    server = EmbeddedServer(folder, recovery=tuple(recovery_options(archive, at, timeline)))
    progress(f"putting {len(chain)} base backups together" if len(chain) > 1 else "copying the base backup")
    _make_empty_folders(chain)
    _combine(chain, server)
    shutil.copyfile(password, folder / "password", follow_symlinks=False)
    (folder / "password").chmod(0o600)
    progress("replaying WAL")
    try:
        server.start()
    except ServerError as error:
        raise BackupFailed(f"the recovery ended: {error}") from None
    _wait_for_promotion(server)
    return Recovery(server, chain[-1].name, time.monotonic() - begun)


def chain_before(archive: Path, at: datetime | None, timeline: int) -> list[Path]:
    """The newest base backup of a timeline that was finished by `at`, after those that it builds on.

    Raises:
        BackupError: there is none.
    """
    found = chains(archive)
    before = [
        [each for each in chain if (at is None or taken_at(each) <= at) and is_on_timeline(each, archive, timeline)]
        for chain in found
    ]
    usable = [chain for chain in before if chain]
    if not usable:
        oldest = f"{taken_at(found[0][0]):%Y-%m-%dT%H:%M:%SZ}" if found else "never: take one first"
        raise BackupError(
            f"{archive}: expected a base backup of before that moment, was none; the oldest is of {oldest}"
        )
    return usable[-1]


def _make_empty_folders(chain: list[Path]) -> None:
    """Make the folders that an object store did not bring back, owned as the backups are."""
    missing = [each / name for each in chain for name in EMPTY_FOLDERS if not (each / name).is_dir()]
    owner = chain[0].stat()
    for folder in missing:
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise BackupError(f"{folder}: expected this folder, or to be able to make it: {error.strerror}") from None
        if os.geteuid() == 0:
            os.chown(folder, owner.st_uid, owner.st_gid)


def _combine(chain: list[Path], server: EmbeddedServer) -> None:
    """Put a chain together as the server's data, owned as the backups are."""
    owner = chain[0].stat()
    if os.geteuid() == 0:
        os.chown(server.folder, owner.st_uid, owner.st_gid)
    done = server.programs.run("pg_combinebackup", f"--output={server.data}", *map(str, chain))
    if done.returncode:
        raise BackupFailed(f"pg_combinebackup failed: {first_error(done.stderr)}")
    signal = server.data / "recovery.signal"
    signal.touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(signal, owner.st_uid, owner.st_gid)


def _wait_for_promotion(server: EmbeddedServer) -> None:
    """Wait until the server takes writes. One that cannot reach its moment ends, and its log says why."""
    while True:
        try:
            with psycopg.connect(server.url(), connect_timeout=5, autocommit=True) as connection:
                if connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,):
                    return
        except psycopg.OperationalError:
            if not server.has_postmaster():
                raise BackupFailed(f"the recovery ended: {server.complaint()}; is the moment in the archive?") from None
        time.sleep(POLL_SECONDS)
