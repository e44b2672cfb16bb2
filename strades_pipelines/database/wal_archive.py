"""The archive of the embedded server: finished WAL segments in `wal/`, base backups in `base/`.

The server gets its options on the command line, so that a folder of data that is moved takes none of them along.
"""

import os
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strades_pipelines.database import wal_segment

# A segment that is not full is closed after so long: what a loss of the machine may cost.
ARCHIVE_TIMEOUT = timedelta(minutes=5)


def archive_options(archive: Path) -> list[str]:
    """The server's options for archiving, and for the WAL summaries that incremental backups need."""
    command = _command("archive", "%p", segments(archive))
    return [
        *("-c", "archive_mode=on"),
        *("-c", f"archive_command={command}"),
        *("-c", f"archive_timeout={ARCHIVE_TIMEOUT.total_seconds():.0f}"),
        *("-c", "summarize_wal=on"),
    ]


def recovery_options(archive: Path, at: datetime | None) -> list[str]:
    """The server's options for recovery up to `at` (aware), or to the end of the archive, and for work after it."""
    target = [] if at is None else ["-c", f"recovery_target_time={at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f+00}"]
    command = _command("restore", "%f", "%p", segments(archive))
    return ["-c", f"restore_command={command}", "-c", "recovery_target_action=promote", *target]


def segments(archive: Path) -> Path:
    """Where the WAL segments are."""
    return archive / "wal"


def base_backups(archive: Path) -> Path:
    """Where the base backups are."""
    return archive / "base"


def make_archive(archive: Path, data: Path) -> None:
    """Make the folders of the archive, for the owner of the server's data alone."""
    owner = data.stat()
    for folder in (archive, segments(archive), base_backups(archive)):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, owner.st_uid, owner.st_gid)


def _command(*words: str | Path) -> str:
    """A command as PostgreSQL's shell reads it; in our words, a percent sign stands for itself."""
    placeholders = ("%p", "%f")
    program = [sys.executable, "-I", str(Path(wal_segment.__file__)), *words]
    return " ".join(
        str(word) if word in placeholders else shlex.quote(str(word)).replace("%", "%%") for word in program
    )
