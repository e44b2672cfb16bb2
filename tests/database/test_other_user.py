"""Another user of the machine gets nothing of the embedded server: no file, no password, no connection."""

import os
import shutil
import subprocess
import sys
from contextlib import suppress

import psutil
import psycopg
import pytest

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.server_programs import binaries
from tests.database.test_server import postmaster, server  # noqa: F401

# The server of root belongs to `nobody`, 65534.
OTHER = 65533
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="to become another user needs root and setpriv; CI has them",
)


def as_other(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command as a user who owns nothing."""
    prefix = ["setpriv", f"--reuid={OTHER}", f"--regid={OTHER}", "--clear-groups", "--inh-caps=-all"]
    environment = {"PATH": os.environ["PATH"], "PGPASSFILE": "/dev/null", "LC_ALL": "C"}
    return subprocess.run(
        [*prefix, *command], capture_output=True, text=True, cwd="/", env=environment, timeout=30, check=False
    )


@needs_root
@pytest.mark.slow
def test_its_files_are_closed_to_another_user(server: EmbeddedServer) -> None:  # noqa: F811
    server.start()
    readable = as_other("find", str(server.folder), "-type", "f", "-readable").stdout.splitlines()
    assert [path for path in readable if path != str(server.folder / "port")] == []
    for path in ("password", "lock", "data/PG_VERSION", "data/server.log", "data/postmaster.pid", "data/pg_hba.conf"):
        assert (server.folder / path).exists()
        assert "Permission denied" in as_other("cat", str(server.folder / path)).stderr
    assert as_other("find", str(server.folder), "-writable").stdout == ""
    assert as_other("find", str(server.folder), "-type", "s").stdout == ""  # no socket either


@needs_root
@pytest.mark.slow
def test_it_lets_nobody_in_without_the_password_and_shows_it_nowhere(server: EmbeddedServer) -> None:  # noqa: F811
    server.start()
    port, password = (server.folder / "port").read_text(), (server.folder / "password").read_text()
    for user in ("strades", "postgres", "nobody"):
        done = as_other(
            str(binaries() / "psql"), "-w", "-h", "127.0.0.1", "-p", port, "-U", user, "-c", "SELECT 1", "postgres"
        )
        assert done.returncode == 2
        assert "no password supplied" in done.stderr
    rules = [line.split() for line in (server.data / "pg_hba.conf").read_text().splitlines() if line.strip()[:1] != "#"]
    assert {rule[-1] for rule in rules if rule} == {"scram-sha-256"}
    first = psutil.Process(postmaster(server))
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # a worker of the server that had done its work
            assert password not in " ".join(process.cmdline())
            environment = as_other("cat", f"/proc/{process.pid}/environ").stderr
            assert "Permission denied" in environment or not process.is_running()


@needs_root
@pytest.mark.slow
def test_a_server_of_root_may_write_no_file_but_its_own(server: EmbeddedServer) -> None:  # noqa: F811
    """Under a home that only root may enter it needs a capability: the one to read, not the one to write."""
    server.folder.parent.chmod(0o700)
    secret = server.folder.parent / "of-root"
    secret.touch(mode=0o600)
    server.start()
    with psycopg.connect(server.url(), autocommit=True) as connection:
        with pytest.raises(psycopg.Error, match="Permission denied"):
            connection.execute(f"COPY (SELECT 1) TO '{secret}'")
        connection.execute("CREATE TABLE kept AS SELECT 1")
        connection.execute("CHECKPOINT")
    assert secret.read_text() == ""
