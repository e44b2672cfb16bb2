"""What is installed: version, commit, lock file, components, and the database."""

import hashlib
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from dashboard.gateway.reading import read_one
from strades_pipelines.settings import PROJECT

DATABASE = """
    SELECT current_setting('server_version') AS server, pg_database_size(current_database()) AS size,
        (SELECT count(*) FROM public._yoyo_migration) AS migrations,
        (SELECT max(m.migration_id) FROM public._yoyo_migration AS m) AS newest_migration
"""
LAST_BACKUP = "SELECT b.taken_at, b.file, b.size FROM ops.backups AS b ORDER BY b.taken_at DESC LIMIT 1"
# A line of the table at the end of NOTICE.md, which `make notice` writes: package and licence.
COMPONENT = re.compile(r"^\| `([\w.-]+)` \| ([^|]+?) \|$", re.MULTILINE)
GIT_SECONDS = 5


@dataclass(frozen=True)
class Software:
    """The installed code. `commit` is None outside of a checkout, `lock_hash` is the SHA-256 of requirements.lock."""

    version: str
    commit: str | None
    lock_hash: str | None


@dataclass(frozen=True)
class Component:
    """A package that Strades uses, with its licence as NOTICE.md has it; no version where it is not installed here."""

    name: str
    licence: str
    version: str | None


@dataclass(frozen=True)
class Database:
    """The world's database; `size` in bytes."""

    server: str
    size: int
    migrations: int
    newest_migration: str | None


@dataclass(frozen=True)
class Backup:
    """A backup of the world: when it was taken (UTC), the name of its file, and its size in bytes."""

    taken_at: datetime
    file: str
    size: int


@cache
def read_software() -> Software:
    """Read once a process: another version is another process."""
    lock = PROJECT / "requirements.lock"
    lock_hash = hashlib.sha256(lock.read_bytes()).hexdigest() if lock.exists() else None
    return Software(version("strades"), _commit(), lock_hash)


@cache
def read_components() -> list[Component]:
    """The packages of NOTICE.md, by name; once a process."""
    notice = PROJECT / "NOTICE.md"
    text = notice.read_text() if notice.exists() else ""
    return [Component(name, licence, _installed(name)) for name, licence in COMPONENT.findall(text)]


def read_database() -> Database:
    """One query."""
    found = read_one(Database, DATABASE)
    assert found is not None
    return found


def read_last_backup() -> Backup | None:
    """The newest backup of the world; None where none was made since the database knows of them."""
    return read_one(Backup, LAST_BACKUP)


def _commit() -> str | None:
    command = ["git", "-C", str(PROJECT), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        # There may be no git, and need not be: what is installed is no checkout.
        return None
    return done.stdout.strip() or None


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
