"""What a command needs before it works: databases, schema, Dagster's home. Idempotent, quick when all is there."""

import os
from pathlib import Path

import psycopg
from psycopg import sql

from strades_pipelines.database.connection import DAGSTER_DATABASE, advisory_lock, create_databases, database_url
from strades_pipelines.database.migrate import migrate
from strades_pipelines.orchestration.pools import make_pools, pools
from strades_pipelines.settings import PROJECT, settings

# What the database of Dagster is commented with once all its tables are there.
MADE = "strades: Dagster's tables are made"


def prepare() -> None:
    """Start the server, make what is missing, and set what Dagster's own processes read."""
    make_home_private()
    create_databases()
    migrate(database_url(), world=settings().world)
    set_dagster_environment()
    make_dagster_tables(os.environ["DAGSTER_PG_URL"])
    make_missing_pools(os.environ["DAGSTER_PG_URL"])


def make_home_private() -> None:
    """Make the home, and let only its owner into it; another owner's is left as it is."""
    home = settings().home
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.stat().st_uid == os.geteuid():
        home.chmod(0o700)


def set_dagster_environment() -> None:
    """Set what Dagster's own processes read."""
    os.environ["DAGSTER_HOME"] = str(dagster_home())
    os.environ["DAGSTER_PG_URL"] = database_url(DAGSTER_DATABASE)
    # One write for many events: a range of months records an event for each month and asset.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")


def dagster_home() -> Path:
    """Dagster's home: a folder of this installation that links to the project's `dagster.yaml`."""
    home = settings().home.resolve() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    link = home / "dagster.yaml"
    if not link.is_symlink() or link.resolve() != PROJECT / "dagster.yaml":
        link.unlink(missing_ok=True)
        link.symlink_to(PROJECT / "dagster.yaml")
    return home


def make_dagster_tables(url: str) -> None:
    """Have Dagster make its tables, and make them anew where it did not come to the end of that.

    It makes them when it first starts, each for itself: one that was killed then, or found the disk full, would leave
    behind a part of them, with which no other start gets any further. Tables of others stay, and so do runs.
    """
    with advisory_lock(url, "dagster") as connection:
        found = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        if found == (MADE,):
            return
        from dagster import DagsterInstance

        tables = _dagster_tables()
        whole = all(_exists(connection, table) for table in tables) and _has_rows(connection, "alembic_version")
        if not whole and not _has_rows(connection, "runs"):
            names = sql.SQL(", ").join(sql.Identifier("public", table) for table in tables)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(names))
        with DagsterInstance.get() as instance:
            assert all((instance.run_storage, instance.event_log_storage, instance.schedule_storage))
        name = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, sql.Literal(MADE)))


def make_missing_pools(url: str) -> None:
    """Give each pool its limit while no other process does: where two first runs do it at once, Dagster fails one."""
    wanted = set(pools())
    with advisory_lock(url, "dagster") as connection:
        made = {name for (name,) in connection.execute("SELECT concurrency_key FROM public.concurrency_limits")}
        if wanted <= made:
            return
        from dagster import DagsterInstance

        with DagsterInstance.get() as instance:
            make_pools(instance, wanted)


def _dagster_tables() -> list[str]:
    """What Dagster and its migrations keep."""
    from dagster._core.storage.event_log import SqlEventLogStorageMetadata
    from dagster._core.storage.runs import RunStorageSqlMetadata
    from dagster._core.storage.schedules import ScheduleStorageSqlMetadata

    kept = (SqlEventLogStorageMetadata, RunStorageSqlMetadata, ScheduleStorageSqlMetadata)
    return sorted({"alembic_version", *(name for metadata in kept for name in metadata.tables)})


def _exists(connection: psycopg.Connection, table: str) -> bool:
    return connection.execute("SELECT to_regclass(%s)", [f"public.{table}"]).fetchone() != (None,)


def _has_rows(connection: psycopg.Connection, table: str) -> bool:
    query = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier("public", table))
    return _exists(connection, table) and connection.execute(query).fetchone() == (True,)
