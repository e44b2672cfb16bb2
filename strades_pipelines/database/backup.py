"""A world's database as one file, and back.

The file is an archive of `pg_dump` in its custom format, so `pg_restore` reads it as it is. Behind the archive stands
one line of JSON with the hash of every table, taken in the same snapshot as the archive, and its length: a restore
shows that the new database holds the very same.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from strades_pipelines.database.connection import WORLD_DATABASES, create_databases, server_url
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.migrate import WorldMismatch, migrate
from strades_pipelines.database.psql import environment
from strades_pipelines.database.roles import APP_ROLE, DBT_ROLE
from strades_pipelines.database.server import binaries

ARCHIVE = b"PGDMP"
MARK = b"strades-backup"
TRAILER = len(MARK) + 10  # the mark, and the length of the line of JSON in ten digits
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


def back_up(file: Path, url: str, *, progress: Progress) -> Manifest:
    """Write the database of `url` into `file`, as one moment saw it, while others may go on writing.

    Raises:
        BackupError: the file cannot be written there.
        BackupFailed: what pg_dump said.
    """
    if not file.parent.is_dir():
        raise BackupError(f"{file}: expected a folder to write into, was none at {file.parent}")
    part = file.with_name(file.name + ".part")
    try:
        with psycopg.connect(url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            [snapshot] = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
            progress("dumping")
            _run("pg_dump", ["--format=custom", f"--snapshot={snapshot}", f"--file={part}"], url)
            progress("hashing every table")
            manifest = _manifest(connection, table_hashes(url, snapshot=snapshot))
        line = json.dumps(asdict(manifest)).encode() + b"\n"
        with part.open("ab") as archive:
            archive.write(line + MARK + f"{len(line):010d}".encode())
        part.rename(file)  # a file of that name is whole
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _manifest(connection: psycopg.Connection[Any], hashes: Mapping[str, str]) -> Manifest:
    [world] = connection.execute("SELECT world FROM ops.world").fetchone() or ("",)
    applied = connection.execute("SELECT migration_id FROM _yoyo_migration ORDER BY migration_id")
    return Manifest(world, datetime.now(UTC).isoformat(), tuple(id_ for (id_,) in applied), hashes)


def read_manifest(file: Path) -> Manifest:
    """What a backup says of itself.

    Raises:
        BackupError: the file is none of ours, or cut off.
    """
    try:
        with file.open("rb") as archive:
            begin, size = archive.read(len(ARCHIVE)), file.stat().st_size
            archive.seek(max(0, size - TRAILER))
            trailer = archive.read()
            if begin != ARCHIVE or not trailer.startswith(MARK):
                raise BackupError(f"{file}: expected a whole file of `strades db backup`, was something else or a part")
            archive.seek(size - TRAILER - int(trailer[len(MARK) :]))
            found = json.loads(archive.readline())
    except OSError as error:
        raise BackupError(f"{file}: expected a readable file, was {error.strerror}") from None
    return Manifest(found["world"], found["taken_at"], tuple(found["migrations"]), found["hashes"])


def restore(file: Path, world: str, *, force: bool, progress: Progress) -> Manifest:
    """Put a backup in the place of the world's database.

    It is restored beside it, its hashes are compared, and only then does it take the place: what fails on the way
    leaves the world as it was.

    Args:
        force: also where the world's database holds rows; they are lost.

    Raises:
        BackupError: not a backup, or the world is not empty and `force` is not given.
        WorldMismatch: a backup of the other world.
        BackupFailed: what pg_restore said, or the tables whose rows are not what was saved.
    """
    manifest = read_manifest(file)
    if manifest.world != world:
        raise WorldMismatch(f"{file}: expected a backup of the world '{world}', was '{manifest.world}'")
    create_databases()
    name = WORLD_DATABASES[world]
    beside = f"{name}_restoring"
    if not force and (filled := _filled(_named(name))):
        raise BackupError(f"database {name}: expected an empty world, has rows in {filled}; --force replaces them")
    with psycopg.connect(server_url(), autocommit=True) as server:
        try:
            _make(server, beside)
            progress("restoring")
            _run("pg_restore", ["--exit-on-error", f"--dbname={beside}", str(file)], _named(beside))
            progress("hashing every table")
            _compare(manifest.hashes, table_hashes(_named(beside)))
            progress("bringing the schema up to date")
            migrate(_named(beside), world=world)
            _drop(server, name)
            server.execute(
                sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(beside), sql.Identifier(name))
            )
        finally:
            _drop(server, beside)
    return manifest


def _filled(url: str) -> str:
    """The names of the first tables that hold rows, but for `ops`; empty when none does."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'ops', 'public') ORDER BY 1, 2"
        ).fetchall()
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})")
        filled = [
            f"{schema}.{name}"
            for schema, name in tables
            if connection.execute(query.format(sql.Identifier(schema, name))).fetchone() == (True,)
        ]
    return ", ".join(filled[:3])


def _make(server: psycopg.Connection[Any], name: str) -> None:
    _drop(server, name)
    database = sql.Identifier(name)
    server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(database))
    for role in (APP_ROLE, DBT_ROLE):  # who owns schemas must be allowed to make them
        server.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, sql.Identifier(role)))


def _drop(server: psycopg.Connection[Any], name: str) -> None:
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _compare(expected: Mapping[str, str], found: Mapping[str, str]) -> None:
    others = sorted(table for table in {*expected, *found} if expected.get(table) != found.get(table))
    if others:
        raise BackupFailed(f"what was restored is not what was saved, in {', '.join(others)}; the world is as it was")


def _named(database: str) -> str:
    return urlunsplit(urlsplit(server_url())._replace(path="/" + database))


def _run(program: str, arguments: Sequence[str], url: str) -> None:
    command = [str(binaries() / program), "--no-password", *arguments]
    done = subprocess.run(command, env=environment(url), capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupFailed(f"{program} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
