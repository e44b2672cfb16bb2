"""`strades up`, and the sandbox that a command needs while it runs."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from strades_pipelines.database.connection import embedded_server
from strades_pipelines.settings import PROJECT, SettingsError, settings

SANDBOX_START_SECONDS = 30


class PortInUse(RuntimeError):
    """Another program listens where one of ours should."""


def sandbox_health(url: str) -> dict[str, Any] | None:
    """What the sandbox server at `url` says of itself; None where none answers."""
    try:
        with urllib.request.urlopen(f"{url}/-/health", timeout=2) as response:
            health = json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return health if isinstance(health, dict) and health.get("name") == "strades-sandbox" else None


@contextmanager
def sandbox_running() -> Iterator[None]:
    """A sandbox server for the time of a command: the one that runs, if its clock is ours, else one of our own."""
    if settings().world != "sandbox" or _serves_our_world(sandbox_health(settings().sandbox_url)):
        yield
        return
    url = f"http://127.0.0.1:{_free_port()}"
    os.environ["STRADES_SANDBOX_URL"] = url
    settings.cache_clear()
    process = subprocess.Popen([sys.executable, "-m", "sandbox"], cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        _wait_for_sandbox(process, url)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _serves_our_world(health: dict[str, Any] | None) -> bool:
    """Whether the server's market and clock are those of this process."""
    if health is None or health.get("seed") != settings().sandbox_seed:
        return False
    held = settings().sandbox_now
    if held is None:
        return not health.get("clock_held")
    return bool(health.get("clock_held")) and datetime.fromisoformat(str(health["now"])) == held


def _wait_for_sandbox(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + SANDBOX_START_SECONDS
    while sandbox_health(url) is None:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the sandbox server did not start at {url}; try `python -m sandbox` to see why")
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def up() -> int:
    """Serve the sandbox, Dagster's webserver and daemon and the dbt docs until Ctrl-C; returns the exit code.

    Raises:
        PortInUse: naming the port and the setting that changes it.
    """
    _check_ports()
    was_running = embedded_server().running()
    environment = {
        **os.environ,
        "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}",
        "STRADES_WEBSERVER_PORT": str(settings().webserver_port),
        "STRADES_DOCS_PORT": str(settings().docs_port),
        "STRADES_DOCS_FOLDER": str(_docs_folder()),
    }
    honcho = shutil.which("honcho", path=environment["PATH"])
    if honcho is None:
        raise SettingsError("honcho is missing from the environment; run `make setup`")
    wanted = (
        ["sandbox", "webserver", "daemon", "docs"] if settings().world == "sandbox" else ["webserver", "daemon", "docs"]
    )
    process = subprocess.Popen(
        [honcho, "start", "-f", str(PROJECT / "Procfile"), *wanted], cwd=PROJECT, env=environment
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:
        code = _finish(process)
    if settings().database_url is None and not was_running:
        embedded_server().stop()
    return code


def _docs_folder() -> Path:
    """The folder with the dbt docs; made now where there is none yet."""
    folder = settings().home / "docs"
    if not (folder / "index.html").exists():
        from strades_pipelines.resources.dbt import DbtRunnerResource

        DbtRunnerResource().docs(folder / "index.html")
    return folder


def _finish(process: subprocess.Popen[bytes]) -> int:
    """Ctrl-C reached honcho as well: let it end its processes, and count that as success."""
    try:
        process.wait(timeout=30)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        process.terminate()
        process.wait(timeout=30)
    return 0


def _check_ports() -> None:
    ports = {"STRADES_WEBSERVER_PORT": settings().webserver_port, "STRADES_DOCS_PORT": settings().docs_port}
    if settings().world == "sandbox":
        ports["STRADES_SANDBOX_URL"] = urlsplit(settings().sandbox_url).port or 80
    for variable, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise PortInUse(
                    f"port {port} is in use; end the program that listens there, or set {variable} to another"
                ) from None
