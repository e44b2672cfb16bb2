"""Servers named by DATABASE_URL, whose owner may only create: the oldest that is supported, and the newest."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from strades_pipelines.database import connection as places
from strades_pipelines.database.backup import BackupFailed, back_up
from strades_pipelines.database.connection import create_databases, database_url
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.restore import restore
from strades_pipelines.database.roles import SERVICE_ROLE
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.ingestion.loader import load_stored
from strades_pipelines.settings import settings
from tests.ingestion.conftest import NOW, add_listing, gate_body, gate_row, store_body

BIN = Path("/usr/lib/postgresql/15/bin")
PASSWORD = "debian's p%ss"  # the quote and the percent sign are the point


@pytest.fixture(scope="module", params=["15, of Debian", "18, of our own"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a role with CREATEDB and CREATEROLE only, on a server of the version."""
    folder = Path(tempfile.mkdtemp(prefix="strades-foreign-"))
    folder.chmod(0o777)
    try:
        with _debian(folder) if request.param.startswith("15") else _embedded(folder) as superuser:
            with psycopg.connect(superuser, autocommit=True) as connection:
                literal = sql.Literal(PASSWORD)
                connection.execute(sql.SQL("CREATE ROLE creator LOGIN CREATEDB CREATEROLE PASSWORD {}").format(literal))
            yield f"postgresql://creator:debian%27s%20p%25ss@127.0.0.1:{urlsplit(superuser).port}/postgres"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _embedded(folder: Path) -> Iterator[str]:
    made = EmbeddedServer(folder / "postgres", "-c fsync=off")
    try:
        yield made.start()
    finally:
        made.stop()


@contextmanager
def _debian(folder: Path) -> Iterator[str]:
    """Debian's server with its own defaults, not as root; yields the URL of its superuser."""
    if not (BIN / "initdb").exists():
        pytest.skip("Debian's package postgresql-15 is not installed")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv to become another user")
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    make = [
        *prefix,
        str(BIN / "initdb"),
        "-D",
        str(data),
        "-U",
        "owner",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "-N",
    ]
    subprocess.run(make, check=True, capture_output=True, cwd="/")
    (data / "pg_hba.conf").write_text("host all owner 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
    process = subprocess.Popen([*prefix, str(BIN / "postgres"), "-D", str(data), "-p", str(port), *options], cwd="/")
    try:
        yield _await(f"postgresql://owner@127.0.0.1:{port}/postgres")
    finally:
        process.send_signal(signal.SIGINT)  # at SIGTERM it would wait for every connection that a failed test left
        process.wait(timeout=60)


def _await(url: str) -> str:
    for _ in range(300):
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return url
    raise TimeoutError(url)


@pytest.fixture
def world(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a sandbox world with rows on that server."""
    monkeypatch.setenv("DATABASE_URL", server)
    monkeypatch.setitem(places.WORLD_DATABASES, "sandbox", f"world_{uuid4().hex[:12]}")
    settings.cache_clear()
    create_databases()
    migrate(database_url(), world="sandbox")
    with psycopg.connect(database_url()) as connection:
        add_listing(connection, "gateio", "BTC_USDT")
    store_body(database_url(), gate_body(gate_row(0), gate_row(1)))
    load_stored(url=database_url(), now=NOW)
    yield database_url()
    settings.cache_clear()


def test_a_backup_made_there_restores_there(world: str, tmp_path: Path) -> None:
    file, key, before = tmp_path / "world.backup", tmp_path / "key", table_hashes(world)
    back_up(file, world, key=key, progress=print)
    for _ in range(2):
        restore(file, "sandbox", key=key, force=True, trust=False, disconnect=False, progress=print)
        assert table_hashes(world) == before
    create_databases()
    with psycopg.connect(world) as connection:
        assert connection.execute("SELECT session_user, current_setting('jit')").fetchone() == (SERVICE_ROLE, "off")
        assert connection.execute("SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()")


def test_an_error_there_is_told_by_its_own_line(world: str, tmp_path: Path) -> None:
    file, key = tmp_path / "world.backup", tmp_path / "key"
    back_up(file, world, key=key, progress=print)
    content = file.read_bytes()
    file.write_bytes(content.replace(b"CREATE TABLE records.listings", b"CREATE TABEL records.listings"))
    with pytest.raises(BackupFailed, match=r"^pg_restore failed: .*ERROR:  syntax error at or near"):
        restore(file, "sandbox", key=key, force=True, trust=True, disconnect=False, progress=print)
