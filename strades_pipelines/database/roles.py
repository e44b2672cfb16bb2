"""The roles on the server, and what the server's owner makes for them.

`strades_app` and `strades_dbt` own the tables and cannot log in. `strades_service` logs in for all daily work: it owns
the databases and acts as the other two, but is no superuser and can make neither roles nor databases, so that SQL
which someone smuggles in cannot run programs or read files on the server. `strades_dashboard` logs in for the web
pages alone: it reads the layers and writes nothing but its own schema and new rows of `trading.commands`.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import scrypt
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

APP_ROLE = "strades_app"
DBT_ROLE = "strades_dbt"
SERVICE_ROLE = "strades_service"
DASHBOARD_ROLE = "strades_dashboard"
# The service role's comment once all is made; another text has a changed set of roles made at the next start.
MADE = "strades: roles of version 3"
# Settings of every session of the roles that log in, whatever program opens it. `jit` costs seconds where Debian's
# server has it on (28.6 s against 6.1 s for the cleaned layer, 2026-11-28). The others end the sessions of clients
# that are gone; not every platform has each of them.
SESSION_SETTINGS = {
    "jit": "off",
    "client_connection_check_interval": "2s",
    "tcp_keepalives_idle": "60",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "90s",
}
# Pages ask for few; whoever has the dashboard's password leaves the rest of the server's 100 or 150 to trading.
DASHBOARD_CONNECTIONS = 40
# ALTER TABLE changes the owner of every kind of relation; sequences of columns follow their tables.
RELATIONS_OF_OWNER = """
    SELECT n.nspname, c.relname FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relowner = current_user::regrole AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
"""


def in_database(url: str, database: str) -> str:
    """The URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path="/" + database))


def service_url(owner_url: str, database: str) -> str:
    """The URL by which the service role connects to `database` on the owner's server.

    An owner without a password (a client certificate, say) works as itself: there is nothing to derive one from. So
    does the service role: a container that needs no owner is told no more.
    """
    parts = urlsplit(owner_url)
    if not parts.password or parts.username == SERVICE_ROLE:
        return in_database(owner_url, database)
    place = parts.netloc.rpartition("@")[2]
    netloc = f"{SERVICE_ROLE}:{_derived_password(SERVICE_ROLE, unquote(parts.password))}@{place}"
    return urlunsplit(parts._replace(netloc=netloc, path="/" + database))


def dashboard_url(owner_url: str, database: str) -> str:
    """The URL by which the dashboard connects to `database` on the owner's server.

    Where no password can be derived, see `service_url`, it logs in as the role of daily work and acts as its own.
    """
    parts = urlsplit(owner_url)
    if not parts.password or parts.username == SERVICE_ROLE:
        return in_database(owner_url, database)
    place = parts.netloc.rpartition("@")[2]
    netloc = f"{DASHBOARD_ROLE}:{_derived_password(DASHBOARD_ROLE, unquote(parts.password))}@{place}"
    return urlunsplit(parts._replace(netloc=netloc, path="/" + database))


@cache
def _derived_password(role: str, owner_password: str) -> str:
    """A role's password, derived from the owner's: every process and container knows it without a file.

    By a function that is slow on purpose, because the owner's password, chosen by a person, must not be found from it.
    """
    return scrypt(owner_password.encode(), salt=role.encode(), n=2**12, r=8, p=1, dklen=24).hex()


def create_roles(connection: psycopg.Connection) -> None:
    """Make the roles as the connected user, the server's owner, and let it act as them. Idempotent."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('strades.roles'))")
        password = connection.info.password
        if roles_are_made(connection) and _password_is_good(connection, password):
            return
        # Where there never was a password neither may: nobody wanted that.
        is_shut_out = may_log_in(connection, SERVICE_ROLE) and not may_log_in(connection, DASHBOARD_ROLE)
        for role in (APP_ROLE, DBT_ROLE, DASHBOARD_ROLE, SERVICE_ROLE):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
        service = sql.Identifier(SERVICE_ROLE)
        for role in (APP_ROLE, DBT_ROLE, DASHBOARD_ROLE):
            connection.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), service))
        for role in (SERVICE_ROLE, DASHBOARD_ROLE):
            if password:
                set_password(connection, role, _derived_password(role, password))
            _set_session_settings(connection, role)
        if is_shut_out:
            connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(sql.Identifier(DASHBOARD_ROLE)))
        limit = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
        connection.execute(limit.format(sql.Identifier(DASHBOARD_ROLE), sql.Literal(DASHBOARD_CONNECTIONS)))
        # Last: roles that were not made to the end have no such comment, and are made again.
        connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(service, sql.Literal(MADE)))


def _set_session_settings(connection: psycopg.Connection, role: str) -> None:
    for name, value in SESSION_SETTINGS.items():
        try:
            # A savepoint: a setting that is refused must not take the roles back.
            with connection.transaction():
                statement = sql.SQL("ALTER ROLE {} SET {} = {}")
                connection.execute(statement.format(sql.Identifier(role), sql.Identifier(name), sql.Literal(value)))
        except psycopg.errors.InvalidParameterValue:
            continue  # this server's platform does not have it


def set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    """Let a role log in with a password; the server, and so its log, is told a hash of it."""
    hashed = connection.pgconn.encrypt_password(password.encode(), role.encode()).decode()
    statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
    connection.execute(statement.format(sql.Identifier(role), sql.Literal(hashed)))


def may_log_in(connection: psycopg.Connection, role: str) -> bool:
    """Whether a role may log in at all, whatever its password."""
    query = "SELECT 1 FROM pg_roles WHERE rolname = %s AND NOT rolcanlogin"
    return connection.execute(query, [role]).fetchone() is None


def roles_are_made(connection: psycopg.Connection) -> bool:
    """Whether `create_roles` of this version has run to its end."""
    query = "SELECT 1 FROM pg_roles WHERE rolname = %s AND shobj_description(oid, 'pg_authid') = %s"
    return connection.execute(query, [SERVICE_ROLE, MADE]).fetchone() is not None


def _password_is_good(connection: psycopg.Connection, owner_password: str) -> bool:
    """Whether the service role can log in: the owner's password may have changed since."""
    if not owner_password:
        return True
    try:
        parameters: dict[str, Any] = {**connection.info.get_parameters(), "user": SERVICE_ROLE}
        psycopg.connect(**parameters, password=_derived_password(SERVICE_ROLE, owner_password)).close()
    except psycopg.OperationalError:
        return False
    return True


def owns(connection: psycopg.Connection, databases: Sequence[str]) -> bool:
    """Whether the connected user owns all of these databases."""
    query = "SELECT count(*) FROM pg_database WHERE datname = ANY(%s) AND datdba = current_user::regrole"
    return connection.execute(query, [list(databases)]).fetchone() == (len(databases),)


def create_database(connection: psycopg.Connection, name: str, *, owner: str | None = None) -> None:
    """Make a database that `owner` owns (the service role by default), or give the one that exists to it."""
    names = sql.Identifier(name), sql.Identifier(owner or daily_role(connection))
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(*names))
    else:
        # Not template1, in which anybody may have made something, in any encoding.
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(*names))


def drop_database(connection: psycopg.Connection, name: str) -> None:
    """Drop a database where it is there, and end the sessions in it."""
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def daily_role(connection: psycopg.Connection) -> str:
    """The role of daily work: the service role, or the owner where that has no password."""
    return SERVICE_ROLE if connection.info.password else connection.info.user


def give_to_service_role(connection: psycopg.Connection) -> None:
    """Give the relations of the connected user in this database to the service role; their rows stay."""
    role = daily_role(connection)
    if role == connection.info.user:
        return
    for schema, name in connection.execute(RELATIONS_OF_OWNER).fetchall():
        statement = sql.SQL("ALTER TABLE {} OWNER TO {}")
        connection.execute(statement.format(sql.Identifier(schema, name), sql.Identifier(role)))
