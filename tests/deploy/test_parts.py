"""The commands of docker-compose.yml, outside of containers, on a PostgreSQL server: they start, serve and end."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.ports import free_port
from tests.deploy.compose import PROJECT, services
from tests.end_to_end.graphql import Webserver

pytestmark = pytest.mark.slow
SECONDS = 180
LOCATION = "{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError { __typename } } } } }"


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """What a container is given, on ports of this test; the database is a server of its own."""
    home = Path(mkdtemp(prefix="strades-deploy-"))
    home.chmod(0o755)
    server = EmbeddedServer(home / "postgres", "-c fsync=off")
    yield {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": server.start(),
        "STRADES_HOME": str(home / "home"),
        "STRADES_CODE_HOST": "127.0.0.1",
        "STRADES_CODE_PORT": str(free_port()),
        "STRADES_WEBSERVER_PORT": str(free_port()),
    }
    server.stop()


def words(command: Sequence[str], environment: dict[str, str]) -> list[str]:
    """A command of a service, or its health check, with the ports of this test."""
    ports = {"4000": environment["STRADES_CODE_PORT"], "3000": environment["STRADES_WEBSERVER_PORT"]}
    return [ports.get(word, word.replace(":3000/", f":{ports['3000']}/")) for word in command]


@contextmanager
def running(name: str, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A service in a process group of its own, started as a script does in the background: deaf to Ctrl-C.

    It must end by itself on SIGTERM, as `docker stop` sends it.
    """
    command = [sys.executable, "-m", "strades_pipelines.container", *words(services()[name]["command"], environment)]
    deaf = ["sh", "-c", 'trap "" INT && exec "$@"', "sh", *command]
    process = subprocess.Popen(deaf, cwd=PROJECT, env=environment, start_new_session=True)
    try:
        yield process
        process.terminate()
        assert process.wait(timeout=60) in (0, -signal.SIGTERM, 128 + signal.SIGTERM), name
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def healthy(name: str, environment: dict[str, str]) -> bool:
    """What the service's own health check says, in time."""
    check = words(services()[name]["healthcheck"]["test"][1:], environment)
    deadline = time.monotonic() + SECONDS
    port = {"code": "STRADES_CODE_PORT", "webserver": "STRADES_WEBSERVER_PORT"}.get(name)
    while port and not listens(int(environment[port])) and time.monotonic() < deadline:
        time.sleep(0.5)
    while time.monotonic() < deadline:
        if subprocess.run(check, cwd=PROJECT, env=environment, capture_output=True, check=False).returncode == 0:
            return True
        time.sleep(5)  # to ask costs more than to wait: a process that imports Dagster
    return False


def listens(port: int) -> bool:
    """Whether something answers there: before, nothing can be healthy."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def test_the_parts_start_serve_and_end(environment: dict[str, str]) -> None:
    migrate = [sys.executable, "-m", "strades_pipelines.container", *services()["migrate"]["command"]]
    subprocess.run(migrate, cwd=PROJECT, env=environment, check=True)
    assert not os.path.exists(f"{environment['STRADES_HOME']}/postgres")  # the server named is the one used
    with psycopg.connect(environment["DATABASE_URL"].replace("/postgres", "/strades_sandbox")) as connection:
        assert connection.execute("SELECT world FROM ops.world").fetchone() == ("sandbox",)
    with ExitStack() as stack:
        for name in ("code", "webserver", "daemon"):
            stack.enter_context(running(name, environment))
            assert healthy(name, environment), name
        answer = Webserver(f"http://127.0.0.1:{environment['STRADES_WEBSERVER_PORT']}").ask(LOCATION)
        [entry] = answer["workspaceOrError"]["locationEntries"]
        assert entry == {"name": "strades", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{environment['STRADES_WEBSERVER_PORT']}/", timeout=2)
