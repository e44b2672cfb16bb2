"""Brings a world's database to the newest schema: numbered SQL files, applied once each, under a lock."""

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql
from yoyo import get_backend, read_migrations
from yoyo.backends import DatabaseBackend
from yoyo.migrations import Migration

from strades_pipelines.database.connection import advisory_lock, connect, session_url
from strades_pipelines.database.roles import APP_ROLE, DASHBOARD_ROLE, DBT_ROLE

MIGRATIONS = Path(__file__).parent / "migrations"
DBT_SCHEMAS = ("staging", "cleaned", "marts")
# Of Django's own migrations (`python -m dashboard`), which never touch another one.
DASHBOARD_SCHEMA = "dashboard"


class WorldMismatch(RuntimeError):
    """The database belongs to the other world."""


def migrate(url: str, *, world: str) -> int:
    """Apply what is missing and return how many migrations that were.

    Raises:
        WorldMismatch: when the database is stamped with another world.
    """
    with advisory_lock(url, "migrate") as connection:
        with connection.transaction():
            _grant_creation(connection)
        backend = get_backend(_yoyo_url(url))
        try:
            # yoyo's own lock is a row, which a process that died leaves behind for good.
            backend.break_lock()
            with backend.lock():
                missing = backend.to_apply(read_migrations(str(MIGRATIONS)))
                for migration in missing:
                    _apply(backend, migration)
        finally:
            backend.connection.close()
    with connect(url) as connection:
        _stamp(connection, world)
    return len(missing)


def _apply(backend: DatabaseBackend, migration: Migration) -> None:
    """Apply a migration and note that it is applied, in one transaction.

    yoyo's own `apply_migrations` notes it in a second one: a process that ends between the two leaves a database that
    no later run can bring up to date.
    """
    with backend.transaction():
        migration.process_steps(backend, "apply")
        backend.log_migration(migration, "apply")
        backend.mark_one(migration, log=False)


def _yoyo_url(url: str) -> str:
    parts = urlsplit(session_url(url))
    query = f"{parts.query}&options=" + quote(f"-c role={APP_ROLE} -c timezone=UTC")
    return urlunsplit(parts._replace(scheme="postgresql+psycopg", query=query))


def _grant_creation(connection: psycopg.Connection) -> None:
    """Both roles may make schemas here, and each may read what the other makes."""
    database = sql.Identifier(connection.info.dbname)
    app, dbt = sql.Identifier(APP_ROLE), sql.Identifier(DBT_ROLE)
    # yoyo keeps its own bookkeeping in public.
    connection.execute(sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(app))
    for owner, reader in ((app, dbt), (dbt, app)):
        connection.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, owner))
        for kind, right in (("SCHEMAS", "USAGE"), ("TABLES", "SELECT")):
            statement = "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT " + right + " ON " + kind + " TO {}"
            connection.execute(sql.SQL(statement).format(owner, reader))
    for schema in DBT_SCHEMAS:
        connection.execute(
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(sql.Identifier(schema), dbt)
        )
    _grant_to_dashboard(connection)


def _grant_to_dashboard(connection: psycopg.Connection) -> None:
    """The dashboard owns its schema and reads what the others make; what is already in dbt's schemas, too."""
    role = sql.Identifier(DASHBOARD_ROLE)
    schema = sql.Identifier(DASHBOARD_SCHEMA)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(schema, role))
    for owner in (APP_ROLE, DBT_ROLE):
        for kind, right in (("SCHEMAS", "USAGE"), ("TABLES", "SELECT")):
            statement = "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT " + right + " ON " + kind + " TO {}"
            connection.execute(sql.SQL(statement).format(sql.Identifier(owner), role))
    for name in DBT_SCHEMAS:
        query = "SELECT has_schema_privilege(%s, %s, 'USAGE')"
        if connection.execute(query, [DASHBOARD_ROLE, name]).fetchone() == (True,):
            continue  # a grant writes to the catalogue each time, and may meet a build of dbt there
        for statement in ("GRANT USAGE ON SCHEMA {} TO {}", "GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}"):
            connection.execute(sql.SQL(statement).format(sql.Identifier(name), role))


def _stamp(connection: psycopg.Connection, world: str) -> None:
    connection.execute("INSERT INTO ops.world (world) VALUES (%s) ON CONFLICT DO NOTHING", [world])
    found = connection.execute("SELECT world FROM ops.world").fetchone()
    if found is None or found[0] != world:
        raise WorldMismatch(
            f"database {connection.info.dbname}: expected the world '{world}', was '{found and found[0]}'; "
            "set STRADES_WORLD or another DATABASE_URL"
        )
