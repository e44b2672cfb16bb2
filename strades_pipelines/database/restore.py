"""A backup put in the place of the world's database, without trusting the file more than needed.

An archive holds SQL, which whoever made the file has written. So it runs as a role that is made for this one restore,
owns nothing but the new database and is no superuser; and what it made is looked at before any other role reads it.
"""

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from strades_pipelines.database.archive_checks import (
    CODE,
    UNCHANGED,
    check_entries,
    check_nothing_is_missing,
    read_definitions,
    read_migrated_definitions,
)
from strades_pipelines.database.backup import (
    BackupError,
    BackupFailed,
    Manifest,
    Progress,
    call_tool,
    first_error,
    is_own,
    read_manifest,
)
from strades_pipelines.database.connection import (
    DAGSTER_DATABASE,
    WORLD_DATABASES,
    advisory_lock,
    application_name,
    create_databases,
    database_url,
    server_url,
    session_url,
)
from strades_pipelines.database.crash import crash_point
from strades_pipelines.database.fingerprint import table_hashes
from strades_pipelines.database.migrate import WorldMismatch, migrate
from strades_pipelines.database.roles import (
    APP_ROLE,
    DASHBOARD_ROLE,
    DBT_ROLE,
    create_database,
    daily_role,
    drop_database,
    in_database,
    set_password,
)

RESTORE_ROLE = "strades_restore"
# Settings that pg_restore makes and a server older than it does not know; its major version stands behind them.
SETTINGS = {"SET transaction_timeout = 0;": 17}
# Where rows are data of a world. The migrations fill the rules of orders' states, and Django most tables of the
# dashboard, but accounts.
COUNTED = """
    SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'ops', 'dashboard', 'audit', 'public')
    AND (schemaname, tablename) <> ('trading', 'order_transitions')
    OR (schemaname, tablename) = ('dashboard', 'user_logging_info') ORDER BY 1, 2
"""
SESSIONS = """
    SELECT DISTINCT coalesce(nullif(application_name, ''), usename) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND application_name <> %s
    AND (datname = %s OR (datname = %s AND application_name LIKE 'strades:%%'))
"""


def restore(
    file: Path, world: str, *, key: Path, force: bool, trust: bool, disconnect: bool, progress: Progress
) -> Manifest:
    """Put a backup in the place of the world's database.

    It is restored beside it, its hashes are compared, and only then does it take the place: what fails on the way
    leaves the world as it was.

    Args:
        key: the file of the key that signs this installation's backups.
        force: also where the world's database holds rows or accounts; they are lost.
        trust: also a file that this installation did not sign.
        disconnect: also while others use the database; their sessions are ended.

    Raises:
        BackupError: not a backup or not to be trusted, or the world is in use or not empty without the word for it.
        WorldMismatch: a backup of the other world.
        BackupFailed: what pg_restore said, or the tables whose rows are not what was saved.
    """
    manifest = read_manifest(file)
    if manifest.world != world:
        raise WorldMismatch(f"{file}: expected a backup of the world '{world}', was '{manifest.world}'")
    own = is_own(file, manifest, key)
    if not trust and not own:
        raise BackupError(
            f"{file}: expected a backup that this installation made, was one of another, or changed since; "
            "a backup holds SQL and data: --trust restores it if you trust all who could write it"
        )
    check_entries(file)
    create_databases()
    name = WORLD_DATABASES[world]
    beside = f"{name}_restoring"
    if not force and (filled := _filled(database_url(name))):
        raise BackupError(f"database {name}: expected an empty world, has rows in {filled}; --force replaces them")
    with advisory_lock(server_url(), "restore") as server:
        if not disconnect and (others := _sessions(server, name)):
            raise BackupError(
                f"database {name}: expected that nobody uses it, was in use by {', '.join(others[:5])}; end that first "
                "(`strades up`, containers, psql), or --disconnect ends the sessions"
            )
        try:
            # Of a restore that was killed.
            drop_database(server, beside)
            progress("restoring")
            known = read_migrated_definitions(server, beside, world)
            _load(file, _make(server, beside), known.code | known.of_tables_of_dbt)
            _take_over(server, beside)
            progress("hashing every table")
            # Before the migrations, which may change rows.
            _compare(manifest.hashes, table_hashes(database_url(beside)))
            progress("bringing the schema up to date")
            migrate(database_url(beside), world=world)
            # An archive that was signed here is whole; another may have left out a trigger, and nobody would miss it.
            if not own:
                check_nothing_is_missing(file, database_url(beside), known)
            _swap(server, beside, name)
        finally:
            drop_database(server, beside)
            server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(RESTORE_ROLE)))
    return manifest


def _sessions(server: psycopg.Connection[Any], name: str) -> list[str]:
    """The names of other processes' sessions in the world, and of ours in Dagster's database: `strades up` idle."""
    return sorted(row[0] for row in server.execute(SESSIONS, [application_name(), name, DAGSTER_DATABASE]))


def _filled(url: str) -> str:
    """The names of the first tables that hold rows, but for bookkeeping; empty when none does."""
    with psycopg.connect(session_url(url)) as connection:
        tables = connection.execute(COUNTED).fetchall()
        query = sql.SQL("SELECT EXISTS (SELECT FROM {})")
        filled = [
            f"{schema}.{name}"
            for schema, name in tables
            if connection.execute(query.format(sql.Identifier(schema, name))).fetchone() == (True,)
        ]
    return ", ".join(filled[:3])


def _make(server: psycopg.Connection[Any], name: str) -> str:
    """Make an empty database and the role that owns it; returns the URL by which that role connects."""
    role, password = sql.Identifier(RESTORE_ROLE), secrets.token_hex(24)
    server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
    server.execute(sql.SQL("CREATE ROLE {}").format(role))
    set_password(server, RESTORE_ROLE, password)
    # Only a member of a role, or a superuser, may make a database that the role owns.
    server.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    create_database(server, name, owner=RESTORE_ROLE)
    for owner in (APP_ROLE, DBT_ROLE, DASHBOARD_ROLE):  # who owns schemas must be allowed to make them
        server.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(owner), role))
        grant = sql.SQL("GRANT CREATE ON DATABASE {} TO {}")
        server.execute(grant.format(sql.Identifier(name), sql.Identifier(owner)))
    place = urlsplit(server_url())
    netloc = f"{RESTORE_ROLE}:{password}@{place.netloc.rpartition('@')[2]}"
    url = urlunsplit(place._replace(netloc=netloc, path="/" + name))
    with psycopg.connect(session_url(url)) as connection:  # to own a table there, a role must be allowed to make one
        connection.execute(sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(sql.Identifier(APP_ROLE)))
    return url


def _load(file: Path, url: str, known: set[tuple[str, str]]) -> None:
    """Run the archive by the URL of the role without rights, then see that it made no code but what is known."""
    with psycopg.connect(session_url(url)) as connection:
        server_version = connection.info.server_version // 10000
    # pg_restore may be newer than the server, which refuses a setting that it does not know. Such errors are sorted out
    # afterwards; a server that knows them all ends the restore at its first error.
    harmless = {line for line, since in SETTINGS.items() if server_version < since}
    stop = [] if harmless else ["--exit-on-error"]
    done = call_tool("pg_restore", [*stop, f"--dbname={urlsplit(url).path[1:]}", str(file)], url)
    faults = _faults(done.stderr, harmless)
    if faults or (done.returncode and not harmless):
        raise BackupFailed(f"pg_restore failed: {first_error(faults or done.stderr)}")
    if foreign := sorted(read_definitions(url, CODE) - known):
        raise BackupError(f"{file}: expected only what the migrations make, was also {foreign[0][0]}; {UNCHANGED}")


def _faults(stderr: str, harmless: set[str]) -> str:
    """What pg_restore complained of, without settings that this server does not know."""
    complaints = re.split(r"^(?=pg_restore: error: )", stderr, flags=re.MULTILINE)
    return "".join(
        text
        for text in complaints
        if text.startswith("pg_restore: error: ")
        and not any(text.rstrip().partition("\nCommand was: ")[2].startswith(line) for line in harmless)
    )


def _take_over(server: psycopg.Connection[Any], name: str) -> None:
    """Give what the restore's role owns to the role of daily work; the dashboard may make no schemas any more."""
    roles = sql.Identifier(RESTORE_ROLE), sql.Identifier(daily_role(server))
    with psycopg.connect(
        session_url(in_database(server_url(), name)), options="-c search_path=pg_catalog", autocommit=True
    ) as inside:
        inside.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(*roles))
        # What it owned is given away by now: this takes its rights.
        inside.execute(sql.SQL("DROP OWNED BY {}").format(roles[0]))
        revoke = sql.SQL("REVOKE CREATE ON DATABASE {} FROM {}")
        inside.execute(revoke.format(sql.Identifier(name), sql.Identifier(DASHBOARD_ROLE)))


def _swap(server: psycopg.Connection[Any], beside: str, name: str) -> None:
    """Let the database beside the world's take its place, in one transaction: there is a world at any moment.

    What was in it is dropped after that, under the name of the other; a process that is killed before leaves it there
    for the next restore to drop.
    """
    rename, replaced = sql.SQL("ALTER DATABASE {} RENAME TO {}"), f"{name}_replaced"
    drop_database(server, replaced)
    with server.transaction():
        # With a time, so that it waits for their end: a database is renamed only while nobody is in it.
        server.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
        server.execute(rename.format(sql.Identifier(name), sql.Identifier(replaced)))
        crash_point("backup.renamed")
        server.execute(rename.format(sql.Identifier(beside), sql.Identifier(name)))
    drop_database(server, replaced)


def _compare(expected: Mapping[str, str], found: Mapping[str, str]) -> None:
    others = sorted(table for table in {*expected, *found} if expected.get(table) != found.get(table))
    if others:
        raise BackupFailed(f"what was restored is not what was saved, in {', '.join(others)}; {UNCHANGED}")
