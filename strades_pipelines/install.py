"""What a command needs before it works: databases, schema, Dagster's home. Idempotent, quick when all is there."""

import os
from pathlib import Path

from strades_pipelines.database.connection import DAGSTER_DATABASE, create_databases, database_url
from strades_pipelines.database.migrate import migrate
from strades_pipelines.settings import PROJECT, settings


def prepare() -> None:
    """Start the server, make what is missing, and set what Dagster's own processes read."""
    create_databases()
    migrate(database_url(), world=settings().world)
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
