"""Where the databases are, and connections to them.

One server; a database for Dagster's own storage and one for each world. `DATABASE_URL` names another server (and a
database to connect to while ours are made); without it the embedded server is started on demand. The server's owner
(the embedded server's superuser, the user of `DATABASE_URL`) only makes roles and databases, see `roles.py`; all
else logs in as the service role, which is no superuser.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import psycopg

from strades_pipelines.database.archive_store import ArchiveStore
from strades_pipelines.database.roles import (
    APP_ROLE,
    DASHBOARD_ROLE,
    create_database,
    create_roles,
    dashboard_url,
    give_to_service_role,
    in_database,
    may_log_in,
    owns,
    roles_are_made,
    service_url,
    set_password,
)
from strades_pipelines.database.server import EmbeddedServer
from strades_pipelines.settings import settings

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection

WORLD_DATABASES = {"sandbox": "strades_sandbox", "live": "strades"}
DAGSTER_DATABASE = "dagster"
# Of a connection whose other end is gone without a word (power, cable, firewall), libpq hears in about a minute and a
# half with these, after two hours without. Seconds, but for tcp_user_timeout's milliseconds.
CLIENT_OPTIONS = {
    "connect_timeout": "10",
    "keepalives_idle": "60",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "90000",
}
TERMINATE_SECONDS = 2.0


LET_IN = f"`ALTER ROLE {DASHBOARD_ROLE} LOGIN`, as the server's owner, lets it in again"


class MissingRights(RuntimeError):
    """A role of the database lacks a right that nobody may take for it; one line that says what to grant."""


def embedded_server() -> EmbeddedServer:
    """This project's embedded server, running or not."""
    found = settings()
    keys = None if found.archive_store_keys is None else found.archive_store_keys.absolute()
    return EmbeddedServer(
        found.home / "postgres",
        archive=None if found.archive is None else found.archive.absolute(),
        store=None if found.archive_store is None else ArchiveStore(found.archive_store, keys),
    )


def server_url() -> str:
    """The URL by which the server's owner connects; starts the embedded server where no other is named."""
    return settings().database_url or embedded_server().start()


def database_url(database: str | None = None) -> str:
    """The URL by which the service role connects to a database on the server; to this world's by default."""
    return service_url(server_url(), database or WORLD_DATABASES[settings().world])


def running_url(database: str | None = None) -> str:
    """As `database_url`, but never starts a server.

    Raises:
        OSError, ValueError: the embedded server was never started.
    """
    owner = settings().database_url or embedded_server().url()
    return service_url(owner, database or WORLD_DATABASES[settings().world])


def dashboard_database_url() -> str:
    """The URL by which the dashboard connects to this world's database.

    Taken from the environment where the process that starts the dashboard put it there: it needs no owner's password.
    """
    return settings().dashboard_database or dashboard_url(server_url(), WORLD_DATABASES[settings().world])


def working_dashboard_url() -> str:
    """The URL by which the dashboard connects, after its role's password was set again where the old one is refused.

    Somebody changed it by hand in SQL, or restored the roles of another server; nothing else would ever mend it.

    Raises:
        MissingRights: the role may not log in. Somebody wanted that, so it stays.
    """
    url = dashboard_database_url()
    try:
        psycopg.connect(session_url(url)).close()
    except psycopg.OperationalError:
        parts = urlsplit(url)
        if parts.username != DASHBOARD_ROLE:
            raise
        with psycopg.connect(session_url(server_url()), autocommit=True) as connection:
            # Asked, not read from the error: libpq's of a connection that was refused carries no SQLSTATE.
            if not may_log_in(connection, DASHBOARD_ROLE):
                raise MissingRights(f"{DASHBOARD_ROLE} may not log in; {LET_IN}") from None
            set_password(connection, DASHBOARD_ROLE, unquote(parts.password or ""))
        psycopg.connect(session_url(url)).close()
    return url


def application_name() -> str:
    """The name of this process in `pg_stat_activity`: `strades:PID:TOKEN`.

    The token tells processes of several hosts or containers apart, whose ids are often the same.
    """
    return f"strades:{os.getpid()}:{_process_token(os.getpid())}"


@cache
def _process_token(pid: int) -> str:  # by process id: a fork is another process
    return secrets.token_hex(4)


def session_url(url: str) -> str:
    """The URL with `CLIENT_OPTIONS` where it sets none, and with the name of this process."""
    parts = urlsplit(url)
    given = [pair for pair in parts.query.split("&") if pair and not pair.startswith("application_name=")]
    names = {pair.partition("=")[0] for pair in given}
    added = [f"{name}={value}" for name, value in CLIENT_OPTIONS.items() if name not in names]
    query = "&".join([*given, *added, f"application_name={application_name()}"])
    return urlunsplit(parts._replace(query=query))


def connect(url: str | None = None, *, role: str = APP_ROLE) -> psycopg.Connection:
    """A psycopg connection to this world's database: UTC, not autocommit, acting as `role`."""
    return psycopg.connect(session_url(url or database_url()), options=_options(role))


def adbc_connect(url: str | None = None, *, role: str = APP_ROLE) -> "Connection":
    """An ADBC connection: frames in and out as Arrow, at COPY's speed. UTC, not autocommit, acting as `role`."""
    from adbc_driver_manager import AdbcConnection, dbapi

    # While it queries, the driver answers SIGINT with a handler of its own: the query is cancelled, the step fails like
    # any other, and the command goes on with the next. `stopping` ends the query and the process.
    dbapi._blocking_call = _call  # type: ignore[assignment, attr-defined]
    target = session_url(url or database_url())
    database: Any = _adbc_database(f"{target}&options={quote(_options(role))}")
    return dbapi.Connection(database, AdbcConnection(database.handle))


def _call(function: Callable[..., Any], args: Any, kwargs: Any, _cancel: object) -> Any:
    return function(*args, **kwargs)


def terminate_own_backends(url: str | None = None) -> None:
    """End every session of this process on the server, and with it the query it may be waiting for.

    For a process that is about to stop: may be called from any thread, also while another one is inside a query.
    Returns after `TERMINATE_SECONDS` at most and never raises; what it could not end, the server ends when it notices
    that the client is gone (`client_connection_check_interval`).
    """
    worker = Thread(target=_terminate_backends, args=[url, application_name()], daemon=True)
    worker.start()
    worker.join(TERMINATE_SECONDS)


def _terminate_backends(url: str | None, name: str) -> None:
    with suppress(Exception):
        if url is None:
            url = running_url()
        # Under another name than this process's: otherwise it could end itself before the others.
        with psycopg.connect(
            url, autocommit=True, connect_timeout=2, options="-c statement_timeout=1000", application_name="strades"
        ) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = %s AND usename = current_user",
                [name],
            )


class _AdbcDatabase:
    """A database as ADBC knows it, with all of its types: reading them takes 60 ms, a connection to it half of one.

    It holds no connection, and is kept as long as the process lives: closing a connection leaves it open.
    """

    def __init__(self, uri: str) -> None:
        import adbc_driver_postgresql

        self.handle = adbc_driver_postgresql.connect(uri)

    def close(self) -> None:
        """Nothing: other connections use it."""


_adbc_database = cache(_AdbcDatabase)


def _options(role: str) -> str:
    return f"-c role={role} -c timezone=UTC {live_option()}"


def live_option() -> str:
    """The option of a session by which `trading.live_refusals` knows whether one person may approve live trading."""
    return f"-c strades.live_one_person={'on' if settings().live_one_person else 'off'}"


@contextmanager
def advisory_lock(url: str, what: str) -> Iterator[psycopg.Connection]:
    """Hold the advisory lock `what` of a database; yields an autocommit connection, whose end releases the lock."""
    with psycopg.connect(session_url(url), autocommit=True) as connection:  # closing it, or dying, gives the lock back
        connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"strades.{what}"])
        yield connection


def create_databases() -> None:
    """Make the roles and the databases that are missing. Idempotent; the owner connects only when something is.

    What an older version made belongs to the server's owner: it is given to the service role.
    """
    names = [DAGSTER_DATABASE, WORLD_DATABASES[settings().world]]
    if _are_ready(names):
        return
    with advisory_lock(server_url(), "create_databases") as connection:
        try:
            create_roles(connection)
            for name in names:
                create_database(connection, name)
                with psycopg.connect(session_url(in_database(server_url(), name))) as inside:
                    give_to_service_role(inside)
        except psycopg.errors.InsufficientPrivilege as error:
            raise MissingRights(
                f"user {connection.info.user} of DATABASE_URL may not make the roles and databases of Strades "
                f"({error.diag.message_primary}); a superuser grants it: ALTER ROLE {connection.info.user} "
                "CREATEDB CREATEROLE"
            ) from None


def _are_ready(names: Sequence[str]) -> bool:
    try:
        with psycopg.connect(session_url(database_url(names[0])), autocommit=True) as connection:
            return roles_are_made(connection) and owns(connection, names)
    except psycopg.OperationalError:  # no such role, or no such database, yet
        return False
