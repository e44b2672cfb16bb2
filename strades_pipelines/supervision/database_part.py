"""The database as a part: the embedded server is started again, one of somebody else is only watched."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

import psycopg

from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.database.server_programs import ServerError
from strades_pipelines.supervision.process_table import descendants, processes, start_mark

SECONDS = 5


class EmbeddedDatabase:
    """The embedded server. It is no child: other commands use it too, and whoever needs it first starts it."""

    def __init__(self, server: EmbeddedServer, log: Callable[[str], None]) -> None:
        self._server, self._log = server, log
        self._starting: Thread | None = None
        self._pid: int | None = None
        self._mark: str | None = None
        self._left = False

    def start(self) -> None:
        """Start it in a thread, which takes seconds after a crash."""
        self._pid = None
        self._starting = Thread(target=self._start, name="start-database", daemon=True)
        self._starting.start()

    @property
    def is_started(self) -> bool:
        """Whether the last start has ended."""
        return self._starting is not None and not self._starting.is_alive() and self._runs()

    def ended(self) -> str | None:
        """Whether the server that was started is gone."""
        if self._left:
            return "was left running"
        if self._starting is not None and self._starting.is_alive():
            return None  # also when it is killed now: it is being started until it answers
        return None if self._runs() else "is not running"

    def terminate(self) -> None:
        """Leave it alone: it is stopped after all that uses it."""
        self._left = True

    def kill(self) -> None:
        """Kill the server that was started, if it still runs, and its backends: it may hang."""
        if self._pid is not None and not self._left and self._runs():
            kill_tree(self._pid)

    def _runs(self) -> bool:
        """Whether the server that was started runs; another one that somebody started meanwhile is not it."""
        return self._pid is not None and self._pid == recorded_pid(self._server) and start_mark(self._pid) == self._mark

    def _start(self) -> None:
        try:
            self._server.start()
        except (ServerError, OSError) as error:
            self._log(" ".join(str(error).split()))
        self._pid = postmaster(self._server)
        self._mark = None if self._pid is None else start_mark(self._pid)


class ForeignDatabase:
    """A server that `DATABASE_URL` names: nothing can be done but to wait for it."""

    def start(self) -> None:
        """Nothing to start."""

    def ended(self) -> str | None:
        """Not known."""
        return None

    def terminate(self) -> None:
        """Nothing to end."""

    def kill(self) -> None:
        """Nothing to kill."""


def database_answers(url: str) -> str | None:
    """A new connection answers a query."""
    try:
        with psycopg.connect(
            url, connect_timeout=SECONDS, options=f"-c statement_timeout={SECONDS * 1000}", autocommit=True
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:
        return "does not answer"
    return None


def recorded_pid(server: EmbeddedServer) -> int | None:
    """The process id in the pid file of an embedded server."""
    try:
        return int((server.data / "postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def postmaster(server: EmbeddedServer) -> int | None:
    """The process id of an embedded server that runs (also one that hangs), else None."""
    pid = recorded_pid(server)
    process = None if pid is None else processes().get(pid)
    return pid if process and not process.state.startswith("Z") and "postgres" in process.command else None


def kill_tree(pid: int) -> None:
    """Kill (SIGKILL) a process and all that descend from it; one that is gone already is fine."""
    for one in (pid, *(process.pid for process in descendants(processes(), pid))):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
