"""A backup a day, of which the newest are kept: `python -m strades_pipelines.database.scheduled_backup FOLDER`.

With `--check` it says by its exit code whether the newest is as young as it should be: the health check of the
container.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from strades_pipelines.database.backup import BackupError, back_up, insert_backup, read_manifest, signing_key
from strades_pipelines.database.connection import connect, database_url
from strades_pipelines.settings import settings

INTERVAL = timedelta(hours=24)
RETRY = timedelta(minutes=15)
LATE = INTERVAL + timedelta(hours=2)
NAME = "{world}-{at:%Y%m%dT%H%M%SZ}.backup"  # the names sort as the times do


def main(arguments: Sequence[str] | None = None) -> int:
    """Write backups until the process is stopped, or look at them once."""
    parser = argparse.ArgumentParser(prog="python -m strades_pipelines.database.scheduled_backup", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the backups are")
    parser.add_argument("--keep", type=int, default=14, help="how many are kept (14)")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 where the newest is too old, or none is there"
    )
    options = parser.parse_args(arguments)
    if options.keep < 1:
        parser.error("--keep: expected 1 or more")
    world = settings().world
    if options.check:
        return int(age_of_newest(options.folder, world) > LATE)
    while True:
        time.sleep(look(options.folder, world, options.keep).total_seconds())


def look(folder: Path, world: str, keep: int) -> timedelta:
    """Record what is not recorded, back up where that is due; returns when to look again."""
    is_good = record_backups(folder, world)
    if age_of_newest(folder, world) >= INTERVAL:
        is_good = back_up_once(folder, world, keep)
    return max(timedelta(), INTERVAL - age_of_newest(folder, world)) if is_good else RETRY


def back_up_once(folder: Path, world: str, keep: int) -> bool:
    """Write one backup and delete the oldest beyond `keep`; False, with a line on standard error, where it failed.

    A failure deletes nothing.
    """
    file = folder / NAME.format(world=world, at=datetime.now(UTC))
    try:
        for left_by_a_kill in folder.glob("*.part"):
            if _time_of(left_by_a_kill.name.removesuffix(".part"), world):
                left_by_a_kill.unlink()
        back_up(file, database_url(), key=signing_key(), progress=lambda _: None, is_scheduled=True)
    except Exception as error:  # whatever it was: the next try must come
        _report(f"backup of the world '{world}' failed", error)
        return False
    print(f"backup: wrote {file}, {file.stat().st_size} bytes", flush=True)
    for old in backups(folder, world)[:-keep]:
        old.unlink()
    return True


def record_backups(folder: Path, world: str) -> bool:
    """Record that backups are made every day, and those of the folder that have no row yet.

    Those are from before the world had the table, or from a moment when it could not be written.

    Returns:
        False, with a line on standard error, where it failed.
    """
    try:
        with connect(database_url()) as connection:
            connection.execute("INSERT INTO ops.backup_schedule (started_at) VALUES (now()) ON CONFLICT DO NOTHING")
            recorded = {name for (name,) in connection.execute("SELECT file FROM ops.backups")}
            for file in backups(folder, world):
                if file.name not in recorded:
                    with suppress(BackupError):  # a part, or something else of that name
                        insert_backup(connection, file, read_manifest(file), is_scheduled=True)
            connection.commit()
    except psycopg.errors.UndefinedTable:
        return True  # of an older version: one backs up before one migrates
    except Exception as error:
        _report(f"backups of the world '{world}' could not be noted in ops.backups", error)
        return False
    return True


def backups(folder: Path, world: str) -> list[Path]:
    """Return the backups of a world that this service made, oldest first; files of other names are a person's own."""
    return sorted(file for file in folder.glob(f"{world}-*.backup") if _time_of(file.name, world))


def age_of_newest(folder: Path, world: str) -> timedelta:
    """Return the age of the newest backup by its name; the largest there is where there is none."""
    found = [_time_of(file.name, world) for file in backups(folder, world)]
    newest = max((time for time in found if time), default=None)
    return datetime.now(UTC) - newest if newest else timedelta.max


def _time_of(name: str, world: str) -> datetime | None:
    """The time in a name that this service gave; None of any other name."""
    try:
        found = datetime.strptime(name, f"{world}-%Y%m%dT%H%M%SZ.backup").replace(tzinfo=UTC)
    except ValueError:
        return None
    # `strptime` also takes what we never write, such as a month of one digit.
    return found if NAME.format(world=world, at=found) == name else None


def _report(what: str, error: Exception) -> None:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    print(f"{what}: {reason}; the next try is in 15 minutes", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
