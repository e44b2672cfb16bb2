"""The commands of docker-compose.yml, outside of containers, on a PostgreSQL server: they start, serve and end."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import psycopg
import pytest

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.system.ports import free_port, is_taken
from tests.deploy.compose import PROJECT, services
from tests.end_to_end.graphql import Webserver, wait_for
from tests.serving.proxied import debian_program

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
        "STRADES_DOCS_PORT": str(free_port()),
        "BACKUPS": str(home / "backups"),
        "LOGIN": str(home / "login"),
        "DASHBOARD_LOGIN": str(home / "dashboard-login"),
        "STRADES_DASHBOARD_PORT": str(free_port()),
        "STRADES_NGINX_PORT": str(free_port()),
        "STRADES_PUBLIC_HOST": "strades.example.org",
        "STRADES_SANDBOX_URL": f"http://127.0.0.1:{free_port()}",
        "SOCKETS": str(home / "sockets"),
        "NGINX": str(home / "nginx"),
    }
    server.stop()


def words(command: Sequence[str], environment: dict[str, str]) -> list[str]:
    """A command of a service, or its health check, with the ports and folders of this test."""
    replaced = {
        "4000": environment["STRADES_CODE_PORT"],
        "3000": environment["STRADES_WEBSERVER_PORT"],
        "8081": environment["STRADES_DOCS_PORT"],
        "8000": environment["STRADES_DASHBOARD_PORT"],
        "3001": "1",  # nobody asks for it here
        "8443": environment["STRADES_NGINX_PORT"],
        "/run/strades": environment["SOCKETS"],
        "/run/strades/dashboard.sock": f"{environment['SOCKETS']}/dashboard.sock",
        "/var/lib/strades-nginx": environment["NGINX"],
        "/var/lib/strades-nginx/nginx.conf": f"{environment['NGINX']}/nginx.conf",
        "/tmp/": f"{environment['NGINX']}/",
        "/var/lib/strades-backups": environment["BACKUPS"],
        "/var/lib/strades-login/DATABASE_URL": environment["LOGIN"],
        "/var/lib/strades-dashboard-login/URL": environment["DASHBOARD_LOGIN"],
    }
    ports = "|".join(port for port in replaced if port.isdigit())
    hosts = [re.sub(r"^(webserver|readonly|docs):", "127.0.0.1:", word) for word in command]
    return [
        replaced.get(word) or re.sub(rf":({ports})\b", lambda found: f":{replaced[found[1]]}", word) for word in hosts
    ]


def command_of(name: str, environment: dict[str, str]) -> list[str]:
    """What a service runs: its own entry point, or that of the image."""
    entrypoint = services()[name].get("entrypoint", ["python", "-m", "strades_pipelines.installation.container"])
    program = [debian_program("nginx")] if name == "nginx" else entrypoint
    return words([*program, *services()[name]["command"]], environment)


def environment_of(name: str, environment: dict[str, str]) -> dict[str, str]:
    """What a service is given of it: one that reads the file of `migrate` has no other URL of a database."""
    if name == "nginx":
        return dict(os.environ)
    if name == "dashboard":
        kept = {name: value for name, value in environment.items() if name != "DATABASE_URL"}
        return {**kept, "STRADES_HOME": f"{environment['STRADES_HOME']}-of-{name}"}
    if not any(volume.startswith("login:/run/secrets") for volume in services()[name].get("volumes", ())):
        return environment
    home = services()[name]["environment"]["STRADES_HOME"]
    own_home = {} if home == "/var/lib/strades" else {"STRADES_HOME": f"{environment['STRADES_HOME']}-of-{name}"}
    return {**environment, "DATABASE_URL": Path(environment["LOGIN"]).read_text(), **own_home}


@contextmanager
def running(name: str, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A service in a process group of its own, started as a script does in the background: deaf to Ctrl-C.

    It must end by itself on SIGTERM, as `docker stop` sends it.
    """
    deaf = ["sh", "-c", 'trap "" INT && exec "$@"', "sh", *command_of(name, environment)]
    given = environment_of(name, environment)
    process = subprocess.Popen(deaf, cwd=PROJECT, env=given, start_new_session=True)
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
    listening = ("code", "webserver", "dashboard", "docs", "nginx")
    port = {name: f"STRADES_{name.upper()}_PORT" for name in listening}.get(name)
    while port and not listens(int(environment[port])) and time.monotonic() < deadline:
        time.sleep(0.5)
    while time.monotonic() < deadline:
        given = environment_of(name, environment)
        if subprocess.run(check, cwd=PROJECT, env=given, capture_output=True, check=False).returncode == 0:
            return True
        time.sleep(5)  # to ask costs more than to wait: a process that imports Dagster
    return False


def listens(port: int) -> bool:
    """Whether something answers there: before, nothing can be healthy."""
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def test_the_parts_start_serve_and_end(environment: dict[str, str]) -> None:
    subprocess.run(command_of("migrate", environment), cwd=PROJECT, env=environment, check=True)
    assert not os.path.exists(f"{environment['STRADES_HOME']}/postgres")  # the server named is the one used
    assert Path(environment["LOGIN"]).stat().st_mode & 0o077 == 0
    with psycopg.connect(Path(environment["LOGIN"]).read_text()) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    with psycopg.connect(environment["DATABASE_URL"].replace("/postgres", "/strades_sandbox")) as connection:
        assert connection.execute("SELECT world FROM ops.world").fetchone() == ("sandbox",)
    for folder in ("BACKUPS", "SOCKETS"):
        Path(environment[folder]).mkdir()
    debian_program("nginx")
    subprocess.run(command_of("nginx-files", environment), cwd=PROJECT, env=environment, check=True)
    with ExitStack() as stack:
        for name in ("code", "webserver", "dashboard", "daemon", "docs", "backup", "streams", "nginx"):
            stack.enter_context(running(name, environment))
            assert healthy(name, environment), name
        stack.enter_context(running("trade", environment))
        answer = Webserver(f"http://127.0.0.1:{environment['STRADES_WEBSERVER_PORT']}/dagster").ask(LOCATION)
        [entry] = answer["workspaceOrError"]["locationEntries"]
        assert entry == {"name": "strades", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
        wait_for("the paper wallet", partial(has_opened_a_wallet, environment), seconds=60)  # which `trade` opens
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://127.0.0.1:{environment['STRADES_WEBSERVER_PORT']}/", timeout=2)


def has_opened_a_wallet(environment: dict[str, str]) -> bool:
    """Whether the execution worker has made its first pass."""
    with psycopg.connect(environment["DATABASE_URL"].replace("/postgres", "/strades_sandbox")) as connection:
        return connection.execute("SELECT 1 FROM trading.wallets WHERE mode = 'paper'").fetchone() is not None


def test_a_sandbox_whose_code_location_is_gone_is_not_healthy(environment: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    environment = {**environment, "STRADES_SANDBOX_URL": url}
    check = words(services()["sandbox"]["healthcheck"]["test"][1:], environment)
    check = [word.replace("http://127.0.0.1:8090", url) for word in check]

    def answers() -> bool:
        return subprocess.run(check, cwd=PROJECT, env=environment, capture_output=True, check=False).returncode == 0

    with running("sandbox", environment):
        wait_for("the sandbox", lambda: is_taken(int(url.rpartition(":")[2])), seconds=60, pause=0.1)
        assert not answers()
        with socket.create_server(("127.0.0.1", int(environment["STRADES_CODE_PORT"]))):
            assert answers()
    assert not answers()
