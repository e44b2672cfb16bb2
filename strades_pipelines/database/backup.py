"""A world's database as one file; `restore.py` brings it back.

The file is an archive of `pg_dump` in its custom format, so `pg_restore` reads it as it is. Behind the archive stands
one line of JSON with the hash of every table, taken in the same snapshot as the archive, and its length: a restore
shows that the new database holds the very same. The line is signed with a key that only this installation has.
"""

import hmac
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from strades_pipelines.database.connection import connect
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.psql import environment
from strades_pipelines.database.server_programs import binaries
from strades_pipelines.database.sessions import SESSIONS
from strades_pipelines.settings import settings
from strades_pipelines.system import stopping
from strades_pipelines.system.regular_files import NotARegularFile, check_output, open_regular

ARCHIVE = b"PGDMP"
MARK = b"strades-backup"
TRAILER = len(MARK) + 10  # the mark, and the length of the line of JSON in ten digits
# Sessions: their keys are those of the cookies that browsers hold, and sign their holder in. What is known of backups:
# whoever restores one elsewhere has none yet.
NOT_SAVED = (SESSIONS, "ops.backups", "ops.backup_schedule")
Progress = Callable[[str], None]


class BackupError(ValueError):
    """A backup cannot be used, or not here; one line."""


class BackupFailed(RuntimeError):
    """PostgreSQL's program failed, or what was restored is not what was saved; one line."""


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: the world, when it was taken, the migrations applied, the SHA-256 of each table's rows."""

    world: str
    taken_at: str
    migrations: tuple[str, ...]
    hashes: Mapping[str, str]


def signing_key() -> Path:
    """The file of the key that signs this installation's backups; it is made with the first."""
    return settings().home / "backup.key"


def back_up(file: Path, url: str, *, key: Path, progress: Progress, is_scheduled: bool = False) -> Manifest:
    """Write the database of `url` into `file`, as one moment saw it, while others may go on writing.

    Nobody's sign-in to the dashboard is in it: after a restore everybody signs in again. Nor is what is known of
    backups, which may be another machine's afterwards.

    Args:
        key: the file of the key that signs this installation's backups.
        is_scheduled: by the service of daily backups.

    Raises:
        BackupError: the file cannot be written there.
        BackupFailed: what pg_dump said.
    """
    if not file.parent.is_dir():
        raise BackupError(f"{file}: expected a folder to write into, was none at {file.parent}")
    part = file.with_name(file.name + ".part")
    for path in (file, part):
        try:
            check_output(path)
        except NotARegularFile as error:  # the rename would put a file in the place of /dev/null
            raise BackupError(f"{path}: expected a file to write, was {error.strerror}") from None
    try:
        with stopping.at_stop(lambda: part.unlink(missing_ok=True)), psycopg.connect(url) as connection:
            # The transaction stays open until the end: an exported snapshot ends with it, and with that what pg_dump
            # reads by.
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            row = connection.execute("SELECT pg_export_snapshot(), now()").fetchone()
            assert row is not None
            snapshot, taken_at = row
            progress("dumping")
            options = ["--format=custom", *(f"--exclude-table-data={table}" for table in NOT_SAVED)]
            run_tool("pg_dump", [*options, f"--snapshot={snapshot}", f"--file={part}"], url)
            progress("hashing every table")
            manifest = _manifest(connection, taken_at, table_hashes(url, snapshot=snapshot))
        signature = _signature(part, part.stat().st_size, manifest, make_key(key))
        line = json.dumps({**asdict(manifest), "signature": signature}).encode() + b"\n"
        with part.open("ab") as archive:
            archive.write(line + MARK + f"{len(line):010d}".encode())
        part.rename(file)  # a file of that name is whole
    finally:
        part.unlink(missing_ok=True)
    # Once the file has its name: a row without a file would keep the alert BackupOld silent.
    _record(url, file, manifest, is_scheduled=is_scheduled)
    return manifest


def insert_backup(connection: psycopg.Connection[Any], file: Path, manifest: Manifest, *, is_scheduled: bool) -> None:
    """Write the row of a backup, where also those see it who do not see the file."""
    connection.execute(
        "INSERT INTO ops.backups (taken_at, file, size, is_scheduled) VALUES (%s, %s, %s, %s)",
        [manifest.taken_at, file.name, file.stat().st_size, is_scheduled],
    )


def _record(url: str, file: Path, manifest: Manifest, *, is_scheduled: bool) -> None:
    try:
        with connect(url) as connection:
            insert_backup(connection, file, manifest, is_scheduled=is_scheduled)
    except psycopg.errors.UndefinedTable:
        return  # of an older version: one backs up before one migrates
    except psycopg.Error as error:
        reason = str(error).splitlines()[0]
        raise BackupFailed(f"{file} is whole, but could not be noted in ops.backups: {reason}") from None


def _manifest(connection: psycopg.Connection[Any], taken_at: datetime, hashes: Mapping[str, str]) -> Manifest:
    [world] = connection.execute("SELECT world FROM ops.world").fetchone() or ("",)
    applied = connection.execute("SELECT migration_id FROM _yoyo_migration ORDER BY migration_id")
    return Manifest(world, taken_at.astimezone(UTC).isoformat(), tuple(id_ for (id_,) in applied), hashes)


def read_manifest(file: Path) -> Manifest:
    """What a backup says of itself.

    Raises:
        BackupError: the file is none of ours, or cut off.
    """
    try:
        found = json.loads(_trailer(file).line)
        return Manifest(found["world"], found["taken_at"], tuple(found["migrations"]), found["hashes"])
    except OSError as error:
        raise BackupError(f"{file}: expected a readable file, was {error.strerror}") from None
    except (ValueError, TypeError, LookupError):
        raise BackupError(
            f"{file}: expected a whole file of `strades db backup`, was something else or a part"
        ) from None


class _Trailer(NamedTuple):
    begin: int  # where the archive ends
    line: bytes


def _trailer(file: Path) -> _Trailer:
    """What stands behind the archive; a ValueError where there is no such thing."""
    with open_regular(file, most_bytes=sys.maxsize) as archive:
        begin, size = archive.read(len(ARCHIVE)), file.stat().st_size
        archive.seek(max(0, size - TRAILER))
        trailer = archive.read()
        if begin != ARCHIVE or not trailer.startswith(MARK):
            raise ValueError
        start = size - TRAILER - int(trailer[len(MARK) :])
        archive.seek(start)
        return _Trailer(start, archive.readline())


def is_own(file: Path, manifest: Manifest, key: Path) -> bool:
    """Whether this installation made the file, and nobody changed it since: only who has the key can sign."""
    if not key.exists():
        return False
    trailer = _trailer(file)
    found = str(json.loads(trailer.line).get("signature", ""))
    return hmac.compare_digest(found, _signature(file, trailer.begin, manifest, key.read_bytes()))


def _signature(file: Path, length: int, manifest: Manifest, key: bytes) -> str:
    """HMAC-SHA256 of the archive (the first `length` bytes of the file) and of what the manifest says of it."""
    code = hmac.new(key, json.dumps(asdict(manifest)).encode(), "sha256")
    with file.open("rb") as archive:
        while length > 0 and (block := archive.read(min(length, 2**20))):
            code.update(block)
            length -= len(block)
    return code.hexdigest()


def make_key(key: Path) -> bytes:
    """The key that signs this installation's backups; made at the first."""
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        part = key.with_name(f"{key.name}.{os.getpid()}")
        # The mode first: a key that is written into a file of the usual mode can be read for a moment.
        part.touch(mode=0o600)
        part.write_bytes(secrets.token_bytes(32))
        with suppress(FileExistsError):
            key.hardlink_to(part)  # another process may have been first
        part.unlink()
    return key.read_bytes()


def run_tool(program: str, arguments: Sequence[str], url: str) -> None:
    """Run pg_dump or pg_restore on the database of a URL.

    Raises:
        BackupFailed: with the first error it told.
    """
    done = call_tool(program, arguments, url)
    if done.returncode:
        raise BackupFailed(f"{program} failed: {first_error(done.stderr)}")


def call_tool(program: str, arguments: Sequence[str], url: str) -> subprocess.CompletedProcess[str]:
    """Run one of PostgreSQL's programs, which speaks English."""
    command = [str(binaries() / program), "--no-password", *arguments]
    environ = {**environment(url), "LC_ALL": "C"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, errors="replace", check=False)


def first_error(stderr: str) -> str:
    """The line that says what went wrong; those after it say only where."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return next((line.partition("error: ")[2] for line in lines if "error: " in line), (lines or ["no message"])[-1])
