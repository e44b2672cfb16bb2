"""Bodies of the commands of the archive: base backups, recovery, and the drill."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import typer

from strades_pipelines.bad_input import BadInput
from strades_pipelines.database.archive_copies import fetch_from_store
from strades_pipelines.database.backup import BackupError
from strades_pipelines.database.base_backup import own_server, take_base_backup
from strades_pipelines.database.connection import WORLD_DATABASES, create_databases, database_url, embedded_server
from strades_pipelines.database.migrate import migrate
from strades_pipelines.database.recovery import recover
from strades_pipelines.database.recovery_drill import run_drill
from strades_pipelines.ingestion.bodies import count_whole_bodies
from strades_pipelines.installation.install import make_home_private
from strades_pipelines.operations.output import print_result, say, table
from strades_pipelines.settings import settings


def run_base_backup(*, full: bool, as_json: bool) -> None:
    """`strades db base-backup`."""
    make_home_private()
    taken = take_base_backup(own_server(), full=full, progress=say)
    document = {**asdict(taken), "folder": str(taken.folder), "seconds": round(taken.seconds, 1)}
    print_result(document, as_json, [table("folder is_full size seconds", [document])])


def run_recover(folder: Path, at: str | None, *, from_store: bool, as_json: bool) -> None:
    """`strades db recover`; needs the archive and the password of the server's owner, and no server."""
    server, moment = embedded_server(), _moment(at)
    if server.archive is None:
        raise BackupError("STRADES_ARCHIVE is not set: name the folder of the archive")
    if from_store:
        if server.store is None:
            raise BackupError("STRADES_ARCHIVE_STORE is not set: name the object store of the archive's copy")
        fetch_from_store(server.store, server.archive, moment, progress=say)
    password = settings().home / "postgres" / "password"
    recovery = recover(server.archive, folder.absolute(), password, at=moment, progress=say)
    recovery.server.stop()
    document = {"folder": str(folder), "base_backup": recovery.base_backup, "seconds": round(recovery.seconds, 1)}
    print_result(document, as_json, [table("folder base_backup seconds", [document])])


def run_recovery_drill(*, as_json: bool) -> None:
    """`strades db drill`; ends with 1 where something was not as it should be."""
    make_home_private()
    create_databases()
    migrate(database_url(), world=settings().world)
    drill = run_drill(own_server(), WORLD_DATABASES[settings().world], count_bodies=count_whole_bodies, progress=say)
    columns = "target_time base_backup rpo_seconds rto_seconds bodies"
    print_result(asdict(drill), as_json, [table(columns, [asdict(drill)])])
    if drill.fault is not None:
        print(f"strades: the drill failed: {drill.fault}", file=sys.stderr)
        raise typer.Exit(1)


def _moment(text: str | None) -> datetime | None:
    """A moment with its time zone, as UTC."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"--at: expected a moment such as 2026-11-30T12:00:00Z, found {text!r}") from None
    if moment.tzinfo is None:
        raise BadInput(f"--at: expected a moment with its time zone, such as {text}Z, found {text!r}")
    return moment.astimezone(UTC)
