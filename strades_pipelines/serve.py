"""`strades up`: the sandbox, Dagster and the dbt docs, kept together by honcho until Ctrl-C."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from rich.console import Console

from strades_pipelines.database.connection import embedded_server
from strades_pipelines.ports import PortInUse, free_port, is_taken
from strades_pipelines.settings import PROJECT, SettingsError, settings
from strades_pipelines.terminal import Output

LOADED = "{ repositoriesOrError { ... on RepositoryConnection { nodes { name } } } }"
STOP_SECONDS, FOLLOW_SECONDS = 30, 5
PROCESSES = ("code", "webserver", "daemon", "docs")


class AlreadyUp(RuntimeError):
    """This installation is being served by another `strades up`."""


def up(prepare: Callable[[], None], console: Console) -> int:
    """Serve until Ctrl-C; returns the exit code: 0 after Ctrl-C, 1 when one of the processes ended by itself.

    The embedded database is stopped as well if it was not running before.

    Args:
        prepare: makes what is missing (database, schema); called once it is sure that nothing stands in the way.

    Raises:
        AlreadyUp: another one serves this installation.
        PortInUse: naming the port and the setting that changes it.
    """
    with _alone(), _database_as_it_was():
        _check_ports()
        try:
            for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(name, signal.default_int_handler)
            prepare()
            return _serve(console)
        except KeyboardInterrupt:
            return 0


@contextmanager
def _alone() -> Iterator[None]:
    """One `strades up` an installation. The lock ends with the process, however that ends."""
    settings().home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings().home / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AlreadyUp(f"up already, at {_webserver()}; Ctrl-C there stops it") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _database_as_it_was() -> Iterator[None]:
    """Stop the embedded server afterwards, unless it was running before or another server is used."""
    if settings().database_url is not None or embedded_server().running():
        yield
        return
    try:
        yield
    finally:
        embedded_server().stop()


def _check_ports() -> None:
    ports = {"STRADES_WEBSERVER_PORT": settings().webserver_port, "STRADES_DOCS_PORT": settings().docs_port}
    if (readonly := settings().readonly_port) is not None:
        ports["STRADES_READONLY_PORT"] = readonly
    if settings().world == "sandbox":
        ports["STRADES_SANDBOX_URL"] = urlsplit(settings().sandbox_url).port or 80
    for variable, port in ports.items():
        if is_taken(port):
            raise PortInUse(f"port {port} is in use; end the program that listens there, or set {variable} to another")


def _serve(console: Console) -> int:
    console.print(f"Strades is starting ([bold]{settings().world}[/] world), which takes some twenty seconds.")
    output = Output(console, settings().home / "logs" / "up.log")
    honcho = _start_honcho()
    follower = Thread(target=lambda: output.follow(honcho.stdout or ()), daemon=True)
    for thread in (follower, Thread(target=lambda: _announce(console, output), daemon=True)):
        thread.start()
    try:
        code = honcho.wait()
        follower.join(timeout=FOLLOW_SECONDS)  # its last lines say which process ended
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        output.quiet = True
        console.print("Stopping.")
        _stop(honcho)
        return 0
    process, code = output.ended or ("honcho", code)
    console.print(f"[red]{process} ended by itself (exit code {code}), so all stopped; see {output.log}[/]")
    return 1


def _start_honcho() -> "subprocess.Popen[str]":
    """In a session of its own: Ctrl-C reaches this process only, which ends honcho, which ends the rest."""
    environment = {
        **os.environ,
        "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONUNBUFFERED": "1",
        "STRADES_WEBSERVER_PORT": str(settings().webserver_port),
        "STRADES_DOCS_PORT": str(settings().docs_port),
        "STRADES_READONLY_PORT": str(settings().readonly_port or ""),
        "STRADES_CODE_PORT": str(free_port()),
    }
    honcho = shutil.which("honcho", path=environment["PATH"])
    if honcho is None:
        raise SettingsError("honcho is missing from the environment; run `make setup`")
    processes = [*PROCESSES]
    if settings().world == "sandbox":
        processes.append("sandbox")
    if settings().readonly_port is not None:
        processes.append("readonly")
    return subprocess.Popen(
        [honcho, "start", "--no-colour", "-f", str(PROJECT / "Procfile"), *processes],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _stop(honcho: "subprocess.Popen[str]") -> None:
    """End honcho: it ends its processes, and kills after some seconds what has not ended."""
    honcho.terminate()
    try:
        honcho.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        honcho.kill()
        honcho.wait()


def _announce(console: Console, output: Output) -> None:
    """Say where to look, once there is something to see."""
    while not _loaded():
        time.sleep(0.5)
    if not output.quiet and output.ended is None:
        console.print(
            f"[bold]Strades is up.[/] Ctrl-C stops it.\n"
            f"  Dagster   {_webserver():24} assets, runs, schedules\n"
            f"  dbt docs  http://127.0.0.1:{settings().docs_port:<7} tables, columns, tests\n"
            f"  log       {output.log}",
            highlight=False,
            soft_wrap=True,
        )


def _webserver() -> str:
    return f"http://127.0.0.1:{settings().webserver_port}"


def _loaded() -> bool:
    """Whether the webserver answers and knows the assets."""
    request = urllib.request.Request(
        f"{_webserver()}/graphql", json.dumps({"query": LOADED}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            found = json.load(response)
    except (urllib.error.URLError, OSError, ValueError):
        return False
    return bool(found["data"]["repositoriesOrError"].get("nodes"))
