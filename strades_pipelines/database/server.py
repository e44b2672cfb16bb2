"""The embedded PostgreSQL: real server binaries from a wheel, one instance shared by every process of the project.

It listens on a free loopback port, asks for a password that only this folder holds, and is left running between
commands. PostgreSQL refuses to run as root, so a root user's server belongs to `nobody`.
"""

import fcntl
import logging
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from strades_pipelines.database.archive_store import ArchiveStore
from strades_pipelines.database.server_programs import UNPRIVILEGED, ServerError, ServerPrograms, binaries
from strades_pipelines.database.wal_archive import archive_options, make_archive
from strades_pipelines.system.child_environment import for_programs
from strades_pipelines.system.durable_files import flush_folder

logger = logging.getLogger(__name__)
START_ATTEMPTS, START_SECONDS = 20, 60.0
# No value may hold a blank.
OPTIONS = (
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c timezone=UTC -c log_timezone=UTC "
    "-c shared_buffers=256MB -c max_wal_size=2GB -c max_connections=150 -c jit=off "
    # A client that is gone: without these its query runs to its end, and its locks stay as long.
    "-c tcp_keepalives_idle=60 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
)
if sys.platform == "linux":  # elsewhere the kernel may not tell, and PostgreSQL then refuses to start with it
    OPTIONS += " -c client_connection_check_interval=2s -c tcp_user_timeout=90s"


@dataclass(frozen=True)
class EmbeddedServer:
    """A PostgreSQL server whose data, log, port and password live in one folder."""

    folder: Path
    options: str = ""
    archive: Path | None = None  # where WAL segments go once they are full, see `wal_archive`
    recovery: tuple[str, ...] = ()  # options of a server that is restored from an archive
    store: ArchiveStore | None = None  # where the archive is copied to, too

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def programs(self) -> ServerPrograms:
        """PostgreSQL's programs, as the owner of the data."""
        return ServerPrograms(self.folder, (self.data, self._making()))

    def url(self, database: str = "postgres") -> str:
        """The connection URL of a database of this server (it holds the password).

        While the server is away, any user of this machine may listen on its port. By `require_auth` libpq proves that
        it knows the password, and has the server prove the same, but sends it to nobody, even if asked to.
        """
        password = (self.folder / "password").read_text().strip()
        return f"postgresql://strades:{password}@127.0.0.1:{self._port()}/{database}?require_auth=scram-sha-256"

    def start(self) -> str:
        """Make the server if there is none, start it if it does not run, and return its maintenance URL.

        Raises:
            ServerError: in one line, with the place of the log.
        """
        if self._answers():
            return self.url()
        if not str(self.folder).isprintable():
            raise ServerError(f"{str(self.folder)!r}: expected a folder without line breaks or control characters")
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock() as lock:
            if not self._answers():
                if not self.data.exists():
                    self._initdb(lock)
                self._start_locked()
        return self.url()

    @contextmanager
    def _lock(self) -> Iterator[int]:
        """Wait until no other process makes or starts this server; yields the lock's descriptor.

        A program that inherits the descriptor holds the lock as well, until it ends.
        """
        with os.fdopen(os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file.fileno()

    def stop(self) -> bool:
        """Stop the server; False when it was not running."""
        if not (self.data / "postmaster.pid").exists():
            return False
        return self.programs.run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop").returncode == 0

    def running(self) -> bool:
        """Whether the server answers."""
        return self._answers()

    def _port(self) -> int:
        return int((self.folder / "port").read_text())

    def _answers(self) -> bool:
        if not self.has_postmaster():
            return False
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except (psycopg.OperationalError, OSError, ValueError):
            return False
        return True

    def _initdb(self, lock: int) -> None:
        """Make the cluster beside its place and rename it: a folder of that name is whole, whenever this is killed."""
        making, copy = self._making(), self.folder / "initdb.password"
        shutil.rmtree(making, ignore_errors=True)  # of a killed start; its initdb held the lock until it ended
        making.mkdir(mode=0o700)
        password = self.folder / "password"
        for path in (password, copy):
            path.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        copy.touch(mode=0o600)
        copy.write_text(password.read_text())
        if os.geteuid() == 0 and not self.programs.needs_namespace():
            for path in (making, copy):
                os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
        locale = "C.UTF-8" if sys.platform == "linux" else "C"
        # The password is random and long, so one hash iteration is as safe as 4096 and every connection is quicker.
        result = self.programs.run(
            "initdb", "-D", str(making), "-U", "strades", "-E", "UTF8", f"--locale={locale}",
            "-A", "scram-sha-256", f"--pwfile={copy}", "--set", "scram_iterations=1", inherited=(lock,),
        )  # fmt: skip
        copy.unlink()
        if result.returncode:
            shutil.rmtree(making, ignore_errors=True)
            raise ServerError(f"initdb failed in {self.folder}: {_last_line(result.stderr)}")
        making.rename(self.data)  # initdb has written it through to the disk; now the names
        flush_folder(self.folder)

    def _start_locked(self) -> None:
        if self.archive is not None:
            self._prepare_archive(self.archive)
        (self.folder / "initdb.password").unlink(missing_ok=True)  # left by a killed start of an older version
        message = ""
        for _ in range(START_ATTEMPTS):
            self._clear_stale_pid()
            if self._recovers():
                return
            self._choose_port()
            if self._launch():
                return
            message = self.complaint()
            # After kill -9 the old postmaster stays a zombie for a second or two; its backends end in their own time.
            time.sleep(2.0 if "still in use" in message else 0.3)
        raise ServerError(f"PostgreSQL in {self.data} did not start: {message}; see {self._log()}")

    def _prepare_archive(self, archive: Path) -> None:
        """Make the archive; one that cannot be reached keeps nobody from working: the server keeps its WAL meanwhile.

        Raises:
            ServerError: another server, recovered from it, works with it.
        """
        try:
            other = make_archive(archive, self.data, self.folder / "archives")
        except OSError as error:
            logger.warning("WAL is not archived until STRADES_ARCHIVE can be reached: %s", error)
            return
        if other is not None:
            raise ServerError(f"{other}: another recovered server took over; name another folder in STRADES_ARCHIVE")

    def _recovers(self) -> bool:
        """Wait until a server that runs there already answers; False when there is none, or it ends.

        After a crash of one of its processes (its disk was full, say) it works through its log, and answers nobody. It
        has its port from before.
        """
        path, end = self.data / "postmaster.pid", time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            self._clear_stale_pid()
            lines = path.read_text().splitlines() if path.exists() else []
            if len(lines) < 4 or not lines[3].isdigit():
                return False
            (self.folder / "port").write_text(lines[3])
            if self._answers():
                return True
            time.sleep(0.2)
        return False

    def _launch(self) -> bool:
        """Start the server and wait for it; False when it ended or does not answer.

        Not by `pg_ctl start`, which hands the folder's name to a shell.
        """
        command = [
            *self.programs.owner_prefix(),
            str(binaries() / "postgres"),
            "-D",
            str(self.data),
            "-p",
            str(self._port()),
        ]
        with self._open_log() as log:
            # Through a shell that ends at once (its words are arguments, so it reads none of them): as a child of
            # this process the server would be stopped with it.
            shell = subprocess.run(
                ["sh", "-c", '"$@" >&2 & echo $!', "sh", *command, *self._options()],
                cwd="/", env=for_programs(os.environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log,
                check=True, start_new_session=True,
            )  # fmt: skip
        pid, end = int(shell.stdout), time.monotonic() + START_SECONDS
        while _is_running(pid):
            if self._answers():
                return True
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
        return False

    def _options(self) -> list[str]:
        archiving = [] if self.archive is None else archive_options(self.archive, self.store)
        return [*OPTIONS.split(), *self.options.split(), *archiving, *self.recovery]

    def complaint(self) -> str:
        """The line of the log that says why the server ended."""
        lines = self._log().read_text(errors="replace").splitlines()[-20:]
        refused = "the database system is"  # what clients are told while it starts or ends
        told = [line for line in lines if re.search(r"(FATAL|PANIC): ", line) and refused not in line]
        return _last_line("\n".join(told or lines))

    @contextmanager
    def _open_log(self) -> Iterator[int]:
        log = os.open(self._log(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            owner = self.data.stat()
            os.fchown(log, owner.st_uid, owner.st_gid)
            yield log
        finally:
            os.close(log)

    def _making(self) -> Path:
        return self.folder / "data.new"

    def _log(self) -> Path:
        return self.data / "server.log"

    def _choose_port(self) -> None:
        path = self.folder / "port"
        wanted = int(path.read_text()) if path.exists() and path.read_text().strip().isdigit() else 0
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                probe.bind(("127.0.0.1", 0))
            path.write_text(str(probe.getsockname()[1]))

    def _clear_stale_pid(self) -> None:
        """Remove a pid file that is empty or names a process that is no postmaster: PostgreSQL would refuse both."""
        if not self.has_postmaster():
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def has_postmaster(self) -> bool:
        """Whether the pid file names a PostgreSQL of the user whose data this is."""
        try:
            pid = (self.data / "postmaster.pid").read_text().split()[0]
            process = psutil.Process(int(pid))
            is_postgres = any("postgres" in Path(word).name for word in process.cmdline()[:1])
            is_owner = process.uids().effective == self.data.stat().st_uid
        except (OSError, ValueError, IndexError, psutil.Error):
            return False
        return is_postgres and is_owner and _is_running(process.pid)


def _is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
