"""`strades up`: serve an installation until Ctrl-C, SIGTERM or SIGHUP, and keep its parts at work."""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from rich.console import Console

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.connection import DAGSTER_DATABASE, embedded_server
from strades_pipelines.database.roles import service_url
from strades_pipelines.datamanager.sources import SourcesError, load_sources
from strades_pipelines.serving import nginx
from strades_pipelines.serving.served_parts import Parts, shown_at, webserver_url
from strades_pipelines.serving.sockets import make_socket_folder, remove_socket_folder
from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.supervision.alert_queue import AlertQueue
from strades_pipelines.supervision.bundle_request_watch import carry_out_bundle_requests
from strades_pipelines.supervision.changes import ChangeWatch, fingerprint
from strades_pipelines.supervision.command_watch import CommandWatch
from strades_pipelines.supervision.data_request_watch import carry_out_data_requests
from strades_pipelines.supervision.database_part import postmaster
from strades_pipelines.supervision.down import record_path, stop_database
from strades_pipelines.supervision.process_table import is_stopped
from strades_pipelines.supervision.record import Record, new_record, read_record
from strades_pipelines.supervision.run_guard import RunGuard
from strades_pipelines.supervision.supervisor import Supervisor, Telling
from strades_pipelines.supervision.timing import Timing
from strades_pipelines.supervision.watch import WorkWatch
from strades_pipelines.system.alerting import deliver_alert
from strades_pipelines.system.child_environment import for_alerts
from strades_pipelines.system.ports import PortInUse, is_taken
from strades_pipelines.system.terminal import Output

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A killed `up` is cleaned up after within a second or two; a start in that time waits for it.
CLEAN_UP_SECONDS, ALERT_SECONDS = 10, 2
DETAIL_LETTERS = 300


class AlreadyUp(RuntimeError):
    """This installation is being served by another `strades up`, or by what is left of one."""


def up(prepare: Callable[[], None], console: Console, timing: Timing | None = None) -> int:
    """Serve until told to stop; returns the exit code, 128 and the number of the signal.

    The embedded database is stopped as well if it was not running before.

    Args:
        prepare: makes what is missing (database, schema); called once it is sure that nothing stands in the way.

    Raises:
        AlreadyUp: another one serves this installation, or parts of a killed one are left.
        PortInUse: naming the port and the setting that changes it.
        BadInput: a port that only root may listen on; NGINX that is asked for and not installed, or cannot be told
            what the settings say.
    """
    if settings().nginx_port:
        nginx.program()
    with _lock():
        inherited = _refuse_leftovers()
        _check_ports()
        stops_database = settings().database_url is None and (inherited or postmaster(embedded_server()) is None)
        port = settings().nginx_port
        record = new_record(record_path(), stops_database=stops_database, nginx_port=port)
        received: list[int] = []

        def interrupt(number: int, _frame: FrameType | None) -> None:
            received.append(number)
            raise KeyboardInterrupt

        with _keeper():
            try:
                for name in SIGNALS:
                    signal.signal(name, interrupt)
                prepare()
                _serve(console, record, timing or Timing(), received)
            except KeyboardInterrupt:
                pass
            finally:
                # A second signal must not cut the end short.
                for name in SIGNALS:
                    signal.signal(name, signal.SIG_IGN)
                if stops_database:
                    stop_database()
                record.remove()
    return 128 + received[0] if received else 0


@contextmanager
def _lock() -> Iterator[None]:
    """One `strades up` an installation. The lock ends with the process, however that ends."""
    settings().home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(settings().home / "up.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        record = read_record(record_path())
        if record is not None and record.up_runs() and is_stopped(record.up[0]):
            raise AlreadyUp(f"up already, but stopped (process {record.up[0]}); `strades down` ends it") from None
        raise AlreadyUp(f"up already, at {webserver_url()}; Ctrl-C there stops it") from None
    try:
        yield
    finally:
        lock.release()


def _refuse_leftovers() -> bool:
    """Wait until a killed `up` was cleaned up after; returns whether its embedded database is left, to be stopped.

    Raises:
        AlreadyUp: parts of it still run.
    """
    deadline = time.monotonic() + CLEAN_UP_SECONDS
    while (record := read_record(record_path())) is not None and time.monotonic() < deadline:
        if record.up_runs():
            break  # a command that held the lock a moment ago
        time.sleep(0.1)
    if record is None:
        return False
    left = record.left()
    if left:
        names = ", ".join(f"{name} {processes[0].pid}" for name, processes in left.items())
        raise AlreadyUp(f"parts of an earlier `strades up` still run ({names}); `strades down` ends them")
    return record.stops_database


def _check_ports() -> None:
    ports = {
        "STRADES_WEBSERVER_PORT": settings().webserver_port,
        "STRADES_READONLY_PORT": settings().readonly_port,
        "STRADES_METRICS_PORT": settings().metrics_port,
        "STRADES_DOCS_PORT": settings().docs_port,
        "STRADES_DASHBOARD_PORT": settings().dashboard_port,
        "STRADES_NGINX_PORT": settings().nginx_port,
    }
    if settings().world == "sandbox":
        ports["STRADES_SANDBOX_URL"] = urlsplit(settings().sandbox_url).port or 80
    for variable, port in ports.items():
        try:
            taken = port is not None and is_taken(port)
        except PermissionError:
            raise BadInput(
                f"port {port} is for root alone: `sudo sysctl net.ipv4.ip_unprivileged_port_start={port}` lets all "
                f"users listen from it on, or set {variable} to another"
            ) from None
        if taken:
            raise PortInUse(f"port {port} is in use; end the program that listens there, or set {variable} to another")


@contextmanager
def _keeper() -> Iterator[None]:
    """A process that cleans up when this one is killed: it waits for the end of a pipe that only this one holds."""
    log = settings().home / "logs" / "up-killed.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "strades_pipelines.supervision.down", str(os.getpid())]
    # Its words have nowhere else to go: the process whose output it would share is gone by then.
    with log.open("ab") as file:
        keeper = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=for_alerts(os.environ),
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    assert keeper.stdin is not None
    try:
        yield
    finally:
        keeper.kill()
        keeper.wait()
        keeper.stdin.close()


def _serve(console: Console, record: Record, timing: Timing, received: list[int]) -> None:
    console.print(f"Strades is starting ([bold]{settings().world}[/] world), which takes some twenty seconds.")
    output = Output(console, settings().home / "logs" / "up.log")
    alerts = AlertQueue(partial(output.note, "up"))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    folder = make_socket_folder()
    parts = Parts(output, record.add, lambda: supervisor)
    table = parts.all()
    extras = Extras(console, output, parts)

    def incident(part: str, reason: str, action: str) -> None:
        failed = "exit code" in reason and not reason.endswith(" 0")
        detail = output.last_lines.get(part, "")[-DETAIL_LETTERS:] if failed else ""
        text = f"{reason}{f' ({detail})' if detail else ''}; {action}"
        output.tell(part, text)
        alerts.put(f"{part} {reason}", f"{action}{f' ({detail})' if detail else ''}; see {output.log}")

    supervisor = Supervisor(table, Telling(incident, output.note), timing, extras.look)

    def stop(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        supervisor.stop()

    for name in SIGNALS:
        signal.signal(name, stop)  # after `prepare`: importing Dagster sets another handler
    try:
        supervisor.run(before_the_end=lambda: _say_stopping(console, output))
    finally:
        extras.close()
        alerts.close(ALERT_SECONDS)
        remove_socket_folder(folder)
        gc.freeze()  # the process ends: to look through all it loaded for garbage takes a second


def _say_stopping(console: Console, output: Output) -> None:
    output.quiet = True
    console.print("Stopping.")


class Extras:
    """What `up` does besides keeping parts at work, with each look of the supervisor, in the main thread."""

    def __init__(self, console: Console, output: Output, parts: Parts) -> None:
        self._console, self._output, self._parts = console, output, parts
        self._announced = False
        self._port = _database_port()
        folders = [PROJECT / name for name in ("strades_pipelines", "scrapers")]
        self._changes = ChangeWatch(lambda: fingerprint(folders, [settings().sources]))
        self._runs = RunGuard(output, parts.children["code"])
        self._work = WorkWatch(deliver_alert, output.tell)
        self._commands = CommandWatch(output.tell, output.note)
        self._data_requests = CommandWatch(output.tell, output.note, carry_out_data_requests, "data request")
        self._bundles = CommandWatch(output.tell, output.note, carry_out_bundle_requests, "bundle request")

    def look(self, supervisor: Supervisor) -> None:
        """Look once."""
        self._output.release(muted=not supervisor.all_settled())
        shown = ("webserver", "nginx") if settings().nginx_port else ("webserver",)
        if not self._announced and all(map(supervisor.is_healthy, shown)):
            self._announced = True
            self._announce()
        self._follow_database(supervisor)
        self._runs.look()
        if self._runs.idle and self._changes.changed():
            self._changes.loaded()
            restart_readers(supervisor.restart, self._parts.children)
        self._work.look(supervisor.quiet_since("daemon"))

    def close(self) -> None:
        """End what it started."""
        self._commands.close()
        self._data_requests.close()
        self._bundles.close()
        self._runs.close()

    def _follow_database(self, supervisor: Supervisor) -> None:
        """Start again what uses the embedded database when that had to move to another port."""
        if self._port == _database_port() or not supervisor.is_healthy("database"):
            return
        self._port = _database_port()
        os.environ["DAGSTER_PG_URL"] = service_url(embedded_server().url(), DAGSTER_DATABASE)
        for name in self._parts.children.keys() - {"sandbox", "docs", "nginx"}:
            supervisor.restart(name, "the database has another port")

    def _announce(self) -> None:
        pages = shown_at()
        width = max(24, *map(len, pages))
        self._console.print(
            f"[bold]Strades is up.[/] Ctrl-C stops it.\n"
            f"  dashboard {pages.dashboard:{width}} what you hold, what was decided and why\n"
            f"  Dagster   {pages.dagster:{width}} assets, runs, schedules\n"
            f"  dbt docs  {pages.docs:{width}} tables, columns, tests\n"
            f"  log       {self._output.log}",
            highlight=False,
            soft_wrap=True,
        )


def restart_readers(restart: Callable[[str, str], None], parts: Collection[str]) -> None:
    """Start again the parts that read Sources.json and the code once, after a change.

    With a Sources.json that cannot be used `strades stream` would not start: the streams go on as they are.
    """
    restart("code", "its files changed")
    if "streams" in parts:
        with suppress(SourcesError):
            load_sources(settings().sources)
            restart("streams", "its files changed")


def _database_port() -> int | None:
    return None if settings().database_url else urlsplit(embedded_server().url()).port
