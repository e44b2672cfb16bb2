"""A backup a day, of which the newest are kept: `python -m strades_pipelines.database.scheduled_backup FOLDER`.

With `--check` it says by its exit code whether the newest is as young as it should be: the health check of the
container.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strades_pipelines.database.backup import back_up, signing_key
from strades_pipelines.database.connection import database_url
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
        time.sleep(max(timedelta(), INTERVAL - age_of_newest(options.folder, world)).total_seconds())
        if not back_up_once(options.folder, world, options.keep):
            time.sleep(RETRY.total_seconds())


def back_up_once(folder: Path, world: str, keep: int) -> bool:
    """Write one backup and delete the oldest beyond `keep`; False, with a line on standard error, where it failed.

    A failure deletes nothing.
    """
    for left_by_a_kill in folder.glob("*.part"):
        left_by_a_kill.unlink()
    file = folder / NAME.format(world=world, at=datetime.now(UTC))
    try:
        back_up(file, database_url(), key=signing_key(), progress=lambda _: None)
    except Exception as error:  # whatever it was: the next try must come
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        print(
            f"backup of the world '{world}' failed: {reason}; the next try is in 15 minutes",
            file=sys.stderr,
            flush=True,
        )
        return False
    print(f"backup: wrote {file}, {file.stat().st_size} bytes", flush=True)
    for old in backups(folder, world)[:-keep]:
        old.unlink()
    return True


def backups(folder: Path, world: str) -> list[Path]:
    """Return the backups of a world, oldest first."""
    return sorted(folder.glob(f"{world}-*.backup"))


def age_of_newest(folder: Path, world: str) -> timedelta:
    """Return the age of the newest backup by its name; the largest there is where there is none."""
    found = backups(folder, world)
    if not found:
        return timedelta.max
    taken = found[-1].name.removeprefix(f"{world}-")
    return datetime.now(UTC) - datetime.strptime(taken, "%Y%m%dT%H%M%SZ.backup").replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
