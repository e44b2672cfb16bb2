"""Carry out what people ask for in the dashboard: bundles to verify or install; rows of ops.bundle_requests.

`strades up` runs this module as a process of its own for each request. The code of a bundle runs in another one, which
is shut in (`rerun`). A process that is killed anywhere leaves a request that still waits.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg

from strades_pipelines.database.connection import connect
from strades_pipelines.settings import settings
from strades_pipelines.sharing.bundle_file import read_bundle
from strades_pipelines.sharing.installing import install
from strades_pipelines.sharing.manifest import BundleRefused
from strades_pipelines.sharing.verification import DIFFERS, files_of, verify_bytes
from strades_pipelines.system.isolation import IsolationUnavailable
from strades_pipelines.system.processes import die_with_parent

# Of the home: files of bars for bundles whose author used files; a file's name is its instrument's.
DATA_FOLDER = "bundle-data"
REFUSED, INSTALLED = "refused", "installed"
LONGEST_DETAIL = 1000
REQUEST = "SELECT kind, bundle_sha256, body FROM ops.bundle_requests WHERE request_id = %s AND outcome IS NULL"
FINISH = """
    UPDATE ops.bundle_requests SET outcome = %s, detail = %s, finished_at = %s, body = ''
    WHERE request_id = %s AND outcome IS NULL
"""


def carry_out_request(
    connection: psycopg.Connection[Any], request_id: int, home: Path, *, world: str, clock: Callable[[], datetime]
) -> str | None:
    """Carry a request out; the outcome, or None where it waits no more. Commits.

    Args:
        home: where bundles are installed, and files of bars are looked for.
        clock: the world's time, UTC.
    """
    row = connection.execute(REQUEST, [request_id]).fetchone()
    # No transaction is open while code of others runs.
    connection.rollback()
    if row is None:
        return None
    kind, sha256, body = row
    try:
        outcome, detail = _verified(body, sha256, home) if kind == "verify" else _installed(body, sha256, home, world)
    except (BundleRefused, IsolationUnavailable) as error:
        outcome, detail = REFUSED, str(error.strerror or error) if isinstance(error, OSError) else str(error)
    finish(connection, request_id, outcome, detail, now=clock())
    return outcome


def finish(connection: psycopg.Connection[Any], request_id: int, outcome: str, detail: str, *, now: datetime) -> None:
    """Write what became of a request that waits. Commits."""
    line = "".join(letter if letter.isprintable() else " " for letter in detail)[:LONGEST_DETAIL]
    connection.execute(FINISH, [outcome, line, now, request_id])
    connection.commit()


def _verified(body: bytes, sha256: str, home: Path) -> tuple[str, str]:
    verdict = verify_bytes(body, files_of(home / DATA_FOLDER))
    found = hashlib.sha256(body).hexdigest()
    if verdict.state != DIFFERS and found != sha256:
        return DIFFERS, f"the bundle was published with SHA-256 {sha256}, and is another one now ({found})"
    return verdict.state, verdict.detail


def _installed(body: bytes, sha256: str, home: Path, world: str) -> tuple[str, str]:
    bundle = read_bundle(body)
    if bundle.sha256 != sha256:
        raise BundleRefused(f"expected the bundle with SHA-256 {sha256}, found another one")
    return INSTALLED, str(install(bundle, home, world=world).relative_to(home))


def _carry_out_for_parent() -> None:
    """Carry out a request of the database whose URL is on standard input, where no other process can read it."""
    die_with_parent(int(sys.argv[1]))
    os.nice(5)  # what serves comes first
    url = sys.stdin.readline().strip()
    with connect(url) as connection:
        carry_out_request(connection, int(sys.argv[2]), settings().home, world=settings().world, clock=settings().now)


if __name__ == "__main__":
    _carry_out_for_parent()
